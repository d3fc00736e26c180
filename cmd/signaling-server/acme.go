package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/time/rate"
)

// letsEncrypt gets and renews the certificates of ACME_DOMAINS. Several goroutines may call
// its methods at once.
type letsEncrypt struct {
	manager *autocert.Manager
	logger  *slog.Logger
	cache   autocert.DirCache
	reports map[string]*rate.Sometimes // of failures, for each of ACME_DOMAINS
}

// reportInterval is how often the log says that there is no certificate for a name.
const reportInterval = time.Minute

func newLetsEncrypt(c config, logger *slog.Logger) *letsEncrypt {
	l := &letsEncrypt{logger: logger, cache: autocert.DirCache(c.ACMECache), reports: make(map[string]*rate.Sometimes)}
	l.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      l.cache,
		HostPolicy: autocert.HostWhitelist(c.ACMEDomains...),
		Email:      c.ACMEEmail,
	}
	for _, name := range c.ACMEDomains {
		l.reports[name] = &rate.Sometimes{Interval: reportInterval}
	}
	return l
}

// checkCache returns an error if certificates cannot be kept in the folder ACME_CACHE, or
// if those that are kept there cannot be read. Otherwise the server would start, and then
// fail at each handshake.
func (l *letsEncrypt) checkCache() error {
	const trial = "trial"
	always := context.Background()
	if err := l.cache.Put(always, trial, nil); err != nil {
		return err
	}
	if err := l.cache.Delete(always, trial); err != nil {
		return err
	}
	kept := []string{"acme_account+key"}
	for name := range l.reports {
		kept = append(kept, name)
	}
	for _, name := range kept {
		if _, err := l.cache.Get(always, name); err != nil && !errors.Is(err, autocert.ErrCacheMiss) {
			return err
		}
	}
	return nil
}

func (l *letsEncrypt) tlsConfig() *tls.Config {
	config := l.manager.TLSConfig()
	config.GetCertificate = l.get
	return config
}

// errOfAnother is the text of autocert's error after a handshake that asked for the same
// certificate in vain. The error of that handshake says why.
const errOfAnother = "acme/autocert: missing certificate"

// get implements GetCertificate of [tls.Config]. It logs an error that is not the client's:
// net/http would report it only as the failure of a handshake.
func (l *letsEncrypt) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate, err := l.manager.GetCertificate(hello)
	isChallenge := slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto})
	if err != nil && err.Error() != errOfAnother && !isChallenge {
		l.report(strings.TrimSuffix(hello.ServerName, "."), err)
	}
	return certificate, err
}

// expires returns when the first of the certificates in ACME_CACHE expires. It is zero if there
// is none yet.
func (l *letsEncrypt) expires() (first time.Time) {
	for name := range l.reports {
		kept, err := l.cache.Get(context.Background(), name)
		if err != nil {
			continue
		}
		pair, err := tls.X509KeyPair(kept, kept) // the file has the key and the chain
		if err == nil && (first.IsZero() || pair.Leaf.NotAfter.Before(first)) {
			first = pair.Leaf.NotAfter
		}
	}
	return first
}

// report logs why there is no certificate for a name, if it is in ACME_DOMAINS.
func (l *letsEncrypt) report(name string, err error) {
	for ours, sometimes := range l.reports {
		if strings.EqualFold(name, ours) {
			sometimes.Do(func() {
				l.logger.Error("there is no certificate from Let's Encrypt for a name in ACME_DOMAINS: "+whatToCheck(err), "name", ours, "error", err)
			})
		}
	}
}

// whatToCheck returns what the operator should check after an error of autocert.
func whatToCheck(err error) string {
	var unanswered *url.Error
	var refusal *acme.Error
	switch {
	case errors.As(err, &unanswered):
		return "check that this machine may send requests to Let's Encrypt by https"
	case !errors.As(err, &refusal): // autocert does not say why Let's Encrypt could not reach the server
		return "check that the DNS records of the name lead here, and that port 443 of the internet reaches PORT"
	case strings.HasSuffix(refusal.ProblemType, ":rateLimited"):
		return "too many were requested, so wait as long as the error says, and keep ACME_CACHE from start to start"
	}
	return "Let's Encrypt refused it, so check ACME_DOMAINS and ACME_EMAIL"
}
