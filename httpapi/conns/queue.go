package conns

import "time"

// state is what a connection does.
type state uint8

const (
	fresh  state = iota // TLS handshake, or header of the first request
	active              // a request is under way, or it was hijacked
	idle                // waits for the next request
	states
)

// linking is a kind of queue. A connection is in one queue of each kind.
type linking uint8

const (
	amongAll linking = iota // the guard's queues
	amongOwn                // the owner's queues
	linkings
)

// link is a connection's place in a queue.
type link struct{ before, after *conn }

// queue holds connections in the order in which they entered their state. Its methods
// do not allocate. The guard's mu guards it.
type queue struct {
	link        linking // set once
	first, last *conn
	next        *conn // the first that nextBy has not returned yet
	count       int
}

func (q *queue) push(c *conn) {
	c.links[q.link] = link{before: q.last}
	if q.last != nil {
		q.last.links[q.link].after = c
	} else {
		q.first = c
	}
	if q.next == nil {
		q.next = c
	}
	q.last = c
	q.count++
}

func (q *queue) drop(c *conn) {
	at := &c.links[q.link]
	if q.next == c {
		q.next = at.after
	}
	if at.before != nil {
		at.before.links[q.link].after = at.after
	} else {
		q.first = at.after
	}
	if at.after != nil {
		at.after.links[q.link].before = at.before
	} else {
		q.last = at.before
	}
	*at = link{}
	q.count--
}

// nextBy returns the first connection that it has not returned yet, or nil if that entered
// its state after a time.
func (q *queue) nextBy(at time.Duration) *conn {
	c := q.next
	if c == nil || c.since > at {
		return nil
	}
	q.next = c.links[q.link].after
	return c
}
