package conns

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// conn is a counted connection.
type conn struct {
	net.Conn

	// set once, before other goroutines see the connection
	guard *Guard
	home  *listener // that has accepted it

	// Set before other goroutines see the connection, and once more under guard.mu if a
	// PROXY header names another address. That is before the first request.
	network      netip.Prefix
	owner        *owner // nil if the connection is in the reserve
	wasEncrypted bool   // the PROXY header says so

	isCovered bool        // there is another connection above it, as with TLS; set before the first request
	writing   atomic.Bool // something is being written
	unread    []byte      // what was read before net/http got the connection, which reads it again
	header    header
	sleep     sleep // guards itself

	// Guarded by guard.mu.
	state state
	since time.Duration // when it entered the state, since the guard's start
	gone  bool          // it is no longer counted
	held  int           // bytes that are charged beside its cost: for its header, or less because it sleeps or is parked

	sleepID uint64 // in the lot; 0: it is awake
	links   [linkings]link
}

// readUnread reads first what was read before net/http got the connection.
func (c *conn) readUnread(p []byte) (int, error) {
	if len(c.unread) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.unread)
	if c.unread = c.unread[n:]; len(c.unread) == 0 {
		c.unread = nil
	}
	return n, nil
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Store(true)
	n, err := c.Conn.Write(p)
	c.writing.Store(false)
	return n, err
}

// Close implements [net.Conn]. If the connection falls asleep, only net/http has to believe
// that it is closed.
func (c *conn) Close() error {
	if c.isAsleep() {
		return nil
	}
	err := c.Conn.Close()
	c.guard.forget(c)
	return err
}

// CloseWrite closes the sending half. net/http calls it after an answer if it has not
// read the request's body to the end.
func (c *conn) CloseWrite() error {
	if half, ok := bare(c.Conn).(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// reset closes a connection at once. It drops unsent data, which the kernel would
// otherwise still keep in memory.
func reset(c net.Conn) {
	if tcp, ok := bare(c).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // if this fails, the kernel only keeps the data longer
	}
	_ = c.Close() // an error means that the client is gone already
}

// ours returns the guard's own connection, which may be below TLS, or nil if there is
// none.
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

// addressOf returns an address of TCP without its port, or the zero address if it is that
// of a Unix socket.
func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
