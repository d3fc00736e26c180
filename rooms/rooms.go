package rooms

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The errors of the operations on rooms. Those of the courier are [ErrGone],
// [ErrOverflow] and [ErrDraining].
var (
	// ErrNotInRoom: the socket is not in a room.
	ErrNotInRoom = errors.New("the socket is not in a room")
	// ErrTargetNotFound: no other member of the sender's room has the target's ID.
	ErrTargetNotFound = errors.New("the room has no other member with this socket ID")
	// ErrRoomFull: the room has as many members as the limits or the permit allow.
	ErrRoomFull = errors.New("the room is full")
	// ErrRosterFull: the joiner's IDs and metadata do not fit into the room's roster.
	ErrRosterFull = errors.New("the room's roster is full")
	// ErrRoomLocked: an operator has locked the room, so it admits no new members.
	ErrRoomLocked = errors.New("the room is locked")
	// ErrTooManyRooms: the server has as many rooms as it may have.
	ErrTooManyRooms = errors.New("there are too many rooms")
	// ErrTooManyRoomsOfNetwork: the joiner's network has made as many rooms as it may
	// have at once.
	ErrTooManyRoomsOfNetwork = errors.New("there are too many rooms of one network")
	// ErrNotPermitted: the member's permit does not allow the operation.
	ErrNotPermitted = errors.New("the member's permit does not allow this")
	// ErrRevoked: the user or the permit is revoked.
	ErrRevoked = errors.New("the user or the permit is revoked")
	// ErrTooManyRevocations: there are as many revocations as there may be.
	ErrTooManyRevocations = errors.New("there are too many revocations")
	// ErrNoRoom: no room has this ID.
	ErrNoRoom = errors.New("no room has this ID")
)

// Rooms is the register of all rooms and seats. Any goroutine may call its methods.
// The operations of one socket happen one after the other.
type Rooms struct {
	// set once
	courier Courier
	options Options
	logger  *slog.Logger

	stays         atomic.Uint64 // how many stays there ever were
	snapshotBytes atomic.Int64  // how much room the next snapshot is given
	revoked       revocations
	changes       changes

	mu      sync.RWMutex         // guards what follows; held for look-ups only
	rooms   map[string]*room     // by room ID
	seats   map[string]*seat     // by socket ID
	created uint64               // how many rooms were ever made
	founded map[netip.Prefix]int // how many rooms exist, by the network that made them
}

// seat is a socket's place in a room. It is in the register while a socket sits in it.
type seat struct {
	mu     sync.Mutex // guards what follows; held throughout one operation of the socket
	room   *room      // nil: no socket sits here, not yet or no longer
	member *member    // nil if room is nil
	gone   bool       // out of the register: look the socket up again
}

// Options configure a register. Any goroutine may call its functions, with locks of this
// package held: they must not block or call back into this package.
type Options struct {
	Members         int // how many members one room may have
	RosterBytes     int // how many bytes the members of one room may take in room-joined; 0: no bound
	Rooms           int // how many rooms may exist; 0: no bound, but each room needs a socket
	RoomsPerNetwork int // how many rooms may exist that the same network has made; 0: no bound

	// Changes is how many of the newest changes are kept, delivered or not; 0: none. Several nodes
	// must have the same number.
	Changes int
	// OnChange is called when a change is kept, or with true when changes are to be delivered again.
	// Nil: it is not called.
	OnChange func(again bool)

	// Charge counts bytes that are held for members and changes now. A negative number gives them back.
	// Nil: nothing is counted.
	Charge func(bytes int)
	// Now returns the time of an operation. Nil: time.Now.
	Now func() time.Time
	// NewID returns an ID for a chat message, which no other message has. Nil: rand.Text.
	NewID func() string
	// Logs reports whether an operation is logged here. If several nodes apply it, one of them
	// logs it. Nil: each operation is logged.
	Logs func() bool
	// Context returns a context for lines of the log about a socket, such as one with a trace.
	// Nothing else depends on it. Nil: context.Background.
	Context func(socketID string) context.Context
}

// New returns an empty register. Permits expire only by [Rooms.Run] or [Rooms.Expire].
func New(courier Courier, o Options, logger *slog.Logger) *Rooms {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = rand.Text
	}
	if o.Logs == nil {
		o.Logs = func() bool { return true }
	}
	if o.Context == nil {
		o.Context = func(string) context.Context { return context.Background() }
	}
	if o.OnChange == nil {
		o.OnChange = func(bool) {}
	}
	return &Rooms{
		courier: courier,
		options: o,
		logger:  logger,
		rooms:   make(map[string]*room),
		seats:   make(map[string]*seat),
		founded: make(map[netip.Prefix]int),
	}
}

// log logs what has happened to a member, unless another node does.
func (rs *Rooms) log(what string, r *room, m *member, attributes ...any) {
	if rs.options.Logs() {
		attributes = append([]any{"roomId", r.id, "userId", m.userID, "socketId", m.socketID}, attributes...)
		rs.logger.InfoContext(rs.options.Context(m.socketID), what, attributes...)
	}
}

// lockSeat returns a socket's seat, locked. It makes the seat if the socket has none.
func (rs *Rooms) lockSeat(socketID string) *seat {
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

// lockOccupiedSeat returns the seat of a socket that is in a room, locked.
func (rs *Rooms) lockOccupiedSeat(socketID string) (*seat, error) {
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

// lockStay returns the seat of a socket, locked, if this stay has not ended.
func (rs *Rooms) lockStay(stay Stay) (s *seat, ok bool) {
	s, err := rs.lockOccupiedSeat(stay.SocketID)
	if err != nil {
		return nil, false
	}
	if s.member.number != stay.Number {
		s.mu.Unlock()
		return nil, false
	}
	return s, true
}

// unlockSeat unlocks a seat, and takes it out of the register if no socket sits in it.
func (rs *Rooms) unlockSeat(socketID string, s *seat) {
	if s.room == nil {
		s.gone = true
		rs.mu.Lock()
		delete(rs.seats, socketID)
		rs.mu.Unlock()
	}
	s.mu.Unlock()
}

// isAlreadyIn reports whether the socket is in the room of the request as the same user,
// with the same metadata: a join would change nothing. The seat's lock must be held.
func (s *seat) isAlreadyIn(request JoinRequest) bool {
	return s.room != nil && s.room.id == request.RoomID && s.member.userID == request.UserID && bytes.Equal(s.member.metadata, request.Metadata)
}

// reserve holds a place for m in a room, and makes the room if it does not exist. The
// joiner's own place in that room counts as free: the joiner leaves it first.
func (rs *Rooms) reserve(roomID string, own *seat, m *member) (*room, error) {
	maxMembers := rs.options.Members
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
		case r.closed: // its last member has just left: look the ID up again
			r.mu.Unlock()
			continue
		case r.locked && own.room != r:
			err = ErrRoomLocked
		case taken.members >= maxMembers:
			err = ErrRoomFull
		case rs.options.RosterBytes > 0 && taken.members > 0 && taken.bytes+len(m.entry) > rs.options.RosterBytes:
			err = ErrRosterFull
		default:
			r.reserved.take(m)
		}
		r.mu.Unlock()
		return r, err
	}
}

// now returns the time of the operation under way.
func (rs *Rooms) now() time.Time { return rs.options.Now().Round(0).UTC() }

// find returns the room with this ID, or nil.
func (rs *Rooms) find(roomID string) *room {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return rs.rooms[roomID]
}

// findOrMake returns the room with this ID, and makes it if it does not exist.
func (rs *Rooms) findOrMake(roomID string, founder netip.Prefix) (*room, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.rooms[roomID]; r != nil {
		return r, nil
	}
	if rs.options.Rooms > 0 && len(rs.rooms) >= rs.options.Rooms {
		return nil, ErrTooManyRooms
	}
	if most := rs.options.RoomsPerNetwork; most > 0 && rs.founded[founder] >= most {
		return nil, ErrTooManyRoomsOfNetwork
	}
	r := newRoom(rs, roomID, founder, rs.now())
	rs.rooms[roomID] = r
	rs.founded[founder]++
	rs.created++
	return r, nil
}

// list returns the rooms that exist now, in no order.
func (rs *Rooms) list() []*room {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	all := make([]*room, 0, len(rs.rooms))
	for _, r := range rs.rooms {
		all = append(all, r)
	}
	return all
}

// unlockRoom unlocks a room, and takes it out of the register if it is empty.
func (rs *Rooms) unlockRoom(r *room) {
	wasClosed := r.closed
	r.closed = len(r.members) == 0 && r.reserved.members == 0
	isClosed := r.closed
	if isClosed && !wasClosed && r.isNoted {
		rs.note(Change{Kind: RoomClosed, RoomID: r.id})
	}
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
