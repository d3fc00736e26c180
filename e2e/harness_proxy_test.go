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
	open     openConnections
}

// openConnections can be cut together. Several goroutines may use them at once.
type openConnections struct {
	mu    sync.Mutex // guards what follows
	all   map[net.Conn]bool
	isCut bool // new connections are cut as well
}

// add reports whether the connections may be used. If not, it has cut them.
func (o *openConnections) add(connections ...net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range connections {
		if o.isCut {
			reset(c)
		} else {
			o.all[c] = true
		}
	}
	return !o.isCut
}

func (o *openConnections) forget(connections ...net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range connections {
		delete(o.all, c)
	}
}

// cut cuts all connections, and every new connection until restore is called.
func (o *openConnections) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isCut = true
	for c := range o.all {
		reset(c)
	}
}

func (o *openConnections) restore() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isCut = false
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
		open:     openConnections{all: make(map[net.Conn]bool)},
	}
	p.running.Go(p.accept) // ends with the listener
	t.Cleanup(func() {
		listener.Close()
		p.open.cut()
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
	if !p.open.add(client, server) {
		return
	}
	defer p.open.forget(client, server)

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

// goDown cuts all connections, and every new one until comeBack is called.
func (p *proxy) goDown() { p.open.cut() }

func (p *proxy) comeBack() { p.open.restore() }

// reset ends a connection by RST, as a network does that fails.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
