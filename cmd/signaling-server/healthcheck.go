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

// healthcheck asks the server on this machine whether it is alive. A container
// image without a shell calls it.
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

// ownTransport speaks TLS to the server on this machine, whose certificate is for
// another name: whoever could stand between us and it could do anything here.
func ownTransport(c config) http.RoundTripper {
	own := &tls.Config{InsecureSkipVerify: true}
	if len(c.ACMEDomains) > 0 {
		own.ServerName = c.ACMEDomains[0] // others are not answered
	}
	return &http.Transport{TLSClientConfig: own}
}
