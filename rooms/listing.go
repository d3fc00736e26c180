package rooms

import "iter"

// Listed is a room in a list that is being read. It must not be kept: it holds all
// that the room holds. [Rooms.Room] describes the room later, by its ID.
type Listed struct{ room *room }

// RoomID returns the room's ID.
func (l Listed) RoomID() string { return l.room.id }

// Exists reports whether the room has members.
func (l Listed) Exists() bool {
	l.room.mu.RLock()
	defer l.room.mu.RUnlock()
	return len(l.room.members) > 0
}

// Info describes the room as it is now. It is false if the room has no members.
func (l Listed) Info() (Info, bool) { return l.room.info() }

// Each lists the rooms that there are when the list is first read, in no order. No
// lock is held between two of them: some may have no members, or none any more.
func (rs *Rooms) Each() iter.Seq[Listed] {
	return func(yield func(Listed) bool) {
		for _, r := range rs.snapshot() {
			if !yield(Listed{r}) {
				return
			}
		}
	}
}

// Place returns the room that a socket is in, and its user ID there.
func (rs *Rooms) Place(socketID string) (roomID, userID string, ok bool) {
	s, err := rs.seated(socketID)
	if err != nil {
		return "", "", false
	}
	defer s.mu.Unlock()
	return s.room.id, s.member.userID, true
}
