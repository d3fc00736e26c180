package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// clientTLS says how this server connects to another one by TLS. Each file is in PEM, and may be
// empty.
type clientTLS struct {
	authorities, certificate, key pemFile
}

// pemFile is a file that a variable names.
type pemFile struct{ variable, path string }

// config returns how the other server is checked, or nil if nothing is set. The error is a
// sentence for the operator.
func (c clientTLS) config() (*tls.Config, error) {
	if c.authorities.path == "" && c.certificate.path == "" {
		return nil, nil
	}
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.authorities.path != "" {
		text, err := os.ReadFile(c.authorities.path)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be used: %w", c.authorities.variable, withUser(err))
		}
		secured.RootCAs = x509.NewCertPool()
		if !secured.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s cannot be used: it has no certificate in PEM", c.authorities.variable)
		}
	}
	if c.certificate.path != "" {
		pair, err := tls.LoadX509KeyPair(c.certificate.path, c.key.path)
		if err != nil {
			return nil, fmt.Errorf("%s and %s cannot be used: %w", c.certificate.variable, c.key.variable, withUser(err))
		}
		secured.Certificates = []tls.Certificate{pair}
	}
	return secured, nil
}
