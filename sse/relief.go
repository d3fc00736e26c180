package sse

import (
	"cmp"
	"slices"
	"time"
)

// The charges to the budget, except those for events. They were measured with idle
// clients, and rounded up.
const (
	socketBytes = 1536     // a socket without a reader
	heldBytes   = 20 << 10 // a stream on a connection that its handler holds: its goroutine and net/http's buffers
	parkedBytes = 512      // a stream on a parked connection
	pollBytes   = 8 << 10  // a poll that waits
)

const (
	// reliefInterval is the shortest time between two runs of relieve.
	reliefInterval = 50 * time.Millisecond
	// enoughRetained is how many bytes a socket keeps for a resume when memory is short.
	enoughRetained = 64 << 10
	// littleUnread is how many bytes a socket may have unread and still never end when
	// memory is short: its end would free next to nothing.
	littleUnread = 64 << 10
)

// relieve frees memory when the budget is exceeded. First each socket forgets most of what
// it has written. If that is not enough, the sockets that hold the most unread end. Only
// [Hub.Run] calls it.
func (h *Hub) relieve() {
	if time.Since(h.relieved) < reliefInterval {
		return
	}
	h.relieved = time.Now()
	enough := h.options.Budget.Limit() / 10 * 9
	isEnough := func() bool { return h.options.Budget.Used() <= enough }

	sockets := h.snapshot(nil)
	for _, s := range sockets {
		if !h.isReplicated() { // otherwise another node may need what this one forgets
			s.trim(enoughRetained)
		}
	}
	unread := make(map[*socket]int, len(sockets))
	for _, s := range sockets {
		unread[s] = s.unread()
	}
	slices.SortFunc(sockets, func(a, b *socket) int { return cmp.Compare(unread[b], unread[a]) })
	for _, s := range sockets {
		if isEnough() || unread[s] <= littleUnread {
			return
		}
		if h.isReplicated() {
			h.options.Log.Propose(Command{Kind: EndSocket, SocketID: s.id, Reason: SlowConsumer})
			return // the next look shows if that was enough
		}
		if s.end(SlowConsumer, "") {
			h.forget(s)
		}
	}
}

// trim makes the socket forget the oldest written events, until no more than this many
// bytes are retained.
func (s *socket) trim(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.trim(bytes)
}

// unread returns the memory that the unsent events of a socket take, in bytes.
func (s *socket) unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outbox.unsent.bytes + s.outbox.unsent.events*entryBytes
}
