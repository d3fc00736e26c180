package rooms

import (
	"errors"
	"log/slog"
	"sync"
)

// Why an operation was refused.
var (
	// ErrNotInRoom: the socket is in no room.
	ErrNotInRoom = errors.New("the socket is in no room")
	// ErrTargetNotFound: the target is no other member of the sender's room.
	ErrTargetNotFound = errors.New("no such socket in the room")
	// ErrRoomFull: the room has as many members as it may have.
	ErrRoomFull = errors.New("the room is full")
	// ErrRoomLocked: an operator lets nobody in any more.
	ErrRoomLocked = errors.New("the room is locked")
	// ErrTooManyRooms: there are as many rooms as there may be.
	ErrTooManyRooms = errors.New("there are too many rooms")
	// ErrNotPermitted: the member was admitted without leave to do this.
	ErrNotPermitted = errors.New("the member has no leave to do this")
	// ErrNoRoom: there is no such room.
	ErrNoRoom = errors.New("there is no such room")
)

// Rooms is the register of all rooms and of who sits in them. Its methods may
// be called by any goroutine; the operations of one socket happen one after the
// other.
type Rooms struct {
	// set once
	courier Courier
	limits  Limits
	logger  *slog.Logger

	mu      sync.RWMutex // guards what follows; held for look-ups only
	rooms   map[string]*room
	seats   map[string]*seat // by socket ID
	created uint64           // rooms ever
}

// seat is a socket's place in a room. It is in the register while it is taken.
type seat struct {
	mu     sync.Mutex // held for one operation of the socket; guards what follows
	room   *room      // nil: not yet or no longer taken
	member *member
	gone   bool // out of the register: look it up again
}

// Limits bound a register.
type Limits struct {
	Members int // of one room
	Rooms   int // in all; 0: as many as there are sockets
}

// New makes an empty register.
func New(courier Courier, limits Limits, logger *slog.Logger) *Rooms {
	return &Rooms{
		courier: courier,
		limits:  limits,
		logger:  logger,
		rooms:   make(map[string]*room),
		seats:   make(map[string]*seat),
	}
}

// takeSeat returns a socket's seat, locked, and makes one where there is none.
func (rs *Rooms) takeSeat(socketID string) *seat {
	for {
		rs.mu.Lock()
		s := rs.seats[socketID]
		if s == nil {
			s = new(seat)
			rs.seats[socketID] = s
		}
		rs.mu.Unlock()
		s.mu.Lock()
		if !s.gone {
			return s
		}
		s.mu.Unlock()
	}
}

// seated returns the seat of a socket that is in a room, locked.
func (rs *Rooms) seated(socketID string) (*seat, error) {
	rs.mu.RLock()
	s := rs.seats[socketID]
	rs.mu.RUnlock()
	if s == nil {
		return nil, ErrNotInRoom
	}
	s.mu.Lock()
	if s.room == nil {
		s.mu.Unlock()
		return nil, ErrNotInRoom
	}
	return s, nil
}

// leaveSeat unlocks a seat, and takes it out of the register if nobody sits in
// it.
func (rs *Rooms) leaveSeat(socketID string, s *seat) {
	if s.room == nil {
		s.gone = true
		rs.mu.Lock()
		delete(rs.seats, socketID)
		rs.mu.Unlock()
	}
	s.mu.Unlock()
}

// reserve holds a place in a room, which it makes where there is none, for a
// joiner who is content with so many members (0: as many as may be). A place in
// the joiner's own room will be free when it has left that.
func (rs *Rooms) reserve(roomID string, own *room, maxMembers int) (*room, error) {
	if maxMembers == 0 || maxMembers > rs.limits.Members {
		maxMembers = rs.limits.Members
	}
	for {
		rs.mu.Lock()
		r := rs.rooms[roomID]
		if r == nil && rs.limits.Rooms > 0 && len(rs.rooms) >= rs.limits.Rooms {
			rs.mu.Unlock()
			return nil, ErrTooManyRooms
		}
		if r == nil {
			r = newRoom(roomID)
			rs.rooms[roomID] = r
			rs.created++
		}
		rs.mu.Unlock()

		r.mu.Lock()
		full := r.places(own) >= maxMembers
		switch {
		case r.closed: // its last member has just left; the next room of this name is another
			r.mu.Unlock()
			continue
		case r.locked && own != r:
			r.mu.Unlock()
			return nil, ErrRoomLocked
		case full:
			r.mu.Unlock()
			return nil, ErrRoomFull
		}
		r.reserved++
		r.mu.Unlock()
		return r, nil
	}
}

// unlockRoom unlocks a room, and takes it out of the register if it is empty.
func (rs *Rooms) unlockRoom(r *room) {
	empty := len(r.members) == 0 && r.reserved == 0
	r.closed = empty
	r.mu.Unlock()
	if empty {
		rs.mu.Lock()
		delete(rs.rooms, r.id)
		rs.mu.Unlock()
	}
}
