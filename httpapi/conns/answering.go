package conns

import (
	"bytes"
	"context"
	"errors"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The guard answers plain requests itself: see readPlain. It calls the same handler, but does
// without what net/http does for each request: a second goroutine that watches the client,
// deadlines, and buffers that wait, too. For a small event, all that takes more processor time
// than the event.
//
// A connection begins with a goroutine of the guard, which waits for plain requests. When
// something else comes, net/http gets the connection with all that was read of it, and judges
// alone. It keeps the connection until that falls asleep. When the connection wakes, it begins
// anew.

// restTimeout is how long a plain request may take behind its header. Then net/http gets it.
// Only tests change it.
var restTimeout = 250 * time.Millisecond

// plainServer says how the plain requests of a listener are answered.
type plainServer struct {
	// set once
	http    *http.Server
	targets map[string]string // by their request lines
	base    func() context.Context
}

// ListenFor is [Guard.Listen] for an http.Server, which must serve the listener. The guard
// itself answers small POSTs to the targets, which are paths without a query. It calls the
// server's Handler as the server would. The context of such a request does not end when the
// client goes, so the handler must answer soon.
//
// Call [Guard.Shutdown] after http.Server.Shutdown, which does not know these requests.
func (g *Guard) ListenFor(l net.Listener, server *http.Server, targets ...string) net.Listener {
	plain := &plainServer{http: server, targets: byRequestLine(targets)}
	plain.base = sync.OnceValue(func() context.Context {
		ctx := context.Background()
		if server.BaseContext != nil {
			ctx = server.BaseContext(l)
		}
		return context.WithValue(ctx, http.ServerContextKey, server)
	})
	return g.listen(l, plain)
}

// Shutdown waits until the requests that the guard itself answers are answered, or until ctx
// is done. Then it returns the error of ctx. The listeners must be closed.
func (g *Guard) Shutdown(ctx context.Context) error {
	const lookEvery = 5 * time.Millisecond
	for l := g.lot.Load(); l != nil && len(l.allPlain()) > 0; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// plainConn is a connection that has a goroutine of the guard. Only that goroutine uses it.
type plainConn struct {
	// set once
	conn    *conn
	server  *plainServer
	lot     *lot
	ctx     context.Context
	cancel  context.CancelFunc
	tryRead func(descriptor uintptr) bool
	shared  *http.Request // has what all requests of the connection have in common

	writer

	hasRead     bool // behind a PROXY header
	hasAnswered bool

	// of the request under way
	buffers *buffers
	read    []byte // a part of buffers
}

// buffers hold a request and its answer. A connection that waits has none. Handlers get copies
// of the request, and the answer forgets its buffers. So buffers are used again.
type buffers struct {
	request    [maxPlain]byte
	head, body bytes.Buffer // of the answer
}

var allBuffers = sync.Pool{New: func() any { return new(buffers) }}

// free gives back what a request took.
func (b *buffers) free() {
	b.head.Reset()
	b.body.Reset()
	if b.head.Cap()+b.body.Cap() <= 2*maxPlain {
		allBuffers.Put(b)
	}
}

// begin gives a connection a goroutine of the guard. It returns false if it cannot: then
// net/http must have the connection.
func (s *plainServer) begin(c *conn) bool {
	l, own := c.guard.lot.Load(), descriptorOf(c)
	if l == nil || own == nil {
		return false
	}
	raw, err := own.SyscallConn()
	if err != nil {
		return false
	}
	ctx := s.base()
	if s.http.ConnContext != nil {
		ctx = s.http.ConnContext(ctx, c)
	}
	p := &plainConn{conn: c, server: s, lot: l, writer: writer{raw: raw}}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.tryRead, p.tryWrite = p.readFrom, p.writeTo
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		p.cancel()
		return false
	}
	l.plain[p] = struct{}{}
	l.answering.Go(p.run)
	return true
}

func (l *lot) answered(p *plainConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.plain, p)
}

func (l *lot) allPlain() []*plainConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.plain))
}

// interruptAnswering ends the connections of a listener that wait for a request. The others
// end with their answers.
func (l *lot) interruptAnswering(home *listener) {
	for _, p := range l.allPlain() {
		if p.conn.home == home {
			p.conn.interrupt()
		}
	}
}

// outcome is what becomes of a connection.
type outcome uint8

const (
	ends   outcome = iota
	stays          // another plain request may come
	sleeps         // it falls asleep
	moves          // net/http gets it
)

// run answers plain requests for as long as they come.
func (p *plainConn) run() {
	c, becomes := p.conn, stays
	defer func() {
		c.sleep.stage.Store(busy)
		p.cancel()
		p.lot.answered(p)
		switch becomes {
		case sleeps:
			c.sleep.turn(asleep)
			c.guard.fallAsleep(c)
		case moves:
			c.home.acceptAgain(c)
		default: // it ends, or the handler ends this goroutine
			_ = c.Close() // an error means that it is closed already
		}
	}()
	c.sleep.stage.Store(waits)
	for becomes == stays {
		becomes = p.next()
	}
}

// next waits for a request and answers it, if it is plain.
func (p *plainConn) next() outcome {
	if becomes := p.wait(); becomes != stays {
		return becomes
	}
	defer p.forget()
	if p.hasAnswered {
		// Some clients send line ends behind a body (RFC 9112, 2.2). net/http takes four of them.
		if rest := bytes.TrimLeft(p.read, "\r\n"); len(p.read)-len(rest) <= 4 {
			p.read = rest
		}
	}
	if len(p.read) == 0 {
		return stays
	}
	if limit := p.server.http.MaxHeaderBytes; limit == 0 || len(p.read) <= limit {
		if x := readPlain(p.read, p.shared, p.server.targets); x != nil {
			p.conn.guard.enter(p.conn, active)
			if p.complete(x.size()) {
				x.setBody(p.read)
				return p.answer(x)
			}
		}
	}
	p.conn.unread = bytes.Clone(p.read)
	return moves
}

// complete reads the rest of a request: browsers send a body behind its header. It returns
// false if the rest does not come soon, or something comes behind it.
func (p *plainConn) complete(size int) bool {
	if len(p.read) == size {
		return true
	}
	_ = p.conn.Conn.SetReadDeadline(time.Now().Add(restTimeout)) // if it fails, the read fails, too
	for before := -1; len(p.read) < size && len(p.read) > before; {
		before = len(p.read)
		_ = p.raw.Read(p.tryRead) // after an error there is not more than before
	}
	_ = p.conn.Conn.SetReadDeadline(time.Time{})
	return len(p.read) == size
}

// wait waits for what the client sends next, or falls asleep.
func (p *plainConn) wait() outcome {
	c := p.conn
	c.sleep.turn(dozes)
	if c.home.isClosed() {
		return ends
	}
	if p.shared == nil {
		ctx := context.WithValue(p.ctx, http.LocalAddrContextKey, c.LocalAddr())
		p.shared = (&http.Request{RemoteAddr: c.RemoteAddr().String()}).WithContext(ctx) // may wait for a PROXY header
	}
	err := p.receive()
	isDrowsy := c.sleep.turn(awake) == drowsy
	if p.buffers == nil {
		if isDrowsy && errors.Is(err, os.ErrDeadlineExceeded) {
			return sleeps
		}
		return ends
	}
	if isDrowsy {
		_ = c.Conn.SetReadDeadline(time.Time{}) // a request has come in this moment
	}
	return stays
}

// receive reads what the client sends next. At the end of the connection it reads nothing.
func (p *plainConn) receive() error {
	if _, isProxied := p.conn.Conn.(*proxied); isProxied && !p.hasRead {
		p.hasRead = true // the reader of the PROXY header may have read more, but not all
		if _, err := p.fill(p.conn.Conn.Read); err != nil {
			return err
		}
		return p.raw.Control(func(descriptor uintptr) { p.readFrom(descriptor) })
	}
	return p.raw.Read(p.tryRead)
}

// readFrom reads from a descriptor. It returns false if it has to wait for more.
func (p *plainConn) readFrom(descriptor uintptr) (done bool) {
	n, err := p.fill(func(b []byte) (int, error) { return readAtOnce(descriptor, b) })
	return n > 0 || err != nil
}

// fill reads more of a request into its buffers. It keeps none if nothing has come.
func (p *plainConn) fill(read func([]byte) (int, error)) (n int, err error) {
	if p.buffers == nil {
		p.buffers = allBuffers.Get().(*buffers)
		p.read = p.buffers.request[:0]
	}
	n, err = read(p.read[len(p.read):cap(p.read)])
	if p.read = p.read[:len(p.read)+n]; len(p.read) == 0 {
		p.forget()
	}
	return n, err
}

// forget forgets the request under way.
func (p *plainConn) forget() {
	p.buffers.free()
	p.buffers, p.read = nil, nil
}

// answer answers a plain request.
func (p *plainConn) answer(x *exchange) outcome {
	c, a := p.conn, &x.answer
	a.home, a.header, a.head, a.body = c.home, make(http.Header, 8), &p.buffers.head, &p.buffers.body
	defer x.forget()
	if !p.serve(x) || p.send(a.finish(), a.deadline) != nil || a.isLast {
		return ends
	}
	p.hasAnswered = true
	c.guard.enter(c, idle)
	return stays
}

// serve calls the handler. It returns false if that panics: then there is no answer.
func (p *plainConn) serve(x *exchange) (isAnswered bool) {
	server := p.server.http
	defer func() {
		why := recover()
		if why == nil || why == http.ErrAbortHandler {
			return
		}
		stack := make([]byte, 64<<10)
		stack = stack[:runtime.Stack(stack, false)]
		logf := log.Printf
		if server.ErrorLog != nil {
			logf = server.ErrorLog.Printf
		}
		logf("http: panic serving %v: %v\n%s", x.request.RemoteAddr, why, stack) // as net/http writes it
	}()
	handler := server.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	handler.ServeHTTP(&x.answer, &x.request)
	return true
}

// send sends an answer. The kernel takes nearly all of them at once, so they need no deadline.
func (p *plainConn) send(text []byte, deadline time.Time) error {
	n, err := p.write(text)
	if err != nil || n == len(text) {
		return err
	}
	if timeout := p.server.http.WriteTimeout; deadline.IsZero() && timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	_ = p.conn.SetWriteDeadline(deadline) // if it fails, Write fails, too
	_, err = p.conn.Write(text[n:])
	_ = p.conn.SetWriteDeadline(time.Time{})
	return err
}
