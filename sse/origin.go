package sse

import (
	"net/netip"
	"sync/atomic"
)

// origin is a network from which sockets were opened. A socket belongs to the network that
// opened it, also if it resumes from elsewhere.
type origin struct {
	// set once
	network netip.Prefix

	sockets int // living sockets; guarded by the hub's lock

	unsent atomic.Int64 // bytes of the events that its sockets caused and that are unsent in some outbox
}

// admits reports whether an event of this origin may wait in an outbox. The nil origin is
// the server's, which has no bound.
func (o *origin) admits(size int, limit int64) bool {
	return o == nil || limit == 0 || o.unsent.Load()+int64(size) <= limit
}

// Network returns the network from which a living socket was opened. It returns the zero
// Prefix if the socket has ended.
func (h *Hub) Network(socketID string) netip.Prefix {
	s := h.socket(socketID)
	if s == nil {
		return netip.Prefix{}
	}
	return s.origin.network
}

// countSocket counts one more living socket of a network. The hub's lock must be held.
func (h *Hub) countSocket(network netip.Prefix) *origin {
	o := h.originOf(network)
	o.sockets++
	return o
}

// originOf returns the origin of a network, and makes it if there is none. The hub's lock
// must be held.
func (h *Hub) originOf(network netip.Prefix) *origin {
	o := h.origins[network]
	if o == nil {
		o = &origin{network: network}
		h.origins[network] = o
	}
	return o
}

// uncountSocket counts one living socket less. The origin stays while events of its
// sockets are unsent: a network must not get a new share with a new socket. The hub's
// lock must be held.
func (h *Hub) uncountSocket(o *origin) {
	o.sockets--
	h.forgetOrigin(o)
}

// forgetOrigins forgets the origins that have neither sockets nor unsent events.
func (h *Hub) forgetOrigins() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.origins {
		h.forgetOrigin(o)
	}
}

// forgetOrigin forgets an origin that has neither sockets nor unsent events. The hub's lock
// must be held.
func (h *Hub) forgetOrigin(o *origin) {
	if o.sockets == 0 && o.unsent.Load() == 0 {
		delete(h.origins, o.network)
	}
}
