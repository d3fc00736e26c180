package rooms

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// room is a named set of sockets.
type room struct {
	// set once
	id        string
	createdAt time.Time

	lastActivity atomic.Int64 // Unix time in nanoseconds

	mu       sync.RWMutex // guards what follows; broadcasts are handed over under it, in one order for all
	members  []*member    // in order of joining
	bySocket map[string]*member
	reserved int  // places held for those who are about to join
	closed   bool // empty, and out of the register
}

// member is a socket's stay in a room. It never changes.
type member struct {
	socketID string
	userID   string
	metadata json.RawMessage
	joinedAt time.Time
	entry    json.RawMessage // its place in users, serialised once
}

func newRoom(id string) *room {
	r := &room{id: id, createdAt: time.Now(), bySocket: make(map[string]*member)}
	r.touch()
	return r
}

func newMember(socketID, userID string, metadata json.RawMessage) *member {
	m := &member{socketID: socketID, userID: userID, metadata: metadata, joinedAt: time.Now()}
	m.entry = encode(m.user())
	return m
}

func (m *member) user() User { return User{m.userID, m.socketID, m.metadata} }

// is tells whether a join asks for what this member is already.
func (m *member) is(userID string, metadata json.RawMessage) bool {
	return m.userID == userID && bytes.Equal(m.metadata, metadata)
}

// places counts those that are taken or held. A joiner that comes from this
// very room leaves its own.
func (r *room) places(own *room) int {
	taken := len(r.members) + r.reserved
	if own == r {
		taken--
	}
	return taken
}

// admit makes m a member in the place held for it, tells it who is there, and
// tells the others. When m's socket can no longer be told, it is not admitted.
func (r *room) admit(m *member, courier Courier) error {
	r.reserved--
	r.members = append(r.members, m)
	r.bySocket[m.socketID] = m
	if err := r.welcome(m, courier); err != nil {
		r.remove(m)
		return err
	}
	r.touch()
	r.tell(m, courier, "user-connected", encode(userConnected{"user-connected", m.user(), timestamp(m.joinedAt)}))
	return nil
}

// welcome tells m who is in the room.
func (r *room) welcome(m *member, courier Courier) error {
	users := make([]json.RawMessage, len(r.members))
	for i, other := range r.members {
		users[i] = other.entry
	}
	return courier.Deliver(m.socketID, "room-joined",
		encode(roomJoined{"room-joined", r.id, m.userID, users, timestamp(time.Now())}))
}

// dismiss takes m out of the room and tells the others why.
func (r *room) dismiss(m *member, courier Courier, reason string) {
	r.remove(m)
	r.touch()
	r.tell(m, courier, "user-disconnected",
		encode(userDisconnected{"user-disconnected", m.userID, m.socketID, reason, timestamp(time.Now())}))
}

func (r *room) remove(m *member) {
	delete(r.bySocket, m.socketID)
	i := slices.Index(r.members, m)
	r.members = slices.Delete(r.members, i, i+1)
}

// tell hands an event over to all members but one (nil: to all). A member that
// cannot take it has ended or is about to, and everybody is told so when it
// does; so there is no error to pass on.
func (r *room) tell(except *member, courier Courier, kind string, data []byte) {
	for _, m := range r.members {
		if m != except {
			_ = courier.Deliver(m.socketID, kind, data)
		}
	}
}

func (r *room) touch() { r.lastActivity.Store(time.Now().UnixNano()) }
