package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"
)

// healthcheck asks the server on this machine whether it is alive or, with the argument
// ready, whether it serves. The container image has no shell and no curl, so the binary is
// its own health check.
func healthcheck(c config, args []string) error {
	path := "/livez"
	switch strings.Join(args, " ") {
	case "":
	case "ready":
		path = "/readyz"
	default:
		return errors.New("healthcheck takes no argument but ready, which asks whether the server serves")
	}
	soon, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var failed error
	for _, host := range c.ownHosts() {
		response, err := ask(soon, c, host, path)
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

// ownHosts returns where the server can be reached from its own machine. “localhost” is
// not there: the container image has no /etc/hosts. By a Unix socket any host is right.
func (c config) ownHosts() []string {
	switch ip := net.ParseIP(c.Host); {
	case c.socketPath() != "":
		return []string{"socket"}
	case c.Host == "", c.Host == "localhost", ip.IsUnspecified():
		return []string{"127.0.0.1", "::1"}
	}
	return []string{c.Host}
}

func ask(ctx context.Context, c config, host, path string) (*http.Response, error) {
	scheme := "http://"
	if c.usesTLS() {
		scheme = "https://"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, strconv.Itoa(c.Port))+path, http.NoBody)
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
	return &http.Transport{DialContext: c.dialOwn, TLSClientConfig: own, DisableKeepAlives: true}
}

// dialOwn connects to the server on this machine. If the server demands a PROXY header
// from this address, dialOwn sends the header of a connection without a client (LOCAL).
func (c config) dialOwn(ctx context.Context, network, address string) (net.Conn, error) {
	if path := c.socketPath(); path != "" {
		network, address = "unix", path
	}
	connection, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || !c.ProxyProtocol {
		return connection, err
	}
	proxies, err := c.trustedProxies()
	own, _ := netip.ParseAddrPort(connection.LocalAddr().String()) // a Unix socket has none
	if err == nil && proxies.Trust(own.Addr().Unmap()) {
		_, err = (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}).WriteTo(connection)
	}
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return connection, nil
}
