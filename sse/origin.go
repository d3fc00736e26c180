package sse

import (
	"net/netip"
	"sync/atomic"
)

// origin is a network from which sockets were opened. A socket belongs to the one
// that opened it, wherever it resumes.
type origin struct {
	// set once
	network netip.Prefix

	sockets int // that live; the hub's lock guards it

	unsent atomic.Int64 // bytes of events that its sockets caused and that wait somewhere
}

// admits reports whether an event of this origin may wait. The nil origin, the
// server's own, has no bound.
func (o *origin) admits(size int, limit int64) bool {
	return o == nil || limit == 0 || o.unsent.Load()+int64(size) <= limit
}

// Network returns the network from which a living socket was opened.
func (h *Hub) Network(socketID string) netip.Prefix {
	s := h.socket(socketID)
	if s == nil {
		return netip.Prefix{}
	}
	return s.origin.network
}

// join counts a socket more of a network. The hub's lock must be held.
func (h *Hub) join(network netip.Prefix) *origin {
	o := h.origins[network]
	if o == nil {
		o = &origin{network: network}
		h.origins[network] = o
	}
	o.sockets++
	return o
}

// part counts a socket less. The origin stays while something that its sockets sent
// still waits: a new socket must not come with a new share. The hub's lock must be
// held.
func (h *Hub) part(o *origin) {
	o.sockets--
	h.forgetOrigin(o)
}

// forgetOrigins forgets those of which nothing is left. It takes the hub's lock.
func (h *Hub) forgetOrigins() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.origins {
		h.forgetOrigin(o)
	}
}

func (h *Hub) forgetOrigin(o *origin) {
	if o.sockets == 0 && o.unsent.Load() == 0 {
		delete(h.origins, o.network)
	}
}
