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

// Served counts the streams and polls of one node. It also counts the sockets whose latest
// stream or poll was there and whose outboxes are nearly full: more than half of what may be
// unsent is unsent.
type Served struct{ Streams, Polls, NearlyFull int }

// ServedHere returns what this node serves.
func (h *Hub) ServedHere() Served { return h.Served()[h.options.Node] }

// Served returns what each node serves, by the names of the nodes.
func (h *Hub) Served() map[string]Served {
	all := make(map[string]Served)
	active, _, _ := h.Counts()
	for _, s := range h.snapshot(make([]*socket, 0, active)) {
		s.mu.Lock()
		node, isAttached, by := s.attachment.Node, s.isAttached && s.ended == "", s.lastReader
		isNearlyFull := s.outbox.isNearlyFull()
		s.mu.Unlock()
		of := all[node]
		switch {
		case isAttached && by == OverPoll:
			of.Polls++
		case isAttached:
			of.Streams++
		}
		if isNearlyFull {
			of.NearlyFull++
		}
		all[node] = of
	}
	return all
}
