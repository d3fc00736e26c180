package sse

import (
	"net/http"
	"sync"
	"time"
)

// deadline bounds the writes to one connection: each by a time-out of its own,
// and, once they are hurried, all of them by a common limit.
type deadline struct {
	control *http.ResponseController // set once

	mu       sync.Mutex // guards what follows, and the deadline of the connection
	limit    time.Time  // no write may last longer than this, whatever its own time-out
	finished bool       // the connection is net/http's again
}

// set bounds the next write. A connection that knows no deadlines (in tests)
// does without.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.limit.IsZero() && (at.IsZero() || d.limit.Before(at)) {
		at = d.limit
	}
	d.control.SetWriteDeadline(at)
}

// hurry bounds the write under way, and all that follow, by a common limit. Any
// goroutine may call it.
func (d *deadline) hurry(limit time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished || !d.limit.IsZero() && d.limit.Before(limit) {
		return
	}
	d.limit = limit
	d.control.SetWriteDeadline(limit)
}

// finish gives the connection back to net/http, which is yet to write the
// response's end: it may take until then.
func (d *deadline) finish(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finished = true
	d.control.SetWriteDeadline(at)
}
