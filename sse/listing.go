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

// Served counts the streams and polls of one node.
type Served struct{ Streams, Polls int }

// Served returns how many streams and polls each node serves, by the names of the nodes.
func (h *Hub) Served() map[string]Served {
	all := make(map[string]Served)
	for _, s := range h.snapshot(nil) {
		s.mu.Lock()
		node, isAttached, by := s.attachment.Node, s.isAttached && s.ended == "", s.lastReader
		s.mu.Unlock()
		of := all[node]
		switch {
		case isAttached && by == OverPoll:
			of.Polls++
		case isAttached:
			of.Streams++
		}
		all[node] = of
	}
	return all
}
