package sse

import "net/http"

// Parking takes connections away from net/http, so that an idle stream needs no goroutine
// and no buffers. Any goroutine may call its methods at once.
type Parking interface {
	// CanPark reports whether Park takes the connection of a request. If it does not, the
	// stream of the request is served by the goroutine of its handler.
	CanPark(w http.ResponseWriter, r *http.Request) bool
	// Park takes the connection of a request away from net/http. Nothing has been written to
	// it. The handler returns soon after.
	Park(w http.ResponseWriter, r *http.Request, s Parkable) (Parked, error)
}

// Parked is a connection that never blocks. One goroutine at a time calls its methods.
type Parked interface {
	// Write writes as much as the connection takes at once. If that is less than the whole
	// text and there is no error, Writable of the Parkable is called: later, or even before
	// Write returns.
	Write(text []byte) (int, error)
	// Close closes the connection. What was written may still arrive.
	Close()
}

// Parkable is what has a parked connection. No lock of the hub is held by the caller.
type Parkable interface {
	// Writable says that the connection takes more again, after a Write that it did not take
	// as a whole.
	Writable()
	// Gone says that the client has closed the connection, or that the connection is broken.
	// The error says why it is broken. It is nil otherwise.
	Gone(why error)
}

// queueWrite makes the next [Hub.Flush] write what a link has. The socket's lock must be
// held.
func (h *Hub) queueWrite(l *link) {
	if !l.isQueued.CompareAndSwap(false, true) {
		return
	}
	for {
		first := h.queued.Load()
		l.queuedBefore = first
		if h.queued.CompareAndSwap(first, l) {
			return
		}
	}
}

// writeQueued writes a link that was taken out of its queue. From then on, another goroutine
// may queue it again.
func (l *link) writeQueued() {
	l.isQueued.Store(false)
	if l.held == nil {
		l.write()
		return
	}
	select {
	case l.held.wake <- struct{}{}:
	default: // it wakes anyway
	}
}

// Flush writes to the connections what was put into outboxes. A method that puts an
// event may be called with locks held, and no lock is held across a write to the network.
// So the caller of such a method calls Flush when it holds no lock. [Hub.Run] calls Flush
// too, but later. Flush never blocks, and any goroutine may call it.
//
// Events that are put into one outbox before Flush is called go into one write. While Run is
// running, all but the first few connections are left to the shared lanes. They also wake the
// handlers that hold a connection.
func (h *Hub) Flush() {
	if h.queued.Load() == nil {
		return
	}
	lanes := h.lanes.Load()
	l := h.queued.Swap(nil)
	for n := 0; l != nil; n++ {
		before := l.queuedBefore
		if lanes == nil || n < fewLinks && l.held == nil {
			l.writeQueued()
		} else {
			(*lanes)[n%len(*lanes)].put(l)
		}
		l = before
	}
}
