package rooms

import "encoding/json"

// The reasons for which a member is out of its room although its socket lives.
const (
	left       = "left"        // the client left
	kicked     = "kicked"      // the member's permit has run out
	roomClosed = "room closed" // an operator closed the room
)

// JoinRequest is what a socket asks for when it joins a room.
type JoinRequest struct {
	RoomID    string
	UserID    string
	Metadata  json.RawMessage // compact JSON; nil: there is none; it is copied
	Permit    Permit
	RequestID string // the requestId of room-joined; empty: there is none
}

// Join takes a socket out of the room it is in, and into another. The joiner receives
// room-joined, which names all members. The other members receive user-connected.
//
// If a socket repeats its join, as the same user with the same metadata, it receives
// room-joined again. The others receive nothing. So a client can repeat a join whose
// answer was lost, and renew its permit.
//
// If the error is ErrRevoked, ErrRoomFull, ErrRosterFull, ErrRoomLocked, ErrTooManyRooms,
// ErrTooManyRoomsOfNetwork or ErrOverflow, the socket stays where it was,
// unless Revoke came at the same moment: then it is in neither room. Any other error
// is the courier's: room-joined cannot be delivered to the joiner, which is then in
// neither room.
func (rs *Rooms) Join(socketID string, request JoinRequest) error {
	s := rs.lockSeat(socketID)
	defer rs.unlockSeat(socketID, s)

	if err := rs.mayJoin(request); err != nil {
		return err
	}
	if s.isAlreadyIn(request) {
		return s.joinAgain(request)
	}
	m := rs.newMember(socketID, request.UserID, request.Metadata, request.Permit, rs.now())
	r, err := rs.reserve(request.RoomID, s, m)
	if err != nil {
		return err
	}
	connected := m.connected()
	if err := rs.admits(r, s, connected); err != nil {
		r.mu.Lock()
		r.reserved.giveBack(m)
		rs.unlockRoom(r)
		return err
	}
	rs.leave(s, left)

	r.mu.Lock()
	if err = rs.mayJoin(request); err == nil {
		err = r.admit(m, connected, request.RequestID)
	} else { // Revoke came meanwhile, and does not find this member
		r.reserved.giveBack(m)
	}
	rs.unlockRoom(r)
	if err != nil {
		return err
	}
	s.room, s.member = r, m
	rs.log("room joined", r, m)
	return nil
}

// joinAgain sends a member room-joined once more.
func (s *seat) joinAgain(request JoinRequest) error {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.member.permit = request.Permit
	return s.room.welcome(s.member, request.RequestID)
}

// admits returns an error if user-connected does not fit into the joiner's share of an
// outbox.
func (rs *Rooms) admits(r *room, joiner *seat, connected Event) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return rs.courier.Admit(func(yield func(string) bool) {
		if yield(connected.From) {
			r.others(joiner.member)(yield)
		}
	}, connected)
}

// Leave takes a socket out of its room. The other members receive user-disconnected.
// The socket receives room-left, unless its outbox accepts nothing more. The request ID
// becomes the requestId of room-left; if it is empty, there is none. The error is
// ErrNotInRoom.
func (rs *Rooms) Leave(socketID, requestID string) error {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return err
	}
	defer rs.unlockSeat(socketID, s)
	rs.leaveAndTell(socketID, s, left, requestID)
	return nil
}

// Remove takes a socket that has ended out of its room, if it is in one. The other
// members receive user-disconnected with the reason.
func (rs *Rooms) Remove(socketID, reason string) {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return // it was in no room
	}
	defer rs.unlockSeat(socketID, s)
	rs.leave(s, reason)
}

// Observe sends user-away or user-back to the other members of a socket's room, if
// the courier's answer to IsAway is not what they heard last. Call it whenever that
// answer changes. Any goroutine may call it: each call asks the courier anew, so the
// last call reports what is true.
func (rs *Rooms) Observe(socketID string) {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return // it is in no room: there are no other members
	}
	defer s.mu.Unlock()
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.room.observe(s.member)
}

// leaveAndTell is leave for a socket that lives: the socket itself receives room-left,
// unless its outbox accepts nothing more. The request ID is empty if the socket did not
// ask to leave.
func (rs *Rooms) leaveAndTell(socketID string, s *seat, reason, requestID string) {
	roomID := s.room.id
	rs.leave(s, reason)
	_ = rs.courier.Deliver(socketID, newRoomLeft(roomID, reason, requestID, rs.now()))
}

// leave empties a seat, if a socket sits in it, and the socket leaves its room.
func (rs *Rooms) leave(s *seat, reason string) {
	if s.room == nil {
		return
	}
	r, m := s.room, s.member
	s.room, s.member = nil, nil
	r.mu.Lock()
	r.leave(m, reason)
	rs.unlockRoom(r)
	rs.log("room left", r, m, "reason", reason)
}
