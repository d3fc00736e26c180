package clustertest

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Network is a listener whose connections are pipes in memory. A goroutine that waits for one is
// durably blocked, so fake time can pass (testing/synctest). Any goroutine may call its methods at
// once.
type Network struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewNetwork returns a network without connections.
func NewNetwork() *Network {
	return &Network{calls: make(chan net.Conn), closed: make(chan struct{})}
}

// Connect hands the server's end of a connection to Accept.
func (n *Network) Connect(server net.Conn) { n.calls <- server }

// Transport returns a transport whose connections all lead to the network.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, server := net.Pipe()
		select {
		case n.calls <- server:
			return client, nil
		case <-n.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case connection := <-n.calls:
		return connection, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *Network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements [net.Listener].
func (n *Network) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
