package rooms

import (
	"crypto/rand"
	"errors"
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
	err = rs.courier.Deliver(target, relay.Kind, relay.encode(socketID))
	if errors.Is(err, ErrGone) {
		return ErrTargetNotFound // it has ended, and its room is about to be told
	}
	s.room.touch()
	return err
}

// SignalAll relays an event from a socket to all other members of its room. The
// error is ErrNotInRoom, ErrNotPermitted or ErrDraining.
func (rs *Rooms) SignalAll(socketID string, relay Relay) error {
	return rs.broadcast(socketID, Permit.signals, func(r *room, sender *member) error {
		return r.tell(sender, rs.courier, relay.Kind, relay.encode(socketID))
	})
}

// Chat sends a message to everyone in the socket's room, itself included. The
// error is ErrNotInRoom, ErrNotPermitted or ErrDraining.
func (rs *Rooms) Chat(socketID, message string) error {
	return rs.broadcast(socketID, Permit.chats, func(r *room, sender *member) error {
		return r.tell(nil, rs.courier, "new-message", encode(newMessage{
			Type:      "new-message",
			ID:        rand.Text(),
			RoomID:    r.id,
			UserID:    sender.userID,
			SocketID:  sender.socketID,
			Message:   message,
			Timestamp: timestamp(time.Now()),
		}))
	})
}

// Typing tells the others in the socket's room that it is writing, or no
// longer. The error is ErrNotInRoom, ErrNotPermitted or ErrDraining.
func (rs *Rooms) Typing(socketID string, isTyping bool) error {
	return rs.broadcast(socketID, Permit.chats, func(r *room, sender *member) error {
		return r.tell(sender, rs.courier, "user-typing", encode(userTyping{"user-typing", sender.userID, sender.socketID, isTyping}))
	})
}

// broadcast runs say while nothing else is said in the socket's room, so that
// all members hear everything in one order.
func (rs *Rooms) broadcast(socketID string, may func(Permit) bool, say func(*room, *member) error) error {
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
	s.room.touch()
	return say(s.room, s.member)
}
