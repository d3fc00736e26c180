package sse

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// Draining reports whether [Hub.Drain] was called.
func (h *Hub) Draining() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.draining
}

// Stopping returns a channel that is closed when [Hub.Drain] is called. It is for long
// responses that do not belong to a socket: Drain does not wait for them.
func (h *Hub) Stopping() <-chan struct{} { return h.stopping }

// Drain refuses new sockets and events from now on. Each reader writes what was accepted,
// then server-shutdown, and ends. Each server-shutdown has its own time after which the
// client must come back. A client that is owed something and has no reader may still come
// for it while its resume window lasts.
//
// Drain returns nil when there are no readers and no socket is owed anything. It returns
// the context's error if the context is done first. Call it once, while [Hub.Run] runs.
//
// If the sockets outlive this process ([Options].Log or HandsOver), they accept events as before,
// and clients come for these to the process that goes on.
func (h *Hub) Drain(ctx context.Context) error {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	close(h.stopping)

	within := h.options.WriteTimeout
	if deadline, ok := ctx.Deadline(); ok {
		within = time.Until(deadline) // a slow client may use all of it: each write still has its own timeout
	}
	if h.options.HandsOver {
		within = min(within, lastWordTime) // all clients wait for the slowest. What it misses, it gets when it is back
	}
	sockets := h.snapshot(nil)
	for _, s := range sockets {
		s.seal(newServerShutdown(h.ReconnectAfter()), within)
	}
	h.Flush()
	return await(ctx, func() bool {
		return !h.isRead() && (h.outlives() || !slices.ContainsFunc(sockets, (*socket).isOwed))
	})
}

// AwaitUnread waits until nothing here reads a socket. [Hub.Shed] comes before it. The error is
// that of the context.
func (h *Hub) AwaitUnread(ctx context.Context) error {
	return await(ctx, func() bool { return !h.isRead() })
}

// await waits until something is so.
func await(ctx context.Context, isSo func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !isSo() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Shed ends all readers here, with a disconnected after which their clients come back soon, to
// another node. Their sockets live on.
func (h *Hub) Shed() {
	for _, s := range h.snapshot(nil) {
		s.mu.Lock()
		if s.reader != nil {
			s.reader.end(true, newDisconnected("draining", "", h.ReconnectAfter()), lastWordTime)
		}
		s.mu.Unlock()
	}
	h.Flush()
}

// isRead reports whether any reader is being served.
func (h *Hub) isRead() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.readers > 0
}

// ReconnectAfter returns when a client must come back that was sent away because this node
// stops or is out. If another process can take the client, that is before it counts as away.
func (h *Hub) ReconnectAfter() time.Duration {
	soon := h.options.AwayAfter / 2
	switch {
	case h.isReplicated():
		return rand.N(soon)
	case h.options.HandsOver: // the next process needs a moment to start, and some time for each client
		sockets, _, _ := h.Counts()
		return soon/4 + rand.N(min(time.Duration(1+sockets)*resumeTime, soon*3/4))
	}
	return ReconnectAfter()
}

// resumeTime is what a process may need for a client that comes back, with a TLS handshake.
const resumeTime = 200 * time.Microsecond

// ReconnectAfter returns a random time from 1 to 6 seconds. A client that was sent away
// waits for that long, so that not all clients come back at once.
func ReconnectAfter() time.Duration {
	return time.Second + rand.N(5*time.Second)
}
