package rooms

import (
	"bytes"
	"encoding/json"
	"errors"
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
	locked   bool // nobody else is let in
	closed   bool // empty, and out of the register
}

// member is a socket's stay in a room.
type member struct {
	// set once
	socketID string
	userID   string
	metadata json.RawMessage
	joinedAt time.Time
	entry    json.RawMessage // its place in users, serialised once

	permit    Permit    // the seat's lock guards it
	awaySince time.Time // zero: it is there; the room's lock guards it
}

func newRoom(id string) *room {
	r := &room{id: id, createdAt: time.Now(), bySocket: make(map[string]*member)}
	r.touch()
	return r
}

func newMember(socketID, userID string, metadata json.RawMessage, permit Permit) *member {
	m := &member{socketID: socketID, userID: userID, metadata: metadata, permit: permit, joinedAt: time.Now()}
	m.entry = encode(m.user())
	return m
}

func (m *member) user() User { return User{m.userID, m.socketID, m.metadata} }

func (m *member) presence(kind string, at time.Time) presence {
	return presence{kind, m.userID, m.socketID, timestamp(at)}
}

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
	// It was welcomed: should the others be past being told, they are leaving.
	_ = r.tell(m, courier, "user-connected", encode(userConnected{"user-connected", m.user(), timestamp(m.joinedAt)}))
	r.observe(m, courier)
	return nil
}

// welcome tells m who is in the room, and who of them is away.
func (r *room) welcome(m *member, courier Courier) error {
	if err := courier.Deliver(m.socketID, "room-joined", r.joined(m)); err != nil {
		return err
	}
	for _, other := range r.members {
		if other != m && !other.awaySince.IsZero() {
			// Should m be past being told, it is leaving.
			_ = courier.Deliver(m.socketID, "user-away", encode(other.presence("user-away", other.awaySince)))
		}
	}
	return nil
}

// observe tells the others if m went away or came back since they were last
// told. Of one that has ended they will be told just that.
func (r *room) observe(m *member, courier Courier) {
	isAway, lives := courier.IsAway(m.socketID)
	wasAway, now := !m.awaySince.IsZero(), time.Now()
	switch {
	case !lives:
	case isAway && !wasAway:
		m.awaySince = now
		_ = r.tell(m, courier, "user-away", encode(m.presence("user-away", now)))
	case wasAway && !isAway:
		m.awaySince = time.Time{}
		_ = r.tell(m, courier, "user-back", encode(m.presence("user-back", now)))
	}
}

// joined is the event that tells m who is in the room. The members' entries are
// put in as they are: encoding them again for everyone who joins would take tens
// of milliseconds in a large room.
func (r *room) joined(m *member) []byte {
	const end = "]}"
	head := encode(roomJoined{"room-joined", r.id, m.userID, timestamp(time.Now()), []int{}})
	size := len(head)
	for _, other := range r.members {
		size += len(other.entry) + len(",")
	}
	line := append(make([]byte, 0, size), bytes.TrimSuffix(head, []byte(end))...)
	for i, other := range r.members {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, other.entry...)
	}
	return append(line, end...)
}

// dismiss takes m out of the room and tells the others why, those who are still
// to be told anything.
func (r *room) dismiss(m *member, courier Courier, reason string) {
	r.remove(m)
	r.touch()
	_ = r.tell(m, courier, "user-disconnected",
		encode(userDisconnected{"user-disconnected", m.userID, m.socketID, reason, timestamp(time.Now())}))
}

func (r *room) remove(m *member) {
	delete(r.bySocket, m.socketID)
	i := slices.Index(r.members, m)
	r.members = slices.Delete(r.members, i, i+1)
}

// tell hands an event over to all members but one (nil: to all). The error is
// ErrDraining, when nothing is accepted any more. Of a member that has ended or
// is about to, everybody is told when it does.
func (r *room) tell(except *member, courier Courier, kind string, data []byte) (err error) {
	for _, m := range r.members {
		if m == except {
			continue
		}
		if failed := courier.Deliver(m.socketID, kind, data); errors.Is(failed, ErrDraining) {
			err = failed
		}
	}
	return err
}

func (r *room) touch() { r.lastActivity.Store(time.Now().UnixNano()) }
