package sse

import (
	"context"
	"math/rand/v2"
	"time"
)

// Draining tells whether [Hub.Drain] was called.
func (h *Hub) Draining() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.draining
}

// Drain refuses new streams and events from now on. Every stream writes what
// was accepted, then server-shutdown with a time of its own to come back
// after, and ends. Drain returns when the last is gone, or with the context's
// error when that is done first. It is called once.
func (h *Hub) Drain(ctx context.Context) error {
	h.mu.Lock()
	h.draining = true
	if h.streams == 0 {
		close(h.drained)
	}
	h.mu.Unlock()

	within := h.options.WriteTimeout
	if deadline, ok := ctx.Deadline(); ok {
		within = time.Until(deadline) // who reads slowly may use all of it; each write has its own bound
	}
	for _, s := range h.snapshot(nil) {
		s.seal(newServerShutdown(ReconnectAfter()), within)
	}
	select {
	case <-h.drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReconnectAfter draws how long a client that was sent away is to wait: 1 to 6
// seconds, so that not all come back at once.
func ReconnectAfter() time.Duration {
	return time.Second + rand.N(5*time.Second)
}
