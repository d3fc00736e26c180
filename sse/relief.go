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
	// trimAgain is the shortest time between two commands that trim the outboxes at all nodes.
	trimAgain = 2 * time.Second
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
//
// If there are several nodes, a node brings both through the log. It ends only sockets that it
// serves itself, or that nothing reads: it does not know what other nodes have written.
func (h *Hub) relieve() {
	if time.Since(h.relieved) < reliefInterval {
		return
	}
	h.relieved = time.Now()
	if h.isReplicated() {
		h.relieveByLog()
		return
	}
	enough := h.options.Budget.Limit() / 10 * 9
	isEnough := func() bool { return h.options.Budget.Used() <= enough }

	h.trim()
	sockets, unread := h.byUnread()
	for _, s := range sockets {
		if isEnough() || unread[s] <= littleUnread {
			return
		}
		if s.end(SlowConsumer, "") {
			h.forget(s)
		}
	}
}

// relieveByLog is relieve for one of several nodes. The next call sees what it has led to.
func (h *Hub) relieveByLog() {
	if time.Since(h.trimmed) >= trimAgain {
		h.trimmed = time.Now()
		h.options.Log.Propose(Command{Kind: TrimOutboxes})
		return
	}
	if sockets, unread := h.byUnread(); len(sockets) > 0 && unread[sockets[0]] > littleUnread {
		h.options.Log.Propose(Command{Kind: EndSocket, SocketID: sockets[0].id, Reason: SlowConsumer})
	}
}

// trim makes all sockets forget most of what was written.
func (h *Hub) trim() {
	for _, s := range h.snapshot(nil) {
		s.trim(enoughRetained)
	}
}

// byUnread returns the sockets that this node may end, and what they have unread, the most first.
func (h *Hub) byUnread() (sockets []*socket, unread map[*socket]int) {
	unread = make(map[*socket]int)
	for _, s := range h.snapshot(nil) {
		if bytes, mayEnd := s.unread(); mayEnd {
			sockets, unread[s] = append(sockets, s), bytes
		}
	}
	slices.SortFunc(sockets, func(a, b *socket) int { return cmp.Compare(unread[b], unread[a]) })
	return sockets, unread
}

// trim makes the socket forget the oldest written events, until no more than this many
// bytes are retained.
func (s *socket) trim(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.trim(bytes)
}

// unread returns the memory that the unsent events of a socket take, in bytes. The second result is
// false if another node reads the socket.
func (s *socket) unread() (bytes int, mayEnd bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hub.isReplicated() || !s.isAttached {
		return s.outbox.unsent.bytes + s.outbox.unsent.events*entryBytes, true
	}
	for _, held := range s.outbox.entries[s.outbox.kept:] {
		if held.sequence > s.wroteHere {
			bytes += int(held.event.size) + entryBytes
		}
	}
	return bytes, s.reader != nil
}
