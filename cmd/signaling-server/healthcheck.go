package main

import (
	"cmp"
	"context"
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
	soon, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var failed error
	for _, host := range ownHosts(c.Host) {
		response, err := askLivez(soon, c, host)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the server answers %s", response.Status)
		}
		return nil
	}
	return fmt.Errorf("the server does not answer: %w", failed)
}

// ownHosts returns where a server that listens on host can be reached from its own
// machine. “localhost” is not there: the container image has no /etc/hosts.
func ownHosts(host string) []string {
	if ip := net.ParseIP(host); host == "" || host == "localhost" || ip.IsUnspecified() {
		return []string{"127.0.0.1", "::1"}
	}
	return []string{host}
}

func askLivez(ctx context.Context, c config, host string) (*http.Response, error) {
	scheme := "http://"
	if c.usesTLS() {
		scheme = "https://"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, strconv.Itoa(c.Port))+"/livez", http.NoBody)
	if err != nil {
		return nil, err
	}
	return ownTransport(c).RoundTrip(r)
}

// ownTransport reaches the server on this machine, never by a proxy: HTTP_PROXY is for
// other machines. It does not verify the certificate, which is for another name. An
// attacker that can intercept a connection within this machine controls the machine
// already.
func ownTransport(c config) http.RoundTripper {
	own := &tls.Config{InsecureSkipVerify: true}
	if len(c.ACMEDomains) > 0 {
		own.ServerName = c.ACMEDomains[0] // the server has no certificate for other names
	}
	return &http.Transport{TLSClientConfig: own, DisableKeepAlives: true}
}
