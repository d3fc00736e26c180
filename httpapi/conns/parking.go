package conns

import (
	"errors"
	"net/http"
	"sync"
	"syscall"
)

// Owner is told what happens to its parked connection. No lock of the guard is held.
type Owner interface {
	// Writable says that the connection takes more again, after a Write that it did not take
	// as a whole.
	Writable()
	// Gone says that the client has closed its half of the connection, that the connection is
	// broken, or that the guard stops.
	Gone()
}

// Parked is a connection that was taken away from net/http. It has no goroutine and never
// blocks. One goroutine at a time may call its methods.
type Parked struct {
	// set once
	conn  *conn
	raw   syscall.RawConn
	owner Owner
	lot   *lot
	id    uint64 // never used again, unlike a file descriptor
	try   func(descriptor uintptr) bool

	// of the Write under way
	text   []byte
	taken  int
	failed error
}

// lot holds the parked connections, and watches them.
type lot struct {
	watcher *watcher // set once

	mu     sync.Mutex // guards what follows; held for look-ups only
	parked map[uint64]*Parked
	lastID uint64
	closed bool
}

// CanPark reports whether Park takes the connection of a request: it must be a connection
// of the guard, without TLS and HTTP/2, on a system on which the guard can watch it. And
// [Guard.Run] must be running.
func (g *Guard) CanPark(r *http.Request) bool {
	c, isOurs := r.Context().Value(contextKey{}).(*conn)
	if !isOurs || g.lot.Load() == nil || r.TLS != nil || r.ProtoMajor != 1 || r.ContentLength != 0 {
		return false
	}
	_, hasDescriptor := bare(c.Conn).(syscall.Conn)
	return hasDescriptor
}

// errClosed: the guard has stopped.
var errClosed = errors.New("conns: the guard has stopped")

// Park takes the connection of a request away from net/http, and watches it for its owner.
// What the client sends from now on is not read. The handler must return without writing.
func (g *Guard) Park(w http.ResponseWriter, r *http.Request, owner Owner) (*Parked, error) {
	c := r.Context().Value(contextKey{}).(*conn)
	raw, err := bare(c.Conn).(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	if _, _, err = http.NewResponseController(w).Hijack(); err != nil {
		return nil, err
	}
	p := &Parked{conn: c, raw: raw, owner: owner, lot: g.lot.Load()}
	p.try = p.writeTo
	if err := p.lot.add(p); err != nil {
		_ = c.Close() // an error means that it is closed already
		return nil, err
	}
	return p, nil
}

// Write writes as much as the connection takes at once. If that is less than the whole text
// and there is no error, Writable of the owner is called later.
func (p *Parked) Write(text []byte) (int, error) {
	p.text = text
	err := p.raw.Write(p.try)
	n, failed := p.taken, p.failed
	p.text, p.taken, p.failed = nil, 0, nil
	if err = errors.Join(err, failed); err == nil && n < len(text) {
		err = p.lot.watcher.watch(p, true)
	}
	return n, err
}

// writeTo writes to a descriptor. It never waits, so it returns true: it is done.
func (p *Parked) writeTo(descriptor uintptr) bool {
	p.taken, p.failed = writeAtOnce(descriptor, p.text)
	return true
}

// Close closes the connection. What was written may still arrive.
func (p *Parked) Close() {
	p.lot.remove(p)
	_ = p.conn.Close() // an error means that it is closed already
}

// add begins to watch a connection.
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
	if err := l.watcher.add(p); err != nil {
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

// tell tells an owner what has happened to its connection.
func (l *lot) tell(id uint64, isWritable, isGone bool) {
	l.mu.Lock()
	p := l.parked[id]
	l.mu.Unlock()
	switch {
	case p == nil: // its owner has closed it
	case isGone:
		p.owner.Gone()
	case isWritable:
		if p.lot.watcher.watch(p, false) == nil {
			p.owner.Writable()
		} else {
			p.owner.Gone()
		}
	}
}

// run watches the connections until stop is called.
func (l *lot) run() {
	l.watcher.run(l.tell)
	l.mu.Lock()
	l.closed = true
	left := make([]*Parked, 0, len(l.parked))
	for _, p := range l.parked {
		left = append(left, p)
	}
	l.mu.Unlock()
	for _, p := range left {
		p.owner.Gone()
	}
}

// openLot makes the guard able to park connections, if the system allows it. The goroutine
// of run is the caller's.
func (g *Guard) openLot() *lot {
	watcher, err := newWatcher()
	if err != nil {
		return nil // the connections keep their goroutines
	}
	l := &lot{watcher: watcher, parked: make(map[uint64]*Parked)}
	g.lot.Store(l)
	return l
}
