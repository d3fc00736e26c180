package conns

import (
	"cmp"
	"errors"
	"net"
	"sync"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
)

// proxied is a connection from a trusted proxy, which begins with a PROXY header: see
// https://www.haproxy.org/download/3.4/doc/proxy-protocol.txt.
type proxied struct {
	*proxyproto.Conn
	counted *conn
	begins  sync.Once
}

// errRefused ends a connection that the guard does not accept after its PROXY header.
var errRefused = errors.New("conns: the connection is refused")

// withProxyHeader returns the connection below c, without its PROXY header.
func withProxyHeader(c *conn) *proxied {
	return &proxied{counted: c, Conn: proxyproto.NewConn(c.Conn,
		proxyproto.WithPolicy(proxyproto.REQUIRE),
		proxyproto.SetReadHeaderTimeout(cmp.Or(c.guard.options.HeaderTimeout, proxyproto.DefaultReadHeaderTimeout)),
		proxyproto.ValidateHeader(func(header *proxyproto.Header) error { return c.guard.identify(c, header) }),
	)}
}

// RemoteAddr implements [net.Conn], and reads the PROXY header when it is first called.
// net/http does that in the goroutine of the connection, before it reads anything.
func (p *proxied) RemoteAddr() net.Addr {
	p.begins.Do(func() {
		if p.ProxyHeader() == nil {
			p.counted.guard.refuse(p.counted, NoProxyHeader)
		}
	})
	if client, isTCP := p.Conn.RemoteAddr().(*net.TCPAddr); isTCP {
		return client
	}
	return p.Raw().RemoteAddr()
}

// identify counts a connection for the client that its PROXY header names. A proxy sends
// LOCAL for its own connections, as for health checks: these stay the proxy's.
func (g *Guard) identify(c *conn, header *proxyproto.Header) error {
	if header.Command.IsLocal() || header.TransportProtocol.IsUnix() {
		return nil
	}
	client, isTCP := header.SourceAddr.(*net.TCPAddr)
	if !isTCP {
		return errRefused
	}
	g.mu.Lock()
	if c.gone {
		g.mu.Unlock()
		return errRefused
	}
	g.remove(c)
	c.gone, c.owner = false, nil
	c.wasEncrypted = isEncrypted(header)
	victims := g.place(c, addressOf(client))
	isRefused := c.gone
	g.mu.Unlock()
	for _, v := range victims {
		v.end()
	}
	if isRefused {
		return errRefused
	}
	return nil
}

// isEncrypted reports whether a PROXY header says that the client used TLS.
func isEncrypted(header *proxyproto.Header) bool {
	fields, err := header.TLVs()
	if err != nil {
		return false
	}
	ssl, isThere := tlvparse.FindSSL(fields)
	return isThere && ssl.ClientSSL()
}

// bare returns the connection below a PROXY header.
func bare(c net.Conn) net.Conn {
	if p, ok := c.(*proxied); ok {
		return p.Raw()
	}
	return c
}
