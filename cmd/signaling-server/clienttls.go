package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// clientTLS says how this server connects to another one by TLS. Each variable names a file in PEM, or
// nothing.
type clientTLS struct {
	authorities, certificate, key envVar
}

// envVar is a variable of the environment.
type envVar struct{ name, value string }

// config returns how the other server is checked, or nil if nothing is set. The error is a
// sentence for the operator.
func (c clientTLS) config() (*tls.Config, error) {
	if c.authorities.value == "" && c.certificate.value == "" {
		return nil, nil
	}
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.authorities.value != "" {
		text, err := os.ReadFile(c.authorities.value)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be used: %w", c.authorities.name, withUser(err))
		}
		secured.RootCAs = x509.NewCertPool()
		if !secured.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s cannot be used: it has no certificate in PEM", c.authorities.name)
		}
	}
	if c.certificate.value != "" {
		pair, err := tls.LoadX509KeyPair(c.certificate.value, c.key.value)
		if err != nil {
			return nil, fmt.Errorf("%s and %s cannot be used: %w", c.certificate.name, c.key.name, withUser(err))
		}
		secured.Certificates = []tls.Certificate{pair}
	}
	return secured, nil
}
