package rooms

import (
	"encoding/json"
	"slices"
	"time"
)

// Announce tells all in a room what an operator has to say: any compact JSON. The
// error is ErrNoRoom or ErrDraining.
func (rs *Rooms) Announce(roomID string, data json.RawMessage) error {
	r := rs.find(roomID)
	if r == nil {
		return ErrNoRoom
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) == 0 {
		return ErrNoRoom
	}
	e := Event{Kind: "announcement", Data: encode(announcement{"announcement", r.id, data, timestamp(time.Now())})}
	return rs.courier.Tell(r.all(), e)
}

// SetLocked lets nobody else into a room, or again whoever comes. Its members
// stay, and may join anew as others. A room that all have left is gone, and its
// lock with it. The error is ErrNoRoom.
func (rs *Rooms) SetLocked(roomID string, locked bool) error {
	r := rs.find(roomID)
	if r == nil {
		return ErrNoRoom
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) == 0 {
		return ErrNoRoom
	}
	r.locked = locked
	return nil
}

// Close takes all out of a room who are in it, and tells them why; their sockets
// live on. Whoever joins meanwhile has joined afterwards. The error is ErrNoRoom.
func (rs *Rooms) Close(roomID string) error {
	r := rs.find(roomID)
	if r == nil {
		return ErrNoRoom
	}
	members := r.snapshot()
	if len(members) == 0 {
		return ErrNoRoom
	}
	rs.evict(members, roomClosed, func(Permit) bool { return true })
	return nil
}

// evict puts those members out who still sit in their room, and whose permits are
// such.
func (rs *Rooms) evict(members []*member, reason string, such func(Permit) bool) {
	for _, m := range members {
		s, err := rs.seated(m.socketID)
		if err != nil {
			continue // it has left meanwhile
		}
		if s.member == m && such(m.permit) {
			rs.putOut(m.socketID, s, reason)
		}
		rs.leaveSeat(m.socketID, s)
	}
}

func (rs *Rooms) find(roomID string) *room {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return rs.rooms[roomID]
}

func (r *room) snapshot() []*member {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.members)
}
