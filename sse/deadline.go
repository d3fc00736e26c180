package sse

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// deadline bounds the writes to one connection. Each write has a timeout of its own. After
// hurry, a common limit bounds all of them as well.
type deadline struct {
	control *http.ResponseController // set once

	mu       sync.Mutex // guards what follows, and the deadline of the connection
	limit    time.Time  // when every write must have ended; zero: each has only its own timeout
	finished bool       // the connection belongs to net/http again
}

// set bounds the next write. It does nothing if the connection has no deadlines, as in
// some tests.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.limit.IsZero() && (at.IsZero() || d.limit.Before(at)) {
		at = d.limit
	}
	d.control.SetWriteDeadline(at)
}

// hurry bounds the write under way, and all that follow, by a common limit. If there is
// a limit already, the earlier of the two holds. Any goroutine may call it.
func (d *deadline) hurry(limit time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished || !d.limit.IsZero() && d.limit.Before(limit) {
		return
	}
	d.limit = limit
	d.control.SetWriteDeadline(limit)
}

// finish gives the connection back to net/http, with a deadline for the end of the
// response.
func (d *deadline) finish(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finished = true
	d.control.SetWriteDeadline(at)
}

// hasTimedOut reports whether a write failed because the connection took nothing for too
// long. The write's own deadline may say so, or the kernel (RFC 5482): it began to count
// when the client's window closed, and the write when the kernel's buffer was full.
func hasTimedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT)
}
