package conns

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A connection that waits for its next request falls asleep: net/http forgets it, with its
// goroutine and its buffers, and the guard watches it. When the next request comes, the
// listener accepts the connection once more. Neither the client nor net/http notices more
// than that.
//
// It goes like this. The guard interrupts the read in which net/http waits. Read says that the
// connection has ended, and Close does nothing. When net/http reports that it has closed the
// connection, the guard begins to watch it.
//
// Nothing is lost. What comes meanwhile stays in the kernel, and wakes the connection at once.
// And net/http holds no byte of the next request, as two signs say together. It has set one
// deadline since it reported the connection as idle, that of its wait: it sets the next when a
// request begins. And it asks for as much as its buffer holds, so that buffer is empty. If
// another version of Go gives other signs, TestAConnectionWithTheBeginningOfARequestStaysAwake
// fails, or no connection falls asleep.

// sleepAfter is how long a connection is idle before it falls asleep. A client that posts
// often does not pay for waking.
const sleepAfter = 2 * time.Second

// sleepingCost is what a connection that sleeps or is parked costs, in bytes.
const sleepingCost = 1 << 10

// wholeBuffer is how much net/http asks for when its buffer is empty. If it asks for less,
// it has a part of the next request, and must not forget that.
const wholeBuffer = 4 << 10

// sleep is what a connection needs to fall asleep.
type sleep struct {
	stage    atomic.Uint32 // of what net/http does between two requests
	deadline time.Time     // of the wait for the next request; only the goroutine that waits uses it

	mu    sync.Mutex // guards what follows
	depth depth
}

// The stages. net/http sets one deadline before it waits for the next request, and another
// when it has the first bytes of that request.
const (
	busy     uint32 = iota
	answered        // net/http has reported that the connection is idle
	waits           // it has set the deadline, so the next read waits for the next request
)

// depth is how far a connection is asleep.
type depth uint8

const (
	awake  depth = iota
	dozes        // a read waits for the next request
	drowsy       // that read is being interrupted
	asleep       // net/http believes that the connection has ended
)

// isHTTP1 reports whether net/http has a connection as the guard has given it, and speaks
// HTTP/1 with it. A connection that is only sometimes idle, as in HTTP/2, must stay.
func (c *conn) isHTTP1(connection net.Conn) bool {
	_, isDecrypted := connection.(decrypted)
	return isDecrypted || connection == net.Conn(c) && c.header.protocol == http1
}

// canBeWatched reports whether the guard can watch a connection. Nothing may be between net/http
// and its descriptor.
func (c *conn) canBeWatched() bool {
	return !c.isCovered && descriptorOf(c) != nil && c.guard.lot.Load() != nil
}

// putToSleep makes the connections fall asleep that were idle for a time.
func (g *Guard) putToSleep(after time.Duration) {
	g.mu.Lock()
	var tired []*conn
	enough := g.now() - after
	for c := g.queues[idle].nextBy(enough); c != nil; c = g.queues[idle].nextBy(enough) {
		if c.sleep.stage.Load() == waits {
			tired = append(tired, c)
		}
	}
	g.mu.Unlock()
	for _, c := range tired {
		c.interrupt()
	}
}

// interrupt ends the read that waits for the next request, if there is one.
func (c *conn) interrupt() {
	c.sleep.mu.Lock()
	defer c.sleep.mu.Unlock()
	if c.sleep.depth == dozes {
		c.sleep.depth = drowsy
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // if it fails, the connection has ended
	}
}

// SetReadDeadline implements [net.Conn]. It finds out when net/http waits for a request.
func (c *conn) SetReadDeadline(at time.Time) error {
	switch c.sleep.stage.Load() {
	case answered:
		c.sleep.deadline = at
		c.sleep.stage.Store(waits)
	case waits:
		c.sleep.stage.Store(busy)
	}
	return c.Conn.SetReadDeadline(at)
}

// read reads, or falls asleep.
func (c *conn) read(p []byte) (int, error) {
	if len(p) < wholeBuffer || c.sleep.stage.Load() != waits || !c.canBeWatched() {
		return c.readUnread(p)
	}
	c.sleep.turn(dozes)
	n, err := c.readUnread(p)
	if c.sleep.turn(awake) != drowsy {
		return n, err
	}
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.sleep.stage.Store(busy)
		c.sleep.turn(asleep)
		return 0, io.EOF
	}
	_ = c.Conn.SetReadDeadline(c.sleep.deadline) // a request has come in this moment
	return n, err
}

// turn changes how far a connection is asleep, and returns how far it was.
func (s *sleep) turn(to depth) (before depth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.depth = s.depth, to
	return before
}

func (c *conn) isAsleep() bool {
	c.sleep.mu.Lock()
	defer c.sleep.mu.Unlock()
	return c.sleep.depth == asleep
}

// fallAsleep begins to watch a connection that net/http has forgotten.
func (g *Guard) fallAsleep(c *conn) {
	g.mu.Lock()
	if c.gone {
		g.mu.Unlock()
		return
	}
	err := errClosed
	if l := g.lot.Load(); l != nil {
		g.lighten(c)
		c.sleepID, err = l.addSleeper(c)
	}
	g.mu.Unlock()
	if err != nil || c.home.isClosed() {
		g.endSleeping(c)
	}
}

// wake gives a connection back to net/http, because its next request comes.
func (g *Guard) wake(c *conn) {
	_ = c.Conn.SetReadDeadline(time.Time{})                                        // if it fails, the first read fails, too
	c.header.protocol, c.header.preface, c.header.lines = unknown, 0, fieldLines{} // net/http begins anew, too
	c.sleep.turn(awake)
	var victims []victim
	isPaid := false
	g.mu.Lock()
	c.sleepID = 0
	if !c.gone {
		g.take(c)
		g.put(c, idle) // at the end of the queue: it has just been used
		victims = g.makeMemory()
		isPaid = !c.gone && g.pays(c.owner, g.cost-sleepingCost)
	}
	if isPaid {
		c.held += g.cost - sleepingCost
	}
	g.mu.Unlock()
	for _, v := range victims {
		v.end()
	}
	if !isPaid {
		g.refuse(c, HeaderMemory)
		return
	}
	c.home.serve(c)
}

// endSleeping closes a connection that sleeps: it cannot be watched, or nobody would accept
// it again.
func (g *Guard) endSleeping(c *conn) {
	_ = c.Conn.Close() // an error means that it is closed already
	g.forget(c)
}

// lighten charges a connection for less, because it sleeps or is parked. The guard's mu must
// be held.
func (g *Guard) lighten(c *conn) {
	saved := g.cost - sleepingCost
	g.giveBack(c, saved)
	c.held -= saved
}
