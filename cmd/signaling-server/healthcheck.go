package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// healthcheck asks the server on this machine whether it is alive. The container image
// has no shell and no curl, so the binary is its own health check.
func healthcheck(c config) error {
	client := http.Client{Timeout: 3 * time.Second}
	scheme := "http://"
	if c.usesTLS() {
		scheme = "https://"
		client.Transport = ownTransport(c)
	}
	url := scheme + net.JoinHostPort(cmp.Or(c.Host, "localhost"), strconv.Itoa(c.Port)) + "/livez"
	response, err := client.Get(url)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", response.Status)
	}
	return nil
}

// ownTransport speaks TLS to the server on this machine. It does not verify the
// certificate, which is for another name. An attacker that can intercept a connection
// within this machine controls the machine already.
func ownTransport(c config) http.RoundTripper {
	own := &tls.Config{InsecureSkipVerify: true}
	if len(c.ACMEDomains) > 0 {
		own.ServerName = c.ACMEDomains[0] // the server has no certificate for other names
	}
	return &http.Transport{TLSClientConfig: own}
}
