package rooms

import "encoding/json"

// Why a member is out of its room, beside the reasons for which sockets end.
const (
	left       = "left"        // it said so
	kicked     = "kicked"      // its permit has run out
	roomClosed = "room closed" // by an operator
)

// Join takes a socket out of the room it is in and into another. The others
// there are told by user-connected, and the joiner by room-joined who is there.
// Joining again what it has joined already, as the same user, tells the joiner
// alone: so a join whose answer was lost can be repeated, and a permit renewed.
// The metadata is compact JSON, or nil.
//
// With ErrRoomFull, ErrRosterFull, ErrRoomLocked, ErrTooManyRooms, ErrOutOfMemory,
// ErrOverflow and an error of [Limits].MayTell the socket stays where it was. Any
// other error is the courier's: the joiner itself cannot be told.
func (rs *Rooms) Join(socketID, roomID, userID string, metadata json.RawMessage, permit Permit) error {
	s := rs.takeSeat(socketID)
	defer rs.leaveSeat(socketID, s)

	if s.room != nil && s.room.id == roomID && s.member.is(userID, metadata) {
		return rs.joinAgain(s, permit)
	}
	m, err := rs.newMember(socketID, userID, metadata, permit)
	if err != nil {
		return err
	}
	r, err := rs.reserve(roomID, s, m)
	if err != nil {
		return err
	}
	connected := m.connected()
	if err := rs.mayJoin(r, s, m, connected); err != nil {
		r.mu.Lock()
		r.reserved.giveBack(m)
		rs.unlockRoom(r)
		return err
	}
	rs.vacate(s, left)

	r.mu.Lock()
	err = r.admit(m, connected, rs.courier)
	rs.unlockRoom(r)
	if err != nil {
		return err
	}
	s.room, s.member = r, m
	rs.logger.Info("room joined", "roomId", r.id, "userId", userID, "socketId", socketID)
	return nil
}

// joinAgain tells a member once more who is in its room.
func (rs *Rooms) joinAgain(s *seat, permit Permit) error {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if err := rs.mayTell(s.member, weight(1, s.room.roster.size())); err != nil {
		return err
	}
	s.member.permit = permit
	return s.room.welcome(s.member, rs.courier)
}

// mayJoin asks whether all who are to be told of a join may be: those in the room,
// those in the joiner's former one, and the joiner, who is told of all.
func (rs *Rooms) mayJoin(r *room, s *seat, m *member, connected Event) error {
	leaving := 0
	if s.room != nil && s.room != r {
		s.room.mu.RLock()
		leaving = len(s.room.members)
		s.room.mu.RUnlock()
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	told := weight(len(r.members), connected.Data.Len()) + weight(1, r.roster.size()) + leaving
	if err := rs.mayTell(m, told); err != nil {
		return err
	}
	return rs.courier.Admit(func(yield func(string) bool) {
		if yield(m.socketID) {
			r.others(s.member)(yield)
		}
	}, connected)
}

// Leave takes a socket out of its room. The others are told by
// user-disconnected, the leaver by room-left, unless it is past being told
// anything. The error is ErrNotInRoom.
func (rs *Rooms) Leave(socketID string) error {
	s, err := rs.seated(socketID)
	if err != nil {
		return err
	}
	defer rs.leaveSeat(socketID, s)
	rs.putOut(socketID, s, left)
	return nil
}

// putOut vacates a seat in which somebody sits, and tells him why, unless he is
// past being told anything.
func (rs *Rooms) putOut(socketID string, s *seat, reason string) {
	roomID := s.room.id
	rs.vacate(s, reason)
	_ = rs.courier.Deliver(socketID, newRoomLeft(roomID, reason))
}

// Remove takes a socket that has ended out of its room, if it is in one, and
// tells the others the reason.
func (rs *Rooms) Remove(socketID, reason string) {
	s, err := rs.seated(socketID)
	if err != nil {
		return // it was in no room
	}
	defer rs.leaveSeat(socketID, s)
	rs.vacate(s, reason)
}

// Observe tells the others in a socket's room if the courier's answer to IsAway
// has changed since they were last told. It is to be called whenever it has; any
// goroutine may, and the last to come says what holds.
func (rs *Rooms) Observe(socketID string) {
	s, err := rs.seated(socketID)
	if err != nil {
		return // it is in no room: nobody is to be told
	}
	defer s.mu.Unlock()
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.room.observe(s.member, rs.courier)
}

// vacate empties a seat, if anyone sits in it.
func (rs *Rooms) vacate(s *seat, reason string) {
	if s.room == nil {
		return
	}
	r, m := s.room, s.member
	s.room, s.member = nil, nil
	r.mu.Lock()
	r.dismiss(m, rs.courier, reason)
	rs.unlockRoom(r)
	rs.logger.Info("room left", "roomId", r.id, "userId", m.userID, "socketId", m.socketID, "reason", reason)
}
