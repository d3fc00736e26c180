package sse

import (
	"cmp"
	"slices"
	"time"
)

// What is charged to the budget beside events: measured with idle clients, rounded
// up.
const (
	socketBytes = 2 << 10  // a socket that nobody reads
	streamBytes = 28 << 10 // a stream: the engine's and the handler's goroutines and buffers
	pollBytes   = 8 << 10  // a waiting poll
)

// bytes is what a reader takes beside its connection.
func (t Transport) bytes() int {
	if t == OverStream {
		return streamBytes
	}
	return pollBytes
}

const (
	// reliefInterval is how often the budget's overrun is looked after at most.
	reliefInterval = 50 * time.Millisecond
	// enoughRetained is what each socket keeps for a resume when memory is short.
	enoughRetained = 64 << 10
	// littleUnread is what a socket may hold unread and live on, whatever the budget:
	// its end would give back next to nothing.
	littleUnread = 64 << 10
)

// relieve makes place in a budget that is exceeded: first goes what was written
// long ago or in large amounts, then the sockets that hold the most unread. It is
// called by [Hub.Run] alone.
func (h *Hub) relieve() {
	if time.Since(h.relieved) < reliefInterval {
		return
	}
	h.relieved = time.Now()
	enough := h.options.Budget.Limit() / 10 * 9
	isEnough := func() bool { return h.options.Budget.Used() <= enough }

	sockets := h.snapshot(nil)
	for _, s := range sockets {
		s.trim(enoughRetained)
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
		if s.end(SlowConsumer, "") {
			h.bury(s)
		}
	}
}

// trim forgets what was written, all but the newest bytes.
func (s *socket) trim(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.trim(bytes)
}

// unread is what a socket's client has not read, in bytes.
func (s *socket) unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outbox.unsent.bytes + s.outbox.unsent.events*entryBytes
}
