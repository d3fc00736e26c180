package rooms

import "time"

// Info describes a room to operators.
type Info struct {
	RoomID       string
	Members      []MemberInfo // in order of joining
	CreatedAt    time.Time
	LastActivity time.Time
	IsLocked     bool // nobody else is let in
}

// MemberInfo describes a member of a room to operators.
type MemberInfo struct {
	UserID   string
	SocketID string
	JoinedAt time.Time
	IsAway   bool // it has not been there for a while, and may come back
}

// Room describes one room, if it exists.
func (rs *Rooms) Room(roomID string) (Info, bool) {
	r := rs.find(roomID)
	if r == nil {
		return Info{}, false
	}
	return r.info()
}

// Counts tells how many rooms there are, how many sockets sit in them, and how
// many rooms there ever were.
func (rs *Rooms) Counts() (active, members int, total uint64) {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return len(rs.rooms), len(rs.seats), rs.created
}

func (rs *Rooms) snapshot() []*room {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	all := make([]*room, 0, len(rs.rooms))
	for _, r := range rs.rooms {
		all = append(all, r)
	}
	return all
}

// info is false for a room that nobody has entered yet, or that all have left.
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
		LastActivity: time.Unix(0, r.lastActivity.Load()),
		IsLocked:     r.locked,
	}
	for i, m := range r.members {
		info.Members[i] = MemberInfo{m.userID, m.socketID, m.joinedAt, !m.awaySince.IsZero()}
	}
	return info, true
}
