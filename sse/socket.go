package sse

import (
	"sync"
	"time"
)

// Reason says why a socket ended. The texts are those of the protocol's event
// user-disconnected.
type Reason string

// The reasons for which a socket ends.
const (
	ClientDisconnect Reason = "client disconnect" // it said so
	TransportClose   Reason = "transport close"   // the resume window ran out
	SlowConsumer     Reason = "slow consumer"     // its outbox was full
)

// Transport says how a socket is being read.
type Transport string

// The transports. A socket that is away may still resume.
const (
	OverStream Transport = "stream"
	Away       Transport = "away"
)

// Client is what is known of a socket's client from its latest stream.
type Client struct {
	IP        string
	UserAgent string
}

// Info describes a socket to operators. It holds no secret.
type Info struct {
	SocketID    string
	ConnectedAt time.Time
	Client      Client
	Transport   Transport
}

// socket is one client as the server sees it, through all its streams.
type socket struct {
	// set once
	hub         *Hub
	token       Token
	id          string
	connectedAt time.Time

	mu        sync.Mutex // guards what follows; never held across a write to the network
	client    Client
	outbox    outbox
	stream    *stream   // the one reader, nil while away
	awaySince time.Time // when it was last read, while away
	sealed    bool      // nothing more is accepted
	ended     Reason    // why it ended, "" while it lives
}

func newSocket(h *Hub, token Token) *socket {
	now := time.Now()
	return &socket{
		hub:         h,
		token:       token,
		id:          token.SocketID(),
		connectedAt: now,
		awaySince:   now,
		outbox:      newOutbox(h.options.Outbox),
	}
}

// deliver appends an event to the outbox and wakes the stream. An outbox that
// is full ends the socket.
func (s *socket) deliver(e event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended != "":
		return ErrGone
	case s.sealed:
		return ErrDraining
	case !s.outbox.put(e):
		s.endLocked(SlowConsumer)
		s.hub.endLater(s)
		return ErrOverflow
	}
	if s.stream != nil {
		s.stream.advance()
	}
	return nil
}

// attach makes st the socket's reader, from the position behind which its
// client wants to go on. The stream that was there before is told to end, and
// is returned for the caller to wait for. It is false when the socket has
// ended, or no longer holds all that follows the position.
func (s *socket) attach(st *stream, position uint64, c Client) (before *stream, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != "" || s.sealed || !s.outbox.holds(position) {
		return nil, false
	}
	before = s.stream
	if before != nil {
		replaced := newDisconnected("replaced", 0)
		before.end(true, &replaced, partingTime)
	}
	s.outbox.confirm(position)
	s.client = c
	s.stream = st
	st.position = position
	st.lastWrite = time.Now()
	return before, true
}

// detach notes that st reads no more. A socket without a reader is away.
func (s *socket) detach(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == st {
		s.stream = nil
		s.awaySince = time.Now()
	}
}

// end ends the socket for a reason, and says whether it still lived.
func (s *socket) end(reason Reason) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(reason)
}

func (s *socket) endLocked(reason Reason) bool {
	if s.ended != "" {
		return false
	}
	s.ended = reason
	if s.stream != nil {
		var lastWord *event
		if reason == SlowConsumer {
			e := newDisconnected(string(reason), 0)
			lastWord = &e
		}
		s.stream.end(true, lastWord, partingTime)
	}
	return true
}

// seal stops accepting events. A stream writes what was accepted and a last
// word, in the time given, and ends.
func (s *socket) seal(lastWord event, within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	if s.ended == "" && s.stream != nil {
		s.stream.end(false, &lastWord, within)
	}
}

// beatOrExpire does what time demands: it sends a heartbeat in silence, and ends
// the socket when its resume window has run out. It says whether it ended it.
func (s *socket) beatOrExpire(now time.Time) (expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		return now.Sub(s.awaySince) >= s.hub.options.ResumeWindow && s.endLocked(TransportClose)
	}
	if !s.stream.busy && now.Sub(s.stream.lastWrite) >= s.hub.options.HeartbeatInterval {
		s.stream.beat = true
		s.stream.advance()
	}
	return false
}

func (s *socket) info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	transport := OverStream
	if s.stream == nil {
		transport = Away
	}
	return Info{s.id, s.connectedAt, s.client, transport}
}
