package rooms

import (
	"crypto/rand"
	"errors"
	"iter"
	"time"
)

// Signal relays an event from a socket to one other member of its room. The
// error is ErrNotInRoom, ErrNotPermitted, ErrTargetNotFound, ErrOverflow or
// ErrDraining.
func (rs *Rooms) Signal(socketID, target string, relay Relay) error {
	s, err := rs.seated(socketID)
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
		return ErrTargetNotFound // it has ended, and its room is about to be told
	}
	s.room.touch()
	return err
}

// SignalAll relays an event from a socket to all other members of its room. The
// error is ErrNotInRoom, ErrNotPermitted, ErrOverflow, ErrDraining or one of
// [Limits].MayTell.
func (rs *Rooms) SignalAll(socketID string, relay Relay) error {
	return rs.broadcast(socketID, Permit.signals, toOthers, func(*room, *member) Event { return relay.event(socketID) })
}

// Chat sends a message to everyone in the socket's room, itself included. The
// errors are those of [Rooms.SignalAll].
func (rs *Rooms) Chat(socketID, message string) error {
	return rs.broadcast(socketID, Permit.chats, toAll, func(r *room, sender *member) Event {
		return Event{Kind: "new-message", From: socketID, Data: encode(newMessage{
			Type:      "new-message",
			ID:        rand.Text(),
			RoomID:    r.id,
			UserID:    sender.userID,
			SocketID:  sender.socketID,
			Message:   message,
			Timestamp: timestamp(time.Now()),
		})}
	})
}

// Typing tells the others in the socket's room that it is writing, or no
// longer. The errors are those of [Rooms.SignalAll].
func (rs *Rooms) Typing(socketID string, isTyping bool) error {
	return rs.broadcast(socketID, Permit.chats, toOthers, func(_ *room, sender *member) Event {
		return Event{
			Kind: "user-typing", From: socketID, Key: key{sender, keyTyping},
			Data: encode(userTyping{"user-typing", sender.userID, sender.socketID, isTyping}),
		}
	})
}

// audience is which members of its room a sender speaks to.
type audience func(r *room, sender *member) iter.Seq[string]

func toAll(r *room, _ *member) iter.Seq[string]         { return r.all() }
func toOthers(r *room, sender *member) iter.Seq[string] { return r.others(sender) }

// broadcast tells an event while nothing else is told in the socket's room, so that
// all members receive everything in one order. It is told to all of them or, if the
// sender has used up its share of one outbox, to none.
func (rs *Rooms) broadcast(socketID string, may func(Permit) bool, to audience, newEvent func(*room, *member) Event) error {
	s, err := rs.seated(socketID)
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
	if err := rs.mayTell(s.member, weight(len(s.room.members), e.Data.Len())); err != nil {
		return err
	}
	if err := rs.courier.Admit(receivers, e); err != nil {
		return err
	}
	s.room.touch()
	return rs.courier.Tell(receivers, e)
}

// weight is what it costs to tell something to so many: one for each, and one for
// each further 4 KiB that each receives.
func weight(receivers, bytes int) int { return receivers * (1 + bytes>>12) }

func (rs *Rooms) mayTell(m *member, weight int) error {
	if rs.limits.MayTell == nil {
		return nil
	}
	return rs.limits.MayTell(m.permit.Network, m.socketID, weight)
}
