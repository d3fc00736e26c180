package conns

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// listener is a listener that counts its connections. It accepts a connection once more when
// it wakes.
type listener struct {
	// set once
	net.Listener
	guard    *Guard
	plain    *plainServer  // nil: net/http answers all requests
	accepted chan accepted // new connections
	closed   chan struct{}

	end       sync.Once      // closes closed
	accepting sync.WaitGroup // acceptNew

	mu    sync.Mutex    // guards woken
	woken []*conn       // connections to accept again
	awoke chan struct{} // holds a value when woken is not empty
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case a := <-l.accepted:
			return a.conn, a.err
		case <-l.awoke:
			if c := l.nextWoken(); c != nil {
				return c, nil
			}
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close implements [net.Listener]. It ends the connections that sleep: http.Server.Shutdown
// closes all idle connections, but does not know these.
func (l *listener) Close() error {
	l.end.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	l.accepting.Wait()
	if lot := l.guard.lot.Load(); lot != nil {
		for _, c := range lot.sleepersOf(l) {
			l.guard.endSleeping(c)
		}
		lot.interruptAnswering(l)
	}
	for c := l.nextWoken(); c != nil; c = l.nextWoken() {
		_ = c.Close() // an error means that it is closed already
	}
	return err
}

func (l *listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// acceptNew accepts new connections until the listener is closed.
func (l *listener) acceptNew() {
	for {
		c, err := l.acceptOne()
		a := accepted{err: err}
		if c != nil {
			if l.plain != nil && l.plain.begin(c) {
				continue
			}
			a.conn = c
		}
		select {
		case l.accepted <- a:
		case <-l.closed:
			if c != nil {
				_ = c.Close() // nobody has used it
			}
			return
		}
	}
}

// acceptOne accepts one connection for which the guard has room.
func (l *listener) acceptOne() (*conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) {
				l.guard.relieve() // files and other connections took more descriptors than expected
			}
			return nil, err
		}
		if counted := l.guard.admit(c, l); counted != nil {
			return counted, nil
		}
	}
}

// serve serves a connection that has woken. It never blocks.
func (l *listener) serve(c *conn) {
	if l.plain == nil || !l.plain.begin(c) {
		l.acceptAgain(c)
	}
}

// acceptAgain makes Accept return a connection that net/http does not have, or not any more. It never blocks.
func (l *listener) acceptAgain(c *conn) {
	l.mu.Lock()
	l.woken = append(l.woken, c)
	l.mu.Unlock()
	l.tellAwoke()
	if !l.isClosed() {
		return
	}
	if c := l.nextWoken(); c != nil { // Close may have looked before
		_ = c.Close() // an error means that it is closed already
	}
}

func (l *listener) tellAwoke() {
	select {
	case l.awoke <- struct{}{}:
	default: // a value waits already
	}
}

// nextWoken returns a connection that has woken, or nil.
func (l *listener) nextWoken() *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.woken) == 0 {
		l.woken = nil
		return nil
	}
	c := l.woken[0]
	if l.woken = l.woken[1:]; len(l.woken) > 0 {
		l.tellAwoke()
	}
	return c
}
