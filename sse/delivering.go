package sse

import (
	"errors"
	"iter"
	"time"
)

// maxHoldUp bounds how long a socket may hold up broadcasts if the resume window is
// long. See isSlow.
const maxHoldUp = time.Minute

// Deliver puts an event that the server itself causes into a socket's outbox. The kind
// is the event's type. The data is one JSON object on one line, and must not change
// afterwards. Deliver panics if it does not begin with a brace or has a line end. It
// never blocks.
//
// The error is [ErrGone], [ErrOverflow] (which ends the socket) or [ErrDraining]. A
// nil error means that the event will reach the client unless its socket ends first.
func (h *Hub) Deliver(socketID, kind string, data []byte) error {
	defer h.Flush()
	return h.DeliverMessage(socketID, Message{Kind: kind, Data: Line(data)})
}

// DeliverMessage is [Hub.Deliver] for a message. It does not check whether the sender
// has a share left: [Hub.Admit] does. Like [Hub.Send], [Hub.Tell] and [Hub.Pong], it may be
// called with locks held, and [Hub.Flush] must follow.
func (h *Hub) DeliverMessage(socketID string, m Message) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	return s.deliver(h.newEvent(m))
}

// Send puts an event that another socket causes into a socket's outbox, if the sender
// has a share of the outbox left. It never blocks. The error is [ErrGone],
// [ErrOverflow] (the socket lives on) or [ErrDraining].
func (h *Hub) Send(socketID string, m Message) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	return s.offer(h.newEvent(m))
}

// Pong answers a socket's ping: it puts a pong with the server's time into the socket's
// outbox. The errors are those of [Hub.Send].
func (h *Hub) Pong(socketID string) error {
	return h.Send(socketID, Message{Kind: "pong", Data: h.newPong(), From: socketID})
}

// Admit returns [ErrOverflow] if the sender of a message has no share left in the
// outbox of one of these sockets. A socket that reads too slowly does not count: it
// must not hold up its whole room. Admit changes nothing.
func (h *Hub) Admit(socketIDs iter.Seq[string], m Message) error {
	e := h.newEvent(m)
	for id := range socketIDs {
		if s := h.socket(id); s != nil && !s.admits(e) {
			return ErrOverflow
		}
	}
	return nil
}

// Tell puts one event into the outboxes of many sockets, and does not check the
// sender's share. It skips a socket that has ended. A socket whose outbox is full ends
// as a slow consumer. Tell never blocks. The only error is [ErrDraining].
func (h *Hub) Tell(socketIDs iter.Seq[string], m Message) (err error) {
	e := h.newEvent(m)
	e.hold() // so it is charged once, even if one socket has read it before the next receives it
	defer e.release()
	for id := range socketIDs {
		s := h.socket(id)
		if s == nil {
			continue
		}
		if failed := s.deliver(e); errors.Is(failed, ErrDraining) {
			err = failed
		}
	}
	return err
}

// deliver puts an event into the outbox. If the outbox is full, the socket ends.
func (s *socket) deliver(e *event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.putLocked(e)
	if errors.Is(err, ErrOverflow) {
		s.endLocked(SlowConsumer, "")
		s.hub.forgetLater(s)
	}
	return err
}

// offer puts an event into the outbox if its sender has a share left.
func (s *socket) offer(e *event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isOpen() && !s.hasShare(e) {
		return ErrOverflow
	}
	return s.putLocked(e)
}

// putLocked appends an event to the outbox and wakes the reader. The socket's lock must
// be held.
func (s *socket) putLocked(e *event) error {
	switch {
	case s.ended != "":
		return ErrGone
	case !s.isOpen():
		return ErrDraining
	case !s.outbox.put(e, s.hub.options.Elapsed()):
		return ErrOverflow
	}
	if s.reader != nil {
		s.reader.advance()
	}
	return nil
}

// admits reports whether this socket lets a broadcast pass. It does if the event's sender
// has a share left here. It also does if the socket accepts no more events, or reads too
// slowly.
func (s *socket) admits(e *event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.isOpen() || s.hasShare(e) || s.isSlow()
}

// isOpen reports whether the socket accepts events. If it outlives this process, it does until
// it ends: only its reader here ends before. The socket's lock must be held.
func (s *socket) isOpen() bool { return s.ended == "" && (s.farewell == nil || s.hub.outlives()) }

// hasShare reports whether the event's sender, the sender's network, and all senders
// together have a share left. The socket's lock must be held.
func (s *socket) hasShare(e *event) bool {
	return e.origin.admits(int(e.size), int64(s.hub.options.UnsentPerNetwork)) && s.outbox.admits(e)
}

// isSlow reports whether the oldest unsent event has waited for longer than a write and
// a resume may take. No honest room needs a client that slow. So its outbox does not
// hold up a broadcast: the event goes into it while there is a place. The socket's lock
// must be held.
func (s *socket) isSlow() bool {
	if s.outbox.unsent.events == 0 {
		return false
	}
	patience := s.hub.options.WriteTimeout + min(s.hub.options.ResumeWindow, maxHoldUp)
	return s.hub.options.Elapsed()-s.outbox.entries[s.outbox.kept].at > patience
}
