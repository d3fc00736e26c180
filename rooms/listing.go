package rooms

import "iter"

// Listed is a room in a list that is being read. Do not keep a Listed: it keeps the
// whole room in memory. To describe the room later, call [Rooms.Room] with its ID.
type Listed struct{ room *room }

// RoomID returns the room's ID.
func (l Listed) RoomID() string { return l.room.id }

// Exists reports whether the room has members.
func (l Listed) Exists() bool {
	l.room.mu.RLock()
	defer l.room.mu.RUnlock()
	return len(l.room.members) > 0
}

// Info describes the room as it is now. The second result is false if the room has
// no members.
func (l Listed) Info() (Info, bool) { return l.room.info() }

// Each lists the rooms that exist when the list is first read, in no order. No lock
// is held between two rooms. Some may have no members yet, or none any more.
func (rs *Rooms) Each() iter.Seq[Listed] {
	return func(yield func(Listed) bool) {
		for _, r := range rs.list() {
			if !yield(Listed{r}) {
				return
			}
		}
	}
}
