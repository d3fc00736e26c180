package sse

import (
	"errors"
	"iter"
	"time"
)

// maxHoldUp bounds how long a socket may hold up the broadcasts of a sender that has
// used up its share there, if the resume window is long.
const maxHoldUp = time.Minute

// Deliver puts an event of the server's own into a socket's outbox; kind is its
// type and data one JSON object on one line, which must not be changed afterwards.
// It never blocks. The error is [ErrGone], [ErrOverflow] (which ends the socket) or
// [ErrDraining]; without one the event will reach the client, unless the socket
// ends first.
func (h *Hub) Deliver(socketID, kind string, data []byte) error {
	return h.DeliverMessage(socketID, Message{Kind: kind, Data: Line(data)})
}

// DeliverMessage is [Hub.Deliver] for a message. No share of its sender is asked
// for: the caller has asked [Hub.Admit].
func (h *Hub) DeliverMessage(socketID string, m Message) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	return s.deliver(h.newEvent(m))
}

// Send puts an event that another socket causes into a socket's outbox, if the
// sender's share of it allows that. It never blocks. The error is [ErrGone],
// [ErrOverflow] (the target lives on) or [ErrDraining].
func (h *Hub) Send(socketID string, m Message) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	return s.offer(h.newEvent(m))
}

// Pong answers a socket's ping: it puts an event with the server's time into
// the socket's outbox. The errors are those of [Hub.Send].
func (h *Hub) Pong(socketID string) error {
	return h.Send(socketID, Message{Kind: "pong", Data: newPong(), From: socketID})
}

// Admit reports by its error whether a message may be told to all of these sockets.
// It is [ErrOverflow] if the sender has too much unsent in one of their outboxes,
// unless that socket reads too slowly for any room.
func (h *Hub) Admit(socketIDs iter.Seq[string], m Message) error {
	e := h.newEvent(m)
	for id := range socketIDs {
		if s := h.socket(id); s != nil && !s.admits(e) {
			return ErrOverflow
		}
	}
	return nil
}

// Tell puts one event into the outboxes of many sockets. A socket whose outbox is
// full ends as a slow consumer; one that has ended is left out. The error is
// [ErrDraining] if the hub accepts no more events.
func (h *Hub) Tell(socketIDs iter.Seq[string], m Message) (err error) {
	e := h.newEvent(m)
	e.hold() // it is charged once, however soon some have read it
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

// deliver puts an event into the outbox. An outbox that is full ends the socket.
func (s *socket) deliver(e *event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.putLocked(e)
	if errors.Is(err, ErrOverflow) {
		s.endLocked(SlowConsumer, "")
		s.hub.endLater(s)
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

// putLocked appends an event to the outbox and wakes the reader.
func (s *socket) putLocked(e *event) error {
	switch {
	case s.ended != "":
		return ErrGone
	case s.farewell != nil:
		return ErrDraining
	case !s.outbox.put(e, s.hub.clock()):
		return ErrOverflow
	}
	if s.reader != nil {
		s.reader.advance()
	}
	return nil
}

// admits reports whether the sender of an event that is told to many has a share
// left here. A socket that has ended, or that reads too slowly, stops nobody.
func (s *socket) admits(e *event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.isOpen() || s.hasShare(e) || s.isSlow()
}

// isOpen reports whether events are accepted. The lock must be held, here and below.
func (s *socket) isOpen() bool { return s.ended == "" && s.farewell == nil }

// hasShare reports whether the sender of an event, its address, and all senders
// together have a share left.
func (s *socket) hasShare(e *event) bool {
	return e.origin.admits(int(e.size), int64(s.hub.options.UnsentPerNetwork)) && s.outbox.admits(e)
}

// isSlow reports whether the client reads more slowly than an honest room needs: its
// oldest unsent event has waited for longer than a write and a resume may take. Such
// a socket holds up no broadcast, which goes into its outbox while there is a place.
func (s *socket) isSlow() bool {
	if s.outbox.unsent.events == 0 {
		return false
	}
	patience := s.hub.options.WriteTimeout + min(s.hub.options.ResumeWindow, maxHoldUp)
	return s.hub.clock()-s.outbox.at(s.outbox.written+1).at > patience
}
