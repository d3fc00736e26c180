package sse

import (
	"net/netip"
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
	SlowConsumer     Reason = "slow consumer"     // its outbox was full, or its connection took nothing any more
	Kicked           Reason = "kicked"            // an operator ended it
)

// Transport says how a socket is being read.
type Transport string

// The transports. A socket that is away has not been read for a while, and may
// still resume; until then it counts as read the way it last was.
const (
	OverStream Transport = "stream"
	OverPoll   Transport = "poll"
	Away       Transport = "away"
)

// Client is what is known of a socket's client from its latest request to read.
type Client struct {
	IP        string
	UserAgent string
	// Network is what a new socket counts against.
	Network netip.Prefix
}

// Info describes a socket to operators. It holds no secret.
type Info struct {
	SocketID    string
	ConnectedAt time.Time
	Client      Client
	Transport   Transport
}

// socket is one client as the server sees it, through all its streams and polls.
type socket struct {
	// set once
	hub         *Hub
	token       Token
	id          string
	connectedAt time.Time
	origin      *origin // the network that opened it

	mu          sync.Mutex // guards what follows; never held across a write to the network
	client      Client
	outbox      outbox
	reader      reader    // the one that there is, or nil
	lastReader  Transport // what kind the latest one is or was
	unreadSince time.Time // when it was last read, while there is no reader
	away        bool      // there has been no reader for a while
	stalled     bool      // the last stream ended because its connection took nothing
	farewell    *farewell // nothing more is accepted, unless nil
	ended       Reason    // why it ended, "" while it lives
}

// farewell is how a socket's client is parted from when the server stops.
type farewell struct {
	lastWord *event
	until    time.Time // what it may take
}

func newSocket(h *Hub, token Token) *socket {
	now := time.Now()
	return &socket{
		hub:         h,
		token:       token,
		id:          token.SocketID(),
		connectedAt: now,
		unreadSince: now,
		outbox:      newOutbox(h.options.Outbox, h.options.Budget),
	}
}

// attach makes r the socket's reader, from the position behind which its client
// wants to go on. The reader that was there before is told to end, and is
// returned for the caller to wait for; whether the socket was away is returned as
// well. The error is [ErrGone] when the socket has ended or no longer holds all
// that follows the position, errOvertaken when its client has confirmed more than
// that, and [ErrDraining] when the server stops and nothing follows it.
func (s *socket) attach(r reader, position uint64, c Client) (before reader, wasAway bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended == "" && s.outbox.isBehind(position):
		return nil, false, errOvertaken
	case s.ended != "" || !s.outbox.holds(position):
		return nil, false, ErrGone
	case s.farewell != nil && position == s.outbox.last():
		return nil, false, ErrDraining
	}
	before, wasAway = s.reader, s.away
	if before != nil {
		replaced := newDisconnected("replaced", "", 0)
		before.end(true, replaced, partingTime)
	}
	s.confirm(position)
	s.outbox.taken = position
	s.client = c
	s.reader, s.lastReader = r, r.transport()
	if wasAway {
		s.hub.away.Add(-1)
	}
	s.away, s.stalled = false, false
	r.start(position)
	if s.farewell != nil {
		r.end(false, s.farewell.lastWord, time.Until(s.farewell.until))
	}
	r.advance()
	return before, wasAway, nil
}

// detach notes that r reads no more.
func (s *socket) detach(r reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == r {
		s.reader = nil
		s.unreadSince = time.Now()
		s.stalled = r.isStalled()
	}
}

// end ends the socket for a reason, and says whether it still lived. Its client is
// told a reason that is not its own, with what there is to say of it.
func (s *socket) end(reason Reason, detail string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(reason, detail)
}

func (s *socket) endLocked(reason Reason, detail string) bool {
	if s.ended != "" {
		return false
	}
	s.ended = reason
	if s.away {
		s.hub.away.Add(-1)
	}
	if s.reader != nil {
		var lastWord *event
		if reason == SlowConsumer || reason == Kicked {
			lastWord = newDisconnected(string(reason), detail, 0)
		}
		s.reader.end(true, lastWord, partingTime)
	}
	s.outbox.clear()
	return true
}

// seal stops accepting events. A reader writes what was accepted and a last
// word, in the time given, and ends.
func (s *socket) seal(lastWord *event, within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.farewell = &farewell{lastWord, time.Now().Add(within)}
	if s.ended == "" && s.reader != nil {
		s.reader.end(false, s.farewell.lastWord, within)
	}
}

// isOwed tells whether something was accepted that was never written.
func (s *socket) isOwed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == "" && s.outbox.written < s.outbox.last()
}

// tick does what time demands: it sends a heartbeat in silence, notes that the
// socket is away, and ends it when its resume window has run out. It says which
// of the latter two it did.
func (s *socket) tick(now time.Time) (wentAway, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != "" {
		return false, false
	}
	s.outbox.expire(s.hub.clock() - s.hub.retention)
	if s.reader != nil {
		s.reader.beat(now)
		return false, false
	}
	unread := now.Sub(s.unreadSince)
	switch {
	case unread >= s.hub.options.ResumeWindow:
		reason := TransportClose
		if s.stalled {
			reason = SlowConsumer
		}
		return false, s.endLocked(reason, "")
	case unread >= s.hub.options.AwayAfter && !s.away:
		s.away = true
		s.hub.away.Add(1)
		return true, false
	}
	return false, false
}

// wrote notes that everything up to a sequence was written to the reader. The
// socket's lock must be held.
func (s *socket) wrote(sequence uint64) {
	now := s.hub.clock()
	s.outbox.wrote(sequence, now, func(since time.Duration) { s.hub.options.OnDelivery(now - since) })
}

// confirm notes that the client has everything up to a position. The socket's
// lock must be held.
func (s *socket) confirm(position uint64) {
	now := s.hub.clock()
	s.outbox.confirm(position, now, func(since time.Duration) { s.hub.options.OnDelivery(now - since) })
}

func (s *socket) isAway() (away, lives bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lives = s.ended == ""
	return lives && s.away, lives
}

func (s *socket) info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	transport := s.lastReader
	if s.away {
		transport = Away
	}
	return Info{s.id, s.connectedAt, s.client, transport}
}
