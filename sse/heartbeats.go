package sse

// This file judges clients that send heartbeats. A heartbeat shows that a client lives,
// whatever is between the client and the server. A write proves less. Some proxies take
// everything, and keep a stream open after its client has gone. A plain EventSource cannot
// send heartbeats, so clients without heartbeats are not judged.

import "time"

// slowWrite is how long a connection must take for a frame or an answer until each further
// piece of it counts as a sign of life. A proxy without a client takes everything at once,
// or nothing. A client on a slow link takes its time, and cannot answer a heartbeat before
// it has the whole event.
const slowWrite = time.Second

// Heartbeat notes a client's heartbeat. From the first heartbeat on, the client must be
// heard of again within the heartbeat interval and the write timeout. If it is not, its
// stream or poll ends, and the resume window begins. The error is [ErrGone].
func (h *Hub) Heartbeat(socketID string) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	s.heard.Store(max(1, int64(h.clock())))
	return nil
}

// Posted notes that the socket's client has posted, which is a sign of life, and that everything
// up to a sequence has arrived, so that it need not be kept for a resume. It confirms nothing if
// the present stream or poll has not reached that sequence, or if a later one is confirmed
// already. It does nothing if the socket has ended.
func (r Ref) Posted(confirmed uint64) {
	if confirmed == 0 && !r.socket.hub.isReplicated() {
		return // Authenticate has noted the sign of life
	}
	r.socket.hear()
	r.socket.confirmMore(confirmed)
}

// tell tells the other nodes what Posted notes.
func (s *socket) tell(confirmed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard.Load() != 0 && s.attachment.Node != s.hub.options.Node {
		s.propose(Command{Kind: NoteHeard})
	}
	if confirmed > s.outbox.confirmed {
		s.propose(Command{Kind: NoteConfirmed, Sequence: confirmed})
	}
}

// hear notes a sign of life, if the client sends heartbeats. Any goroutine may call it.
func (s *socket) hear() {
	if before := s.heard.Load(); before != 0 {
		s.heard.CompareAndSwap(before, max(before, int64(s.hub.clock())))
	}
}

// tookPiece notes that the connection took another piece of what began at a time, by the
// hub's clock.
func (s *socket) tookPiece(began time.Duration) {
	if s.hub.clock()-began >= slowWrite {
		s.hear()
	}
}

// silence returns for how long nothing was heard of a client that sends heartbeats. It is
// 0 for all others.
func (s *socket) silence(now time.Duration) time.Duration {
	heard := s.heard.Load()
	if heard == 0 {
		return 0
	}
	return now - time.Duration(heard)
}

// isLost reports whether the client sends heartbeats and nothing was heard of it for too
// long.
func (s *socket) isLost(now time.Duration) bool {
	return s.silence(now) > s.hub.patience()
}

// patience is how long a client that sends heartbeats may be silent.
func (h *Hub) patience() time.Duration { return h.options.HeartbeatInterval + h.options.WriteTimeout }
