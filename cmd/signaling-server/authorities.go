package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkAuthorities returns an error if no certificate of an authority is known, so that
// no https server can be trusted. Without this check the server would start, and then
// fail at each request that the setting causes. The error is a sentence for the operator.
func checkAuthorities(setting string) error {
	// Package x509 says nothing about a file that it cannot read.
	if name := os.Getenv("SSL_CERT_FILE"); name != "" {
		if err := checkCertificates(name); err != nil {
			return fmt.Errorf("SSL_CERT_FILE cannot be used: %w", withUser(err))
		}
	}
	known, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("%s needs certificates of authorities, which cannot be read: %w", setting, withUser(err))
	}
	if known.Equal(x509.NewCertPool()) {
		return fmt.Errorf("%s needs certificates of authorities, but this machine has none: install the package ca-certificates, or set SSL_CERT_FILE to a file of certificates in PEM", setting)
	}
	return nil
}

// checkCertificates returns an error if a file has no certificate in PEM.
func checkCertificates(name string) error {
	text, err := os.ReadFile(name)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		return errors.New("it has no certificate in PEM")
	}
	return err
}

// withUser adds to an error of a file who needs access to it, if nobody gave it.
func withUser(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: give user %d access to it", err, os.Getuid())
	}
	return err
}
