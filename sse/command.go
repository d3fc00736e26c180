package sse

import "errors"

// Attachment names one stream or poll of a socket, among all that the socket ever had.
type Attachment struct {
	Node   string // the node that serves it; empty if there is only one
	Number uint64 // random if there are several nodes; otherwise it counts the attachments of the socket
}

// CommandKind says what a [Command] does.
type CommandKind byte

// The kinds of commands, with the fields that each uses beside SocketID.
const (
	// OpenSocket opens a socket with a first reader. Attachment, Transport, Client.
	OpenSocket CommandKind = iota + 1
	// AttachReader makes a reader take over, from a position. Attachment, Before, Transport,
	// Client, Sequence.
	AttachReader
	// DetachReader says that a reader has ended, and what it has written. Attachment,
	// Sequence, IsStalled.
	DetachReader
	// NoteWritten says what a reader has written. Attachment, Sequence.
	NoteWritten
	// NoteConfirmed says what the client has. Sequence.
	NoteConfirmed
	// NoteHeard says that the client, which sends heartbeats, was heard of.
	NoteHeard
	// GoAway says that nothing has read the socket for AwayAfter. Attachment: the latest.
	GoAway
	// Expire says that nothing has read the socket for ResumeWindow. Attachment: the latest.
	Expire
	// EndSocket ends a socket. Reason, Detail.
	EndSocket
	// TrimOutboxes makes all sockets forget most of what was written, because the memory of a
	// node is short. It has no SocketID.
	TrimOutboxes
)

// Command is a change to one socket that does not come from another socket. With the calls
// of [Hub.DeliverMessage], [Hub.Send], [Hub.Admit], [Hub.Tell], [Hub.Pong] and [Ref.Posted],
// commands are all that changes the state of a hub. If two hubs with equal options get the same commands
// and calls in the same order, their states are equal: see [Hub.AppendSnapshot].
type Command struct {
	Kind       CommandKind
	SocketID   string
	Attachment Attachment
	Before     Attachment // the latest that the proposing node knew. If it is not, the command comes too late
	Transport  Transport
	Client     Client
	Sequence   uint64
	IsStalled  bool // a write of the reader timed out
	Reason     Reason
	Detail     string // what an operator tells the client of a socket that is kicked
}

// errMisplaced: a command names an attachment that is over, or a socket that exists already.
// Nothing was changed.
var errMisplaced = errors.New("sse: the command comes too late")

// Apply applies a command to the state. Only one goroutine may call it, and no other may
// change the state meanwhile. [Hub.Settle] must follow, and [Hub.Flush].
//
// The errors are [ErrGone], [ErrAtCapacity] and [ErrTooMany], and others that mean that
// nothing was changed. Apply refuses nothing because of the budget: that must be done before.
func (h *Hub) Apply(c Command) error {
	if c.Kind == OpenSocket {
		return h.open(c)
	}
	if c.Kind == TrimOutboxes {
		h.trim()
		return nil
	}
	s := h.socket(c.SocketID)
	if s == nil {
		return ErrGone
	}
	switch c.Kind {
	case AttachReader:
		return h.attach(s, c)
	case EndSocket:
		if !h.end(c.SocketID, c.Reason, c.Detail) {
			return ErrGone
		}
		return nil
	}
	has, err := s.apply(c)
	switch {
	case err != nil:
		return err
	case has == wentAway:
		h.options.OnPresence(s.id)
	case has == hasEnded:
		h.forget(s)
	}
	return nil
}

// open opens a socket with its first reader.
func (h *Hub) open(c Command) error {
	if h.socket(c.SocketID) != nil {
		return errMisplaced
	}
	s, a := newSocket(h, c.SocketID), h.arrivalOf(c.Attachment)
	r := a.make(s)
	s.mu.Lock()
	_, _, _ = s.attachLocked(c.Attachment, c.Transport, 0, c.Client) // nobody knows the socket yet, so it cannot fail
	s.readBy(r, 0)
	s.mu.Unlock()
	err := h.register(s, c.Client.Network, func(bytes int) bool {
		h.options.Budget.ChargeFor(c.Client.Network, bytes)
		return true
	})
	if err != nil {
		a.failed(r)
		s.end(TransportClose, "") // so that Run, which may look at it, forgets it
		return err
	}
	h.attached(s, c, a, r, nil)
	return nil
}

// attach makes a reader take over. If the socket cannot be resumed from the position, it
// ends: the client gets a new one. A command that was held up on its way may come after its
// client has gone on at another node. It changes nothing.
func (h *Hub) attach(s *socket, c Command) error {
	a := h.arrivalOf(c.Attachment)
	r := a.make(s)
	s.mu.Lock()
	var before reader
	var wasAway bool
	err := errMisplaced
	if s.attachment == c.Before {
		before, wasAway, err = s.attachLocked(c.Attachment, c.Transport, c.Sequence, c.Client)
	}
	if err == nil {
		s.readBy(r, c.Sequence)
	}
	s.mu.Unlock()
	if err != nil {
		a.failed(r)
		if errors.Is(err, ErrGone) {
			h.end(s.id, TransportClose, "")
		}
		return err
	}
	h.attached(s, c, a, r, before)
	if wasAway {
		h.options.OnPresence(s.id)
	}
	return nil
}

// attached tells the reader that waits for an attachment. If it does not wait any more, the
// attachment must end.
func (h *Hub) attached(s *socket, c Command, a *arrival, r, before reader) {
	switch {
	case a != nil:
		a.attached(s, r, before)
	case h.isReplicated() && c.Attachment.Node == h.options.Node:
		h.options.Log.Propose(Command{Kind: DetachReader, SocketID: s.id, Attachment: c.Attachment})
	}
}

// effect is what a command has changed for others than the socket.
type effect byte

const (
	nothing effect = iota
	wentAway
	hasEnded
)

// apply applies a command that concerns the socket alone.
func (s *socket) apply(c Command) (effect, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isLatest := c.Attachment == s.attachment
	switch {
	case s.ended != "":
		return nothing, ErrGone
	case c.Kind == NoteConfirmed:
		s.confirmMoreLocked(c.Sequence)
	case c.Kind == NoteHeard:
		s.heard.Store(max(1, int64(s.hub.clock())))
	case c.Kind == NoteWritten && isLatest && s.isAttached:
		s.noted(c.Sequence)
	case c.Kind == DetachReader && isLatest && s.isAttached:
		s.noted(c.Sequence)
		s.detachLocked(c.IsStalled)
	case c.Kind == GoAway && isLatest && !s.isAttached && !s.away:
		s.goAwayLocked()
		return wentAway, nil
	case c.Kind == Expire && isLatest && !s.isAttached:
		s.expireLocked()
		return hasEnded, nil
	default:
		return nothing, errMisplaced
	}
	return nothing, nil
}

// noted notes that a reader has written everything up to a sequence. The socket's lock must
// be held.
func (s *socket) noted(sequence uint64) {
	sequence = min(sequence, s.outbox.last)
	s.outbox.hand(sequence)
	s.outbox.wrote(sequence, s.hub.options.Elapsed())
	s.confirmMoreLocked(s.outbox.claimed)
}

// DetachNode ends all attachments at a node: it is lost, or has started again. The rules of
// [Hub.Apply] hold.
func (h *Hub) DetachNode(node string) {
	for _, s := range h.snapshot(nil) {
		s.mu.Lock()
		if s.ended == "" && s.attachment.Node == node {
			s.leftBehind()
		}
		s.mu.Unlock()
	}
}

// leftBehind notes that the node of the latest attachment is gone. The socket's lock must be held.
func (s *socket) leftBehind() {
	s.nodeIsGone = true
	s.lookSoon() // what is due is not left to that node any more
	if !s.isAttached {
		return
	}
	if s.reader != nil { // this node serves it, and has come back
		s.reader.end(true, nil, lastWordTime)
	}
	s.detachLocked(false)
	s.unnoticed = true
}

// Settle forgets the sockets that ended because their outboxes were full, and those that end
// because of that. It must follow each command and call, before the next.
func (h *Hub) Settle() {
	for h.forgetEnded() {
	}
}
