package rooms

import "time"

// Info describes a room to operators.
type Info struct {
	RoomID       string
	Members      []MemberInfo // in order of joining
	CreatedAt    time.Time
	LastActivity time.Time // when a member last joined, left or said something
	IsLocked     bool      // no new members are admitted
}

// MemberInfo describes a member of a room to operators.
type MemberInfo struct {
	UserID   string
	SocketID string
	JoinedAt time.Time
	IsAway   bool // the socket has had no reader for a while, and may still resume
}

// Room describes one room. The second result is false if no room with this ID has
// members.
func (rs *Rooms) Room(roomID string) (Info, bool) {
	r := rs.find(roomID)
	if r == nil {
		return Info{}, false
	}
	return r.info()
}

// Counts returns how many rooms there are now, how many sockets have a seat, and how
// many rooms were ever made.
func (rs *Rooms) Counts() (active, members int, total uint64) {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return len(rs.rooms), len(rs.seats), rs.created
}

// Place returns the room that a socket is in, and the socket's user ID there. The last
// result is false if the socket is not in a room.
func (rs *Rooms) Place(socketID string) (roomID, userID string, ok bool) {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return "", "", false
	}
	defer s.mu.Unlock()
	return s.room.id, s.member.userID, true
}

// info describes the room. The second result is false if the room has no members:
// nobody has entered it yet, or all have left.
func (r *room) info() (Info, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.members) == 0 {
		return Info{}, false
	}
	info := Info{
		RoomID:       r.id,
		Members:      make([]MemberInfo, len(r.members)),
		CreatedAt:    r.createdAt,
		LastActivity: time.Unix(0, r.lastActivity.Load()).UTC(),
		IsLocked:     r.locked,
	}
	for i, m := range r.members {
		info.Members[i] = MemberInfo{m.userID, m.socketID, m.joinedAt, !m.awaySince.IsZero()}
	}
	return info, true
}
