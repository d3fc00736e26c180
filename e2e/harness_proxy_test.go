package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy passes TCP connections on to the server, and can fail as a network does.
type proxy struct {
	url      string
	upstream string
	listener net.Listener
	running  sync.WaitGroup

	mu   sync.Mutex // guards what follows
	open map[net.Conn]bool
	down bool // new connections are cut at once while it is true
}

// startProxy opens a proxy to the server at the address.
func startProxy(t *testing.T, serverURL string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{
		url:      "http://" + listener.Addr().String(),
		upstream: strings.TrimPrefix(serverURL, "http://"),
		listener: listener,
		open:     make(map[net.Conn]bool),
	}
	p.running.Go(p.accept) // ends with the listener
	t.Cleanup(func() {
		listener.Close()
		p.goDown()
		p.running.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.pass(client) }) // ends with either connection
	}
}

// pass copies both ways until either side ends, or the proxy cuts both.
func (p *proxy) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.register(client, server) {
		return
	}
	defer p.forget(client, server)

	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		copying.Go(func() {
			io.Copy(way[0], way[1])
			client.Close()
			server.Close()
		})
	}
	copying.Wait()
}

func (p *proxy) register(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		if p.down {
			reset(c)
			continue
		}
		p.open[c] = true
	}
	return !p.down
}

func (p *proxy) forget(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		delete(p.open, c)
	}
}

// goDown cuts all connections, and every new one until comeBack is called.
func (p *proxy) goDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.open {
		reset(c)
	}
}

func (p *proxy) comeBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// reset ends a connection by RST, as a network does that fails.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
