package conns

// state is what a connection does.
type state uint8

const (
	fresh  state = iota // TLS handshake, or header of the first request
	active              // a request is under way, or it was hijacked
	idle                // waits for the next request
	states
)

// linking is a kind of queue. A connection stands in one queue of each kind.
type linking uint8

const (
	amongAll linking = iota
	amongOwn
	linkings
)

type link struct{ before, after *conn }

// queue holds connections in the order in which they entered their state. No
// change of it allocates.
type queue struct {
	link        linking // set once
	first, last *conn
	count       int
}

func (q *queue) push(c *conn) {
	c.links[q.link] = link{before: q.last}
	if q.last != nil {
		q.last.links[q.link].after = c
	} else {
		q.first = c
	}
	q.last = c
	q.count++
}

func (q *queue) drop(c *conn) {
	at := &c.links[q.link]
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
