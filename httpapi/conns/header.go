package conns

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
)

// What a header takes until it is complete, in bytes. The figures are those of net/http,
// which parses a header while it comes.
const (
	perByte  = 2   // the byte itself, and a copy for the parsed field
	perField = 112 // an entry of the map, which is at most half empty, and a slice of one value

	// perByteOfHTTP2 is for each byte of the largest header. A field counts as 32 bytes
	// and its text (RFC 9113, 6.5.2). It takes 40 bytes and its text, in a slice that
	// grows.
	perByteOfHTTP2 = 2
)

// MaxFields is how many fields the header of a request may have. Clients send about 20, and
// proxies and single sign-on add some. Apache and Envoy take 100 by default, HAProxy 101. A
// connection over HTTP/1 is closed when more have come and the header still goes on.
const MaxFields = 256

// errEnded ends the reads of a connection that the guard has closed.
var errEnded = errors.New("conns: the guard has closed the connection")

// header is what a connection has sent of a header that is not complete.
type header struct {
	isServing atomic.Bool  // a request is under way, so what comes is not of a header
	isHTTP2   atomic.Bool  // the largest header is charged already
	unpaid    atomic.Int64 // what it takes and is not charged yet

	// Only reads use what follows. No two of them run at once.
	protocol protocol
	preface  int // how many bytes of the preface of HTTP/2 have come
	lines    fieldLines
}

// begin notes that a request is under way: its header is complete.
func (h *header) begin() {
	h.isServing.Store(true)
	h.unpaid.Store(0)
}

// end notes that the request is answered. If its client has sent the beginning of another
// header already, that is not charged yet.
func (h *header) end() {
	if !h.isHTTP2.Load() {
		h.unpaid.Store(perField * int64(h.lines.count))
	}
	h.isServing.Store(false)
}

// protocol is what the first bytes of a connection tell.
type protocol uint8

const (
	unknown protocol = iota
	http1
	http2
	encrypted // with TLS above the connection, as http.Server.ServeTLS puts it there
)

// Read implements [net.Conn]. A header that is complete after one call costs nothing.
func (c *conn) Read(p []byte) (int, error) {
	if c.header.isHTTP2.Load() {
		return c.readUnread(p)
	}
	asked := len(p)
	if c.isCovered {
		asked = 0 // it is not net/http that asks
	}
	if !c.mayReadLines(asked) || !c.guard.payForHeader(c) {
		return 0, errEnded
	}
	n, err := c.read(p)
	if n == 0 {
		return n, err
	}
	if !c.header.isServing.Load() {
		c.header.unpaid.Add(perByte * int64(n))
	}
	if c.header.protocol == unknown {
		c.recognize(p[:n])
	}
	switch {
	case c.header.protocol <= http1:
		c.header.readLines(p[:n])
	case c.header.protocol == http2 && !c.guard.payForHTTP2(c):
		return 0, errEnded
	}
	return n, err
}

// recognize finds out which protocol a connection speaks. TLS begins with the type of a
// handshake's record (RFC 8446, 5.1), and HTTP/2 with its preface (RFC 9113, 3.4).
func (c *conn) recognize(p []byte) {
	const handshake, preface = 22, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	at := len(preface) - c.header.preface
	part := p[:min(len(p), at)]
	switch {
	case c.header.preface == 0 && p[0] == handshake:
		c.header.protocol = encrypted
	case !strings.HasPrefix(preface[c.header.preface:], string(part)):
		c.header.protocol = http1
	case len(part) == at:
		c.header.protocol = http2
	default:
		c.header.preface += len(part)
	}
}

// mayReadLines reports whether net/http may read more lines. If a header has too many fields
// and is still not complete, mayReadLines closes the connection.
//
// The guard does not know where a body ends. But if net/http asks for as much as its buffer
// holds, that is empty. Between two headers, all that has come so far is then not of the next.
func (c *conn) mayReadLines(asked int) bool {
	isServing := c.header.isServing.Load()
	switch isBetween := isServing || c.sleep.stage.Load() == waits; {
	case isBetween && asked >= wholeBuffer:
		c.header.lines = fieldLines{}
		c.header.unpaid.Store(0)
	case !isServing && c.header.lines.count > 1+MaxFields: // the first line is not a field
		c.guard.refuse(c, TooManyFields)
		return false
	}
	return true
}

// readLines counts the fields in what was read.
func (h *header) readLines(p []byte) {
	if more := h.lines.add(p); !h.isServing.Load() {
		h.unpaid.Add(perField * int64(more))
	}
}

// fieldLines counts the lines of a header in a stream of bytes. An empty line begins anew. So
// it also counts a header that comes behind a body, before the request with that body is
// answered. Then the lines of the body count, too.
type fieldLines struct {
	count   int
	midLine bool
}

// add returns how many lines begin in more bytes. Lines that continue a field do not
// count.
func (f *fieldLines) add(p []byte) (begun int) {
	for len(p) > 0 {
		if !f.midLine {
			switch p[0] {
			case '\r', '\n':
				f.count = 0
			case ' ', '\t':
			default:
				f.count++
				begun++
			}
		}
		end := bytes.IndexByte(p, '\n')
		f.midLine = end < 0
		if f.midLine {
			break
		}
		p = p[end+1:]
	}
	return begun
}

// payForHeader charges what an unfinished header takes. It closes the connection and
// returns false if the budget has no room for it. A connection with such a header is not
// idle: it has as little time as a new connection.
func (g *Guard) payForHeader(c *conn) bool {
	unpaid := c.header.unpaid.Swap(0)
	if unpaid == 0 {
		return true
	}
	if !g.payMore(c, int(unpaid)) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.gone && c.owner != nil && c.state == idle {
		g.take(c)
		g.put(c, fresh)
	}
	return true
}

// payForHTTP2 charges the largest header that a client may leave unfinished over HTTP/2.
// One byte may stand for a whole field there, so bytes say nothing. It closes the
// connection and returns false if the budget has no room for it.
func (g *Guard) payForHTTP2(c *conn) bool {
	c.header.isHTTP2.Store(true)
	return g.payMore(c, perByteOfHTTP2*g.options.MaxHeader)
}

// payMore charges a connection for more bytes. It closes the connection and returns false
// if there is no room for them.
func (g *Guard) payMore(c *conn, bytes int) bool {
	g.mu.Lock()
	isPaid := !c.gone && g.pays(c.owner, bytes)
	if isPaid {
		c.held += bytes
	}
	g.mu.Unlock()
	if !isPaid {
		g.refuse(c, HeaderMemory)
	}
	return isPaid
}

// refuse closes a connection, unless it is closed already.
func (g *Guard) refuse(c *conn, why Reason) {
	g.mu.Lock()
	isGone := c.gone
	if !isGone {
		g.remove(c)
	}
	g.mu.Unlock()
	if !isGone {
		victim{c, why}.end()
	}
}
