package rooms

import (
	"encoding/json"
	"slices"
)

// Announce sends an operator's announcement to all members of a room. The data is any
// compact JSON, and is copied. The error is ErrNoRoom or ErrDraining.
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
	return rs.courier.Tell(r.all(), rs.announcement(r, data))
}

// AnnounceTo sends an operator's announcement to one member of a room. The data is as for
// [Rooms.Announce]. The error is ErrNotInRoom or ErrDraining.
func (rs *Rooms) AnnounceTo(socketID string, data json.RawMessage) error {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	return rs.courier.Tell(slices.Values([]string{socketID}), rs.announcement(s.room, data))
}

func (rs *Rooms) announcement(r *room, data json.RawMessage) Event {
	return Event{Kind: "announcement", Data: encode(announcement{"announcement", r.id, data, timestamp(rs.now())})}
}

// SetLocked locks a room or unlocks it. A locked room admits no new members. Its
// members stay, and may join it again, also as other users. The lock ends
// with the room, when the last member leaves. The error is ErrNoRoom.
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

// Close takes all members out of a room. Each receives room-left with the reason
// "room closed", and its socket lives on. A socket that joins while Close runs stays,
// as if it had joined afterwards. The error is ErrNoRoom.
func (rs *Rooms) Close(roomID string) error {
	r := rs.find(roomID)
	if r == nil {
		return ErrNoRoom
	}
	members := r.list()
	if len(members) == 0 {
		return ErrNoRoom
	}
	for _, m := range members {
		if s, ok := rs.lockStay(Stay{m.socketID, m.number}); ok {
			rs.leaveAndTell(m.socketID, s, roomClosed, "")
			rs.unlockSeat(m.socketID, s)
		}
	}
	return nil
}
