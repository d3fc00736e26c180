package rooms

import (
	"errors"
	"iter"
	"time"
)

// Relay is an event that reaches other members as its sender wrote it, with the
// sender added.
type Relay struct {
	// Kind is the event's type.
	Kind string
	// Members is the JSON of the event without type and from, compact and without the
	// enclosing braces: `"target":"x","offer":{…}`. It may be empty. It is copied.
	Members []byte
}

// event stamps the event with its sender and serialises it.
func (r Relay) event(from string) Event {
	text := make(line, 0, r.length(from))
	text = append(text, `{"type":"`...)
	text = append(text, r.Kind...)
	text = append(text, `","from":"`...)
	text = append(text, from...)
	text = append(text, '"')
	if len(r.Members) > 0 {
		text = append(text, ',')
		text = append(text, r.Members...)
	}
	return Event{Kind: r.Kind, Data: append(text, '}'), From: from}
}

// length returns how many bytes the event has at most.
func (r Relay) length(from string) int {
	return len(`{"type":"","from":"",}`) + len(r.Kind) + len(from) + len(r.Members)
}

// Signal relays an event from a socket to one other member of its room. The error is
// ErrNotInRoom, ErrNotPermitted, ErrTargetNotFound, ErrOverflow or ErrDraining.
func (rs *Rooms) Signal(socketID, target string, relay Relay) error {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.member.permit.NoSignals {
		return ErrNotPermitted
	}
	if target == socketID {
		return ErrTargetNotFound
	}
	s.room.mu.RLock()
	defer s.room.mu.RUnlock()
	if s.room.bySocket[target] == nil {
		return ErrTargetNotFound
	}
	err = rs.courier.Send(target, relay.event(socketID))
	if errors.Is(err, ErrGone) {
		return ErrTargetNotFound // the target has ended, and user-disconnected is about to follow
	}
	s.room.touch()
	return err
}

// SignalAll relays an event from a socket to all other members of its room, or to
// none. The error is ErrNotInRoom, ErrNotPermitted, ErrOverflow or ErrDraining.
func (rs *Rooms) SignalAll(socketID string, relay Relay) error {
	return rs.broadcast(socketID, Permit.maySignal, toOthers, func(*room, *member) Event { return relay.event(socketID) })
}

// Chat sends a chat message to all members of the socket's room, the sender included.
// The errors are those of [Rooms.SignalAll].
func (rs *Rooms) Chat(socketID, message string) error {
	return rs.broadcast(socketID, Permit.mayChat, toAll, func(r *room, sender *member) Event {
		return r.chat(sender, message, rs.options.NewID(), rs.now())
	})
}

// chat is a message of a member to the room.
func (r *room) chat(sender *member, message, id string, at time.Time) Event {
	return Event{Kind: "new-message", From: sender.socketID, Data: encode(newMessage{
		Type:      "new-message",
		ID:        id,
		RoomID:    r.id,
		UserID:    sender.userID,
		SocketID:  sender.socketID,
		Message:   message,
		Timestamp: timestamp(at),
	})}
}

// Typing sends user-typing to the other members of the socket's room: the sender's
// user is typing, or has stopped. The errors are those of [Rooms.SignalAll].
func (rs *Rooms) Typing(socketID string, isTyping bool) error {
	return rs.broadcast(socketID, Permit.mayChat, toOthers, func(_ *room, sender *member) Event { return sender.typing(isTyping) })
}

// typing says whether a member is typing.
func (m *member) typing(isTyping bool) Event {
	return Event{Kind: "user-typing", From: m.socketID, Key: m.key(keyTyping),
		Data: encode(userTyping{"user-typing", m.userID, m.socketID, isTyping})}
}

// audience returns the sockets that receive a sender's event.
type audience func(r *room, sender *member) iter.Seq[string]

func toAll(r *room, _ *member) iter.Seq[string]         { return r.all() }
func toOthers(r *room, sender *member) iter.Seq[string] { return r.others(sender) }

// broadcast sends an event to an audience in the socket's room. Nothing else is sent in
// the room meanwhile, so all members receive everything in one order. If the sender has
// used up its share of one outbox, nobody receives the event.
func (rs *Rooms) broadcast(socketID string, may func(Permit) bool, to audience, newEvent func(*room, *member) Event) error {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if !may(s.member.permit) {
		return ErrNotPermitted
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	e := newEvent(s.room, s.member)
	receivers := to(s.room, s.member)
	if err := rs.courier.Admit(receivers, e); err != nil {
		return err
	}
	s.room.touch()
	return rs.courier.Tell(receivers, e)
}
