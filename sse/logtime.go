package sse

import (
	"sync"
	"time"
)

// standsAfter is how long the log may bring nothing before its time stands still. While it
// works, each node says once a second that it lives.
const standsAfter = 2 * time.Second

// logTime goes on while the log does. By it the hub measures how long nothing has read a
// socket: while nothing can be appended, no client can come back, so no window may run out.
type logTime struct {
	mu      sync.Mutex    // guards what follows
	counted time.Duration // until heard
	heard   time.Duration // by the hub's clock: when the log has last brought something
}

// Heard notes that the log has brought a record. The owner of the log calls it before it applies
// the record.
func (h *Hub) Heard() {
	t := &h.logTime
	t.mu.Lock()
	defer t.mu.Unlock()
	now := h.clock()
	t.counted += min(now-t.heard, standsAfter)
	t.heard = now
}

// unreadClock returns the time by which the hub measures how long nothing has read a socket, and
// whether that time stands still.
func (h *Hub) unreadClock() (now time.Duration, stands bool) {
	if !h.isReplicated() {
		return h.clock(), false
	}
	t := &h.logTime
	t.mu.Lock()
	defer t.mu.Unlock()
	silent := h.clock() - t.heard
	return t.counted + min(silent, standsAfter), silent >= standsAfter
}
