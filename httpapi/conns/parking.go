package conns

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
)

// Owner learns what happens to its parked connection. No lock of the guard is held.
type Owner interface {
	// Writable says that the connection takes more again, after a Write that it did not take
	// as a whole. That may be before Write has returned.
	Writable()
	// Gone says that the client has closed its half of the connection, that the connection is
	// broken, or that the guard stops. The error says why it is broken. It is nil otherwise.
	Gone(why error)
}

// Parked is a connection that was taken away from net/http. It has no goroutine and never
// blocks. One goroutine at a time may call its methods.
type Parked struct {
	// set once
	conn  *conn
	owner Owner
	lot   *lot
	id    uint64 // never used again, unlike a file descriptor

	writer
}

// writer writes what a connection takes at once. One goroutine at a time may use it.
type writer struct {
	// set once
	raw      syscall.RawConn
	tryWrite func(descriptor uintptr) bool // writeTo

	// of the write under way
	text   []byte
	taken  int
	failed error
}

// write returns how much the connection has taken. It never blocks.
func (w *writer) write(text []byte) (int, error) {
	w.text = text
	err := w.raw.Write(w.tryWrite)
	n, failed := w.taken, w.failed
	w.text, w.taken, w.failed = nil, 0, nil
	return n, errors.Join(err, failed)
}

// writeTo writes to a descriptor. It never waits, so it returns true: it is done.
func (w *writer) writeTo(descriptor uintptr) bool {
	w.taken, w.failed = writeAtOnce(descriptor, w.text)
	return true
}

// lot holds the connections that net/http does not have. It watches those that are parked or
// asleep.
type lot struct {
	watcher *watcher // set once

	mu       sync.Mutex // guards what follows; held for look-ups only
	parked   map[uint64]*Parked
	sleepers map[uint64]*conn
	plain    map[*plainConn]struct{}
	lastID   uint64
	closed   bool

	answering sync.WaitGroup // the goroutines of plain
}

// CanPark reports whether Park takes the connection of a request. Nothing may be between the
// handler and the descriptor that would miss, or would change, what is written: no TLS, no
// HTTP/2, no other type of connection. The answer must have the method Hijack (see
// [http.ResponseController]), and the request no body. [Guard.Run] must be running, on a
// system on which the guard can watch connections.
func (g *Guard) CanPark(w http.ResponseWriter, r *http.Request) bool {
	c, isOurs := r.Context().Value(contextKey{}).(*conn)
	return isOurs && c.canBeWatched() && c.header.protocol == http1 && r.ContentLength == 0 && canHijack(w)
}

// descriptorOf returns what has the descriptor of a connection, or nil if that is not all
// that the connection is.
func descriptorOf(c *conn) syscall.Conn {
	switch own := bare(c.Conn).(type) {
	case *net.TCPConn:
		return own
	case *net.UnixConn:
		return own
	}
	return nil // another type may embed one of these, and write something else
}

// canHijack reports whether an answer has the method Hijack, as http.ResponseController
// looks for it.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch answer := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = answer.Unwrap()
		default:
			return false
		}
	}
}

// errClosed: the guard has stopped.
var errClosed = errors.New("conns: the guard has stopped")

// Park takes the connection of a request away from net/http, and watches it for its owner.
// What the client sends from now on is not read. The handler must return without writing.
func (g *Guard) Park(w http.ResponseWriter, r *http.Request, owner Owner) (*Parked, error) {
	c, l := r.Context().Value(contextKey{}).(*conn), g.lot.Load()
	if l == nil {
		return nil, errClosed
	}
	raw, err := descriptorOf(c).SyscallConn()
	if err != nil {
		return nil, err
	}
	if _, _, err = http.NewResponseController(w).Hijack(); err != nil {
		return nil, err
	}
	p := &Parked{conn: c, owner: owner, lot: l, writer: writer{raw: raw}}
	p.tryWrite = p.writeTo
	g.mu.Lock()
	if !c.gone {
		g.lighten(c)
	}
	g.mu.Unlock()
	if err := l.add(p); err != nil {
		_ = c.Close() // an error means that it is closed already
		return nil, err
	}
	return p, nil
}

// Write writes as much as the connection takes at once. If that is less than the whole text
// and there is no error, Writable of the owner is called later.
func (p *Parked) Write(text []byte) (int, error) {
	n, err := p.write(text)
	if err == nil && n < len(text) {
		err = p.lot.watcher.watch(p.raw, p.id, ending|writable)
	}
	return n, err
}

// Close closes the connection. What was written may still arrive.
func (p *Parked) Close() {
	p.lot.remove(p)
	_ = p.conn.Close() // an error means that it is closed already
}

// events are what may happen to a connection.
type events uint8

const (
	readable events = 1 << iota // there is something to read
	writable                    // the connection takes more
	ending                      // the client has closed its half of the connection, or it is broken
)

// add begins to watch a parked connection.
func (l *lot) add(p *Parked) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errClosed
	}
	l.lastID++
	p.id = l.lastID
	l.parked[p.id] = p
	l.mu.Unlock()
	if err := l.watcher.add(p.raw, p.id, ending); err != nil {
		l.remove(p)
		return err
	}
	return nil
}

func (l *lot) remove(p *Parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.parked, p.id)
}

// tell says what has happened to a connection.
func (l *lot) tell(id uint64, what events) {
	l.mu.Lock()
	p, c := l.parked[id], l.sleepers[id]
	delete(l.sleepers, id)
	l.mu.Unlock()
	switch {
	case p != nil && what&ending != 0:
		p.owner.Gone(errorOf(p.raw))
	case p != nil:
		if err := l.watcher.watch(p.raw, id, ending); err != nil {
			p.owner.Gone(err)
			return
		}
		p.owner.Writable()
	case c != nil && what&readable != 0 && l.unwatch(c) == nil:
		c.guard.wake(c)
	case c != nil:
		c.guard.endSleeping(c)
	}
}

// addSleeper begins to watch a connection that sleeps.
func (l *lot) addSleeper(c *conn) (id uint64, err error) {
	raw, err := descriptorOf(c).SyscallConn()
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return 0, errClosed
	}
	l.lastID++
	id = l.lastID
	l.sleepers[id] = c
	l.mu.Unlock()
	if err := l.watcher.add(raw, id, readable); err != nil {
		l.forgetSleeper(id)
		return 0, err
	}
	return id, nil
}

func (l *lot) forgetSleeper(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sleepers, id)
}

// sleepersOf returns the connections of a listener that sleep, and forgets them.
func (l *lot) sleepersOf(home *listener) (all []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, c := range l.sleepers {
		if c.home == home {
			all = append(all, c)
			delete(l.sleepers, id)
		}
	}
	return all
}

// unwatch ends the watch over a connection that stays open.
func (l *lot) unwatch(c *conn) error {
	raw, err := descriptorOf(c).SyscallConn()
	if err != nil {
		return err
	}
	return l.watcher.remove(raw)
}

// watch watches connections until the watcher is closed. After that, no more connections
// are parked or fall asleep.
func (g *Guard) watch(l *lot) {
	l.watcher.run(l.tell)
	g.lot.Store(nil)
	l.mu.Lock()
	l.closed = true
	parked, asleep := slices.Collect(maps.Values(l.parked)), slices.Collect(maps.Values(l.sleepers))
	plain := slices.Collect(maps.Keys(l.plain))
	l.mu.Unlock()
	for _, p := range parked {
		p.owner.Gone(nil)
	}
	for _, c := range asleep {
		c.guard.endSleeping(c)
	}
	for _, p := range plain {
		_ = p.conn.Conn.Close() // an error means that it is closed already
		p.cancel()              // not before: the handler could still answer
	}
	l.answering.Wait()
}

// openLot makes the guard able to park connections, if the system allows it. The caller
// must call watch.
func (g *Guard) openLot() *lot {
	watcher, err := newWatcher()
	if err != nil {
		return nil // the connections keep their goroutines
	}
	l := &lot{watcher: watcher, parked: make(map[uint64]*Parked), sleepers: make(map[uint64]*conn), plain: make(map[*plainConn]struct{})}
	g.lot.Store(l)
	return l
}
