package sse

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Reason says why a socket ended. Its text is the reason of user-disconnected in the
// protocol.
type Reason string

// The reasons for which a socket ends.
const (
	ClientDisconnect Reason = "client disconnect" // the client sent disconnect
	TransportClose   Reason = "transport close"   // the resume window ran out
	SlowConsumer     Reason = "slow consumer"     // the outbox was full, the connection took nothing more, or memory was short
	Kicked           Reason = "kicked"            // an operator ended it
)

// Transport says how a socket is read.
type Transport string

// The transports. A socket that is away has had no reader for a while, and may still
// resume. Until then, a socket without a reader has the transport of its latest reader.
const (
	OverStream Transport = "stream"
	OverPoll   Transport = "poll"
	Away       Transport = "away"
)

// Client is what the latest request for a stream or poll says about a socket's client.
type Client struct {
	IP        string
	UserAgent string
	// Network is the network whose limits a new socket counts against.
	Network netip.Prefix
}

// Info describes a socket to operators. It holds no secret.
type Info struct {
	SocketID    string
	ConnectedAt time.Time
	Client      Client
	Transport   Transport
}

// socket is one client as the server keeps it, across its streams and polls.
type socket struct {
	// set once
	hub         *Hub
	id          string
	connectedAt time.Time
	origin      *origin // the network that opened it
	state       any     // of Options.NewState

	heard atomic.Int64                  // the client's latest sign of life, by the hub's clock; 0: the client sends no heartbeats
	trace atomic.Pointer[trace.TraceID] // of the client's POST that is applied now; nil: none

	mu          sync.Mutex // guards what follows; never held across a write to the network
	client      Client
	outbox      outbox
	attachment  Attachment    // the latest
	isAttached  bool          // something reads the outbox, here or at another node
	lastReader  Transport     // of the latest attachment
	away        bool          // nothing has read the outbox for a while
	stalled     bool          // the latest reader ended because a write timed out
	unnoticed   bool          // the latest reader ended with its node, so its client may not know yet
	ended       Reason        // why the socket ended; empty while it lives. It is set once
	reader      reader        // the stream or poll here that reads the outbox, or nil
	unreadSince time.Duration // by unreadClock: when the latest reader ended, while isAttached is false
	farewell    *farewell     // not nil: the server stops
	isChanged   bool          // it is in hub.changed

	// The socket's lock guards these too. They are for a hub with a log.
	wroteHere  uint64 // highest sequence that the reader here has written
	isWriter   bool   // it is in hub.writers
	nodeIsGone bool   // the node of its latest attachment is gone
	measured   uint64 // highest sequence whose delivery was measured here

	place int // in the hub's schedule, from 1; 0: it is not there. Only Run's goroutine uses it
}

// farewell is what a socket's reader must do when the server stops. Its fields are set
// once.
type farewell struct {
	lastWord *event    // the event server-shutdown
	until    time.Time // when the reader must have ended
}

func newSocket(h *Hub, id string) *socket {
	s := &socket{
		hub:         h,
		id:          id,
		connectedAt: h.options.Now(),
		state:       h.options.NewState(),
		outbox:      newOutbox(h.options.Outbox, h.options.Budget),
	}
	s.unreadSince, _ = h.unreadClock()
	s.outbox.isReplicated = h.isReplicated()
	return s
}

// attach makes r the socket's reader of the events after position. If the socket has a
// reader already, that reader must end: attach returns it, so that the caller can wait. It
// also returns whether the socket was away.
//
// The errors are those of attachLocked. The error is [ErrDraining] if the server stops, and
// there is no event after position or another process will deliver it.
func (s *socket) attach(r reader, position uint64, c Client) (before reader, wasAway bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.farewell != nil && s.ended == "" && (s.hub.outlives() || position == s.outbox.last) {
		return nil, false, ErrDraining
	}
	next := Attachment{Number: s.attachment.Number + 1}
	if before, wasAway, err = s.attachLocked(next, r.transport(), position, c); err != nil {
		return nil, false, err
	}
	s.readBy(r, position)
	return before, wasAway, nil
}

// latest returns the latest attachment that this node knows.
func (s *socket) latest() Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attachment
}

// readBy makes a reader here read the events after a position. It does nothing if the reader
// is at another node. The socket's lock must be held.
func (s *socket) readBy(r reader, position uint64) {
	if r == nil {
		return
	}
	s.hear()
	s.reader, s.wroteHere = r, position
	r.start(position)
	s.lookSoon()
	if s.farewell == nil && s.hub.isReplicated() && s.hub.Draining() { // it was on its way when draining began
		s.farewell = &farewell{newServerShutdown(s.hub.ReconnectAfter()), time.Now().Add(s.hub.options.WriteTimeout)}
	}
	if s.farewell != nil {
		r.end(false, s.farewell.lastWord, time.Until(s.farewell.until))
	}
	r.advance()
}

// attachLocked notes that something reads the events after position from now on. Everything
// up to there counts as confirmed. The reader that was here before, if any, must end. The
// socket's lock must be held.
//
// The error is [ErrGone] if the socket has ended or no longer holds all events after
// position. It is errOvertaken if the client has confirmed more than position.
func (s *socket) attachLocked(a Attachment, by Transport, position uint64, c Client) (before reader, wasAway bool, err error) {
	s.outbox.expire(s.hub.options.Elapsed() - s.hub.retention)
	switch {
	case s.ended == "" && s.outbox.isOvertaken(position):
		return nil, false, errOvertaken
	case s.ended != "" || !s.outbox.holds(position):
		return nil, false, ErrGone
	}
	before, wasAway = s.reader, s.away
	if before != nil {
		replaced := newDisconnected("replaced", "", 0)
		before.end(true, replaced, lastWordTime)
		s.reader = nil
	}
	s.confirm(position)
	s.outbox.renew(s.hub.options.Elapsed())
	s.outbox.handed = position
	s.client = c
	s.attachment, s.isAttached, s.lastReader, s.nodeIsGone, s.unnoticed = a, true, by, false, false
	if wasAway {
		s.hub.away.Add(-1)
	}
	s.away, s.stalled = false, false
	return before, wasAway, nil
}

// detach notes that r no longer reads. If another reader has taken over, nothing
// changes.
func (s *socket) detach(r reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.reader != r:
	case s.hub.isReplicated():
		s.reader = nil
		s.propose(Command{Kind: DetachReader, Sequence: s.wroteHere, IsStalled: r.isStalled()})
	default:
		s.detachLocked(r.isStalled())
	}
}

// detachLocked notes that nothing reads the outbox any more. The socket's lock must be held.
func (s *socket) detachLocked(stalled bool) {
	s.reader, s.isAttached = nil, false
	s.unreadSince, _ = s.hub.unreadClock()
	s.stalled = stalled
	s.lookSoon()
}

// end ends the socket, and returns false if it had ended already. If the reason is
// SlowConsumer or Kicked, the client receives the reason and the detail in
// disconnected.
func (s *socket) end(reason Reason, detail string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(reason, detail)
}

// endLocked is end with the socket's lock held.
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
		s.reader.end(true, lastWord, lastWordTime)
	}
	s.outbox.clear()
	s.lookSoon() // so that Run forgets it
	return true
}

// seal makes the socket accept no more events, unless it outlives this process. Its reader
// writes what was accepted and the last word, within a time, and ends.
func (s *socket) seal(lastWord *event, within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.farewell = &farewell{lastWord, time.Now().Add(within)}
	if s.ended == "" && s.reader != nil {
		s.reader.end(false, s.farewell.lastWord, within)
	}
}

// isOwed reports whether the socket lives and an accepted event was never written.
func (s *socket) isOwed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == "" && s.outbox.written < s.outbox.last
}

// hand notes that everything up to a sequence is on its way by the reader here. The socket's
// lock must be held.
func (s *socket) hand(sequence uint64) {
	if !s.hub.isReplicated() { // otherwise the state must not depend on it
		s.outbox.hand(sequence)
	}
}

// wrote notes that everything up to a sequence was written by the reader here. The socket's
// lock must be held.
func (s *socket) wrote(sequence uint64) {
	if s.hub.isReplicated() {
		s.noteWritten(sequence)
		return
	}
	s.measureDelivery(sequence)
	s.outbox.wrote(sequence, s.hub.options.Elapsed())
}

// measureDelivery measures the events that are written for the first time. The socket's lock
// must be held.
func (s *socket) measureDelivery(sequence uint64) {
	now := s.hub.clock()
	for _, e := range s.outbox.unsentUntil(s.measured, sequence) {
		s.hub.options.OnDelivery(now-e.event.born, e.event.traceID())
	}
	s.measured = max(s.measured, sequence)
}

// confirm notes that the client has everything up to a position. The socket's lock must
// be held.
func (s *socket) confirm(position uint64) {
	s.measureDelivery(min(position, s.outbox.last))
	s.outbox.confirm(position, s.hub.options.Elapsed())
}

// confirmMore is confirm for a client that need not begin to read.
func (s *socket) confirmMore(position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == "" {
		s.confirmMoreLocked(position)
	}
}

// confirmMoreLocked confirms what is on its way by the present reader: otherwise that reader
// would ask for what is forgotten. If there are several nodes, the state may learn only later
// what is on its way. The socket's lock must be held.
func (s *socket) confirmMoreLocked(position uint64) {
	switch o := &s.outbox; {
	case position <= o.confirmed || position > o.last:
	case position <= o.handed:
		s.confirm(position)
	case s.hub.isReplicated():
		o.claimed = max(o.claimed, position)
	}
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
