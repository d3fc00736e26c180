package conns

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one connection.
type conn struct {
	net.Conn

	// set once, before others see it
	guard   *Guard
	network netip.Prefix
	owner   *owner // nil: it is in the reserve

	writing atomic.Bool // something is being written

	// guarded by guard.mu
	state state
	since time.Duration // when it entered the state, since the guard's start
	gone  bool          // it is not counted any more
	links [linkings]link
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Store(true)
	n, err := c.Conn.Write(p)
	c.writing.Store(false)
	return n, err
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.guard.forget(c)
	return err
}

// CloseWrite lets net/http end an answer whose request it does not read.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// reset closes a connection at once. What was not sent yet is dropped: the kernel
// would go on holding it.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close is a slower one
	}
	_ = c.Close() // the client is gone then, if it was not before
}

// ours returns the guard's own connection, below TLS perhaps, or nil.
func ours(connection net.Conn) *conn {
	for {
		switch c := connection.(type) {
		case *conn:
			return c
		case interface{ NetConn() net.Conn }:
			connection = c.NetConn()
		default:
			return nil
		}
	}
}

// addressOf returns the address of a connection's other end, the zero one if that
// has none.
func addressOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

type listener struct {
	net.Listener
	guard *Guard
}

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) {
				l.guard.relieve() // others took more descriptors than was kept for them
			}
			return nil, err
		}
		if c := l.guard.admit(accepted); c != nil {
			return c, nil
		}
	}
}
