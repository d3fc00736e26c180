package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// dialTunnel dials through a proxy by CONNECT. Usually there is TLS in such a tunnel, so
// the proxy cannot read the traffic. Here there is no TLS, but the proxy does not read the
// traffic either.
func dialTunnel(proxy string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer net.Dialer
		connection, err := dialer.DialContext(ctx, network, proxy)
		if err != nil {
			return nil, err
		}
		if err := askForTunnel(connection, address); err != nil {
			connection.Close()
			return nil, err
		}
		return connection, nil
	}
}

func askForTunnel(proxy net.Conn, address string) error {
	proxy.SetDeadline(time.Now().Add(within))
	defer proxy.SetDeadline(time.Time{})
	if _, err := fmt.Fprintf(proxy, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", address); err != nil {
		return err
	}
	// The server sends nothing after the answer's header before the client speaks.
	response, err := http.ReadResponse(bufio.NewReader(proxy), &http.Request{Method: http.MethodConnect})
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("CONNECT %s was answered with %s", address, response.Status)
	}
	return err
}
