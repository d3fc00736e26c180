package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// usesTLS reports whether the server speaks HTTPS.
func (c config) usesTLS() bool { return c.TLSCertificate != "" || len(c.ACMEDomains) > 0 }

// newTLS returns the server's TLS configuration, and a function that says when the first of its
// certificates expires. Both are nil if the server does not use TLS. The error is a sentence for
// the operator.
func newTLS(c config, logger *slog.Logger) (ours *tls.Config, expires func() time.Time, err error) {
	switch {
	case len(c.ACMEDomains) > 0:
		if err := checkAuthorities("ACME_DOMAINS"); err != nil {
			return nil, nil, err
		}
		letsEncrypt := newLetsEncrypt(c, logger)
		if err := letsEncrypt.checkCache(); err != nil {
			return nil, nil, fmt.Errorf("ACME_CACHE cannot be used: %w: set it to a folder that user %d may write, such as a volume", err, os.Getuid())
		}
		return letsEncrypt.tlsConfig(), letsEncrypt.expires, nil
	case c.TLSCertificate != "":
		certificate := &certificate{certFile: c.TLSCertificate, keyFile: c.TLSKey, logger: logger}
		if err := certificate.load(); err != nil {
			return nil, nil, fmt.Errorf("TLS_CERT and TLS_KEY cannot be used: %w", withUser(err))
		}
		return &tls.Config{GetCertificate: certificate.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, certificate.expires, nil
	}
	return nil, nil, nil
}

// certificate is a TLS certificate in files, which are read again when they change. A
// certificate is renewed every few weeks, and a new certificate must not need a
// restart. If the new files cannot be read, the previous certificate stays in use.
type certificate struct {
	certFile, keyFile string
	logger            *slog.Logger

	mu      sync.Mutex // guards what follows; held while the files are read
	looked  time.Time  // when the files were last checked
	changed time.Time  // the modification time of the newer file when the files were last read, or could not be read
	current *tls.Certificate
}

// lookAgain is how often the files are checked for changes.
const lookAgain = 5 * time.Second

// get implements GetCertificate of [tls.Config]. Any goroutine may call it.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= lookAgain {
		c.reload()
	}
	return c.current, nil
}

// expires returns when the certificate expires that is in use. Any goroutine may call it.
func (c *certificate) expires() time.Time {
	current, _ := c.get(nil) // it never fails
	return current.Leaf.NotAfter
}

// reload reads the files if they have changed.
func (c *certificate) reload() {
	c.looked = time.Now()
	changed, err := c.lastChange()
	if err == nil && changed.Equal(c.changed) {
		return
	}
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.logger.Error("cannot read the new TLS certificate: the previous certificate stays in use", "error", err)
		c.changed = changed // log the error once, not at each check
		return
	}
	c.logger.Info("new TLS certificate", "validUntil", c.current.Leaf.NotAfter)
}

// load reads the files. The caller holds mu, or no other goroutine has the certificate
// yet.
func (c *certificate) load() error {
	changed, err := c.lastChange() // before the files are read: a change during the read is then noticed later
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.changed, c.looked = &pair, changed, time.Now()
	return nil
}

// lastChange returns when the newer of the files was written.
func (c *certificate) lastChange() (last time.Time, err error) {
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return last, err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}
