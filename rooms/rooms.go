package rooms

import (
	"errors"
	"log/slog"
	"net/netip"
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
	// ErrRosterFull: what the members say of themselves is as much as a room may hold.
	ErrRosterFull = errors.New("the room's roster is full")
	// ErrOutOfMemory: the memory for clients is used up.
	ErrOutOfMemory = errors.New("the memory for clients is used up")
	// ErrRoomLocked: an operator lets nobody in any more.
	ErrRoomLocked = errors.New("the room is locked")
	// ErrTooManyRooms: there are as many rooms as there may be.
	ErrTooManyRooms = errors.New("there are too many rooms")
	// ErrTooManyRoomsOfNetwork: the joiner's network has made as many as it may.
	ErrTooManyRoomsOfNetwork = errors.New("there are too many rooms of one network")
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
	seats   map[string]*seat     // by socket ID
	created uint64               // rooms ever
	founded map[netip.Prefix]int // rooms that there are, by the network that made them
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
	Members         int // of one room
	RosterBytes     int // of one room: its members as room-joined names them; 0: no bound
	Rooms           int // in all; 0: as many as there are sockets
	RoomsPerNetwork int // that one network has made; 0: no bound

	// MayTell is asked before a member tells something to its room: the weight is how
	// many receive it, more if it is large. It must not block, nor call back into this
	// package. Its error is returned to the caller. Nil: always.
	MayTell func(network netip.Prefix, socketID string, weight int) error
	// Account is charged for members. Nil: nothing is.
	Account Account
}

// Account counts memory, in bytes. Any goroutine may call its methods.
type Account interface {
	Charge(bytes int)    // negative: gives back
	Take(bytes int) bool // false: there is none left, and nothing is charged
}

// New makes an empty register.
func New(courier Courier, limits Limits, logger *slog.Logger) *Rooms {
	return &Rooms{
		courier: courier,
		limits:  limits,
		logger:  logger,
		rooms:   make(map[string]*room),
		seats:   make(map[string]*seat),
		founded: make(map[netip.Prefix]int),
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

// reserve holds a place for m in a room, which it makes where there is none. A place
// in the joiner's own room will be free when it has left that.
func (rs *Rooms) reserve(roomID string, own *seat, m *member) (*room, error) {
	maxMembers := rs.limits.Members
	if wanted := m.permit.MaxMembers; wanted != 0 && wanted < maxMembers {
		maxMembers = wanted
	}
	for {
		r, err := rs.findOrMake(roomID, m.permit.Network)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		taken := r.taken(own)
		switch {
		case r.closed: // its last member has just left; the next room of this name is another
			r.mu.Unlock()
			continue
		case r.locked && own.room != r:
			err = ErrRoomLocked
		case taken.members >= maxMembers:
			err = ErrRoomFull
		case rs.limits.RosterBytes > 0 && taken.members > 0 && taken.bytes+len(m.entry) > rs.limits.RosterBytes:
			err = ErrRosterFull
		default:
			r.reserved.take(m)
		}
		r.mu.Unlock()
		return r, err
	}
}

// findOrMake returns the room of this ID, which it makes where there is none.
func (rs *Rooms) findOrMake(roomID string, founder netip.Prefix) (*room, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.rooms[roomID]; r != nil {
		return r, nil
	}
	if rs.limits.Rooms > 0 && len(rs.rooms) >= rs.limits.Rooms {
		return nil, ErrTooManyRooms
	}
	if most := rs.limits.RoomsPerNetwork; most > 0 && rs.founded[founder] >= most {
		return nil, ErrTooManyRoomsOfNetwork
	}
	r := newRoom(roomID)
	r.founder = founder
	rs.rooms[roomID] = r
	rs.founded[founder]++
	rs.created++
	return r, nil
}

// unlockRoom unlocks a room, and takes it out of the register if it is empty.
func (rs *Rooms) unlockRoom(r *room) {
	wasClosed := r.closed
	r.closed = len(r.members) == 0 && r.reserved.members == 0
	isClosed := r.closed
	r.mu.Unlock()
	if !isClosed || wasClosed {
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.rooms, r.id)
	if rs.founded[r.founder]--; rs.founded[r.founder] == 0 {
		delete(rs.founded, r.founder)
	}
}
