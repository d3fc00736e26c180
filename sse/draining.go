package sse

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// Draining tells whether [Hub.Drain] was called.
func (h *Hub) Draining() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.draining
}

// Stopping is closed when [Hub.Drain] is called. It is for what lasts long and
// is no socket's: the hub waits for its own readers alone.
func (h *Hub) Stopping() <-chan struct{} { return h.stopping }

// Drain refuses new sockets and events from now on. Every reader writes what was
// accepted, then server-shutdown with a time of its own to come back after, and
// ends. A client that is owed something and has no reader may still come for it,
// while its resume window lasts. Drain returns when nobody reads or is owed
// anything, or with the context's error when that is done first. It is called
// once, while [Hub.Run] runs.
func (h *Hub) Drain(ctx context.Context) error {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	close(h.stopping)

	within := h.options.WriteTimeout
	if deadline, ok := ctx.Deadline(); ok {
		within = time.Until(deadline) // who reads slowly may use all of it; each write has its own bound
	}
	sockets := h.snapshot(nil)
	for _, s := range sockets {
		s.seal(newServerShutdown(ReconnectAfter()), within)
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for h.isRead() || slices.ContainsFunc(sockets, (*socket).isOwed) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (h *Hub) isRead() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.readers > 0
}

// ReconnectAfter draws how long a client that was sent away is to wait: 1 to 6
// seconds, so that not all come back at once.
func ReconnectAfter() time.Duration {
	return time.Second + rand.N(5*time.Second)
}
