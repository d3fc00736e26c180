package limits

import "net/netip"

// Holding is what one request holds of its network's share of the bytes of requests
// under way. One goroutine owns it; the zero Holding has no bound.
type Holding struct {
	// set once
	limits  *Limits // nil: no bound
	network netip.Prefix

	bytes int
}

// Holding returns that of a request of a network, which holds nothing yet. Release
// must follow.
func (l *Limits) Holding(network netip.Prefix) Holding {
	if l.maxBytes == 0 {
		return Holding{}
	}
	return Holding{limits: l, network: network}
}

// Take takes so many bytes more, or none if the error is not nil.
func (h *Holding) Take(bytes int) error {
	if h.limits == nil {
		return nil
	}
	h.limits.mu.Lock()
	defer h.limits.mu.Unlock()
	if h.limits.bytes[h.network]+bytes > h.limits.maxBytes {
		return &Exceeded{Limit: BytesPerAddress}
	}
	h.limits.bytes[h.network] += bytes
	h.bytes += bytes
	return nil
}

// Release gives back all that was taken.
func (h *Holding) Release() {
	if h.bytes == 0 {
		return
	}
	h.limits.mu.Lock()
	defer h.limits.mu.Unlock()
	if left := h.limits.bytes[h.network] - h.bytes; left > 0 {
		h.limits.bytes[h.network] = left
	} else {
		delete(h.limits.bytes, h.network)
	}
	h.bytes = 0
}
