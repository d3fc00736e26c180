package sse

import "iter"

// Sockets lists the sockets that live when the list is first read, in no order. No lock
// is held between two sockets. Some may have ended when their turn comes.
func (h *Hub) Sockets() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		active, _, _ := h.Counts()
		for _, s := range h.snapshot(make([]*socket, 0, active)) {
			if !yield(Ref{socket: s}) {
				return
			}
		}
	}
}
