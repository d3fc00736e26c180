package conns

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
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

// sleepAfter is how long a connection is idle before it falls asleep. A client that posts
// often does not pay for waking.
const sleepAfter = 2 * time.Second

// sleepingCost is what a connection that sleeps or is parked costs, in bytes.
const sleepingCost = 1 << 10

// sleep is what a connection needs to fall asleep.
type sleep struct {
	mu       sync.Mutex // guards what follows
	isIdle   bool       // nothing of the next request has come
	reading  bool       // a read is under way
	isDrowsy bool       // that read is being interrupted
	isAsleep bool       // net/http believes that the connection has ended
	deadline time.Time  // of reads, as net/http has set it
}

// drowsy is an idle connection that may have to fall asleep.
type drowsy struct {
	conn  *conn
	since time.Duration // when it became idle
}

// canSleep reports whether net/http has a connection as the guard has given it, and speaks
// HTTP/1 with it. A connection that is only sometimes idle, as in HTTP/2, must stay.
func (c *conn) canSleep(connection net.Conn) bool {
	return connection == net.Conn(c) && c.header.protocol == http1 && descriptorOf(c) != nil && c.guard.lot.Load() != nil
}

// noteIdle notes that a connection has become idle and may have to fall asleep.
func (g *Guard) noteIdle(c *conn) {
	c.sleep.mu.Lock()
	c.sleep.isIdle = true
	c.sleep.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.gone && c.owner != nil {
		g.drowsy = append(g.drowsy, drowsy{c, c.since})
	}
}

// putToSleep makes the connections fall asleep that were idle for long enough.
func (g *Guard) putToSleep() {
	g.mu.Lock()
	enough := g.now() - sleepAfter
	count := 0
	for count < len(g.drowsy) && g.drowsy[count].since <= enough {
		count++
	}
	due := g.drowsy[:count]
	g.drowsy = g.drowsy[count:]
	if len(g.drowsy) == 0 {
		g.drowsy = nil
	}
	stillIdle := due[:0]
	for _, d := range due {
		if !d.conn.gone && d.conn.state == idle && d.conn.since == d.since {
			stillIdle = append(stillIdle, d)
		}
	}
	g.mu.Unlock()
	for _, d := range stillIdle {
		d.conn.interrupt()
	}
	clear(due)
}

// interrupt ends the read that waits for the next request, if there is one.
func (c *conn) interrupt() {
	c.sleep.mu.Lock()
	defer c.sleep.mu.Unlock()
	if c.sleep.isIdle && c.sleep.reading {
		c.sleep.isDrowsy = true
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // if it fails, the connection has ended
	}
}

// read reads, or falls asleep.
func (c *conn) read(p []byte) (int, error) {
	c.sleep.mu.Lock()
	c.sleep.reading = true
	c.sleep.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.sleep.mu.Lock()
	defer c.sleep.mu.Unlock()
	c.sleep.reading = false
	c.sleep.isIdle = c.sleep.isIdle && n == 0
	if !c.sleep.isDrowsy {
		return n, err
	}
	c.sleep.isDrowsy = false
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.sleep.isIdle, c.sleep.isAsleep = false, true
		return 0, io.EOF
	}
	_ = c.Conn.SetReadDeadline(c.sleep.deadline) // a request has come in this moment
	return n, err
}

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(at time.Time) error {
	c.sleep.mu.Lock()
	defer c.sleep.mu.Unlock()
	c.sleep.deadline = at
	return c.Conn.SetReadDeadline(at)
}

func (c *conn) isAsleep() bool {
	c.sleep.mu.Lock()
	defer c.sleep.mu.Unlock()
	return c.sleep.isAsleep
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
	if err != nil {
		_ = c.Conn.Close() // it cannot be watched, so it ends
		g.forget(c)
	}
}

// wake gives a connection back to net/http, because its next request comes.
func (g *Guard) wake(c *conn) {
	c.sleep.mu.Lock()
	c.sleep.isAsleep, c.sleep.deadline = false, time.Time{}
	_ = c.Conn.SetReadDeadline(time.Time{}) // if it fails, the first read fails, too
	c.sleep.mu.Unlock()

	g.mu.Lock()
	c.sleepID = 0
	isPaid := !c.gone && g.pays(c.owner, g.cost-sleepingCost)
	if isPaid {
		c.held += g.cost - sleepingCost
		g.take(c)
		g.put(c, idle) // at the end of the queue: it has just been used
	}
	g.mu.Unlock()
	if !isPaid {
		g.refuse(c, MadeRoom)
		return
	}
	c.home.acceptAgain(c)
}

// endSleeping closes a connection whose client has gone while it slept.
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
