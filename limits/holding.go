package limits

import "net/netip"

// Holding counts the bytes of one request's body against the bytes that its network may
// have under way. One goroutine owns it. The zero Holding has no bound.
type Holding struct {
	limits  *Limits      // set once; nil means no bound
	network netip.Prefix // set once

	bytes int // taken and not released
}

// Holding returns an empty Holding for a request from a network. Its Release must be
// called at the end of the request.
func (l *Limits) Holding(network netip.Prefix) Holding {
	if l.maxBytes == 0 {
		return Holding{}
	}
	return Holding{limits: l, network: network}
}

// Take takes this many more bytes. If the network would have too many, it takes none and
// returns an [*Exceeded].
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

// Release gives back all bytes that were taken. It may be called twice.
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
