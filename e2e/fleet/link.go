package fleet

import (
	"net"
	"sync"
	"time"
)

// Link passes TCP connections on from one process to another. A link that is cut holds up all
// that is sent, and neither end hears of it, as in a network that drops every packet. When it
// is mended, what was held up goes on. Any goroutine may call its methods.
type Link struct {
	// set once
	From, To *Process
	Address  string // where From connects to
	to       string
	listener net.Listener
	running  sync.WaitGroup
	closed   chan struct{}

	mu     sync.Mutex    // guards what follows
	mended chan struct{} // closed unless the link is cut
	delay  time.Duration
	open   map[net.Conn]bool // nil: the link is closed
}

// Links are several links.
type Links []*Link

// Cut cuts all of them.
func (all Links) Cut() {
	for _, l := range all {
		l.cut()
	}
}

// Mend mends all of them. None is slow any more.
func (all Links) Mend() {
	for _, l := range all {
		l.mend()
	}
}

// Slow lets everything come late, in each direction.
func (all Links) Slow(by time.Duration) {
	for _, l := range all {
		l.mu.Lock()
		l.delay = by
		l.mu.Unlock()
	}
}

func openLink(from, to *Process, address string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{
		From: from, To: to, Address: listener.Addr().String(), to: address, listener: listener,
		closed: make(chan struct{}), mended: make(chan struct{}), open: make(map[net.Conn]bool),
	}
	close(l.mended)
	l.running.Go(l.accept) // ends with the listener
	return l, nil
}

func (l *Link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.mended:
		l.mended = make(chan struct{})
	default: // it is cut already
	}
}

func (l *Link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = 0
	select {
	case <-l.mended:
	default:
		close(l.mended)
	}
}

// close ends the link and all its connections.
func (l *Link) close() {
	l.listener.Close()
	l.mu.Lock()
	for c := range l.open {
		c.Close()
	}
	l.open = nil
	l.mu.Unlock()
	close(l.closed)
	l.running.Wait()
}

func (l *Link) accept() {
	for {
		from, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.pass(from) }) // ends with the connection, or with the link
	}
}

// pass copies in both directions until both have ended.
func (l *Link) pass(from net.Conn) {
	defer from.Close()
	if _, isOpen := l.due(); !isOpen {
		return
	}
	to, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer to.Close()
	if !l.add(from, to) {
		return
	}
	defer l.forget(from, to)
	var copying sync.WaitGroup
	copying.Go(func() { l.copy(to, from) })
	copying.Go(func() { l.copy(from, to) })
	copying.Wait()
}

// part is what one read gave.
type part struct {
	bytes []byte
	due   time.Time
}

// copy copies one direction. When either end is gone, so is the connection.
func (l *Link) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	late := make(chan part, 256) // a slow link carries as much as a quick one
	var writing sync.WaitGroup
	defer writing.Wait()
	defer close(late)
	writing.Go(func() { // ends with late
		for p := range late {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				from.Close() // what follows is read to its end, and dropped
			}
		}
	})
	for buffer := make([]byte, 32<<10); ; {
		n, err := from.Read(buffer)
		due, isOpen := l.due()
		if !isOpen {
			return
		}
		if n > 0 {
			late <- part{append([]byte(nil), buffer[:n]...), due}
		}
		if err != nil {
			return
		}
	}
}

// due waits until the link is mended, and returns when what passes now arrives. It is not open
// if the link is closed.
func (l *Link) due() (at time.Time, isOpen bool) {
	l.mu.Lock()
	mended := l.mended
	l.mu.Unlock()
	select {
	case <-mended:
	case <-l.closed:
		return time.Time{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Add(l.delay), true
}

// add notes connections, unless the link is closed.
func (l *Link) add(all ...net.Conn) (added bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return false
	}
	for _, c := range all {
		l.open[c] = true
	}
	return true
}

func (l *Link) forget(all ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range all {
		delete(l.open, c)
	}
}
