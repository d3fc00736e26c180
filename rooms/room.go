package rooms

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/netip"
	"runtime"
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

	founder netip.Prefix // the network that made it; the register's lock guards it

	mu       sync.RWMutex // guards what follows; broadcasts are handed over under it, in one order for all
	members  []*member    // in order of joining
	bySocket map[string]*member
	roster   roster // the same members, as room-joined names them
	reserved places // held for those who are about to join
	locked   bool   // nobody else is let in
	closed   bool   // empty, and out of the register
}

// places are what members take of a room.
type places struct{ members, bytes int }

func (p *places) take(m *member) {
	p.members++
	p.bytes += len(m.entry)
}

func (p *places) giveBack(m *member) {
	p.members--
	p.bytes -= len(m.entry)
}

// member is a socket's stay in a room.
type member struct {
	// set once
	socketID string
	userID   string
	joinedAt time.Time
	entry    json.RawMessage // its place in users, serialised once
	metadata json.RawMessage // the part of entry that is the metadata, or nil

	permit    Permit    // the seat's lock guards it
	awaySince time.Time // zero: it is there; the room's lock guards it
}

// memberBytes is what a member takes beside its entry: its seat, its permit, and its
// places in the maps and lists.
const memberBytes = 512

func newRoom(id string) *room {
	r := &room{id: id, createdAt: time.Now(), bySocket: make(map[string]*member)}
	r.touch()
	return r
}

// newMember makes a member whose memory is charged until the last event that names
// it is forgotten. The error is ErrOutOfMemory.
func (rs *Rooms) newMember(socketID, userID string, metadata json.RawMessage, permit Permit) (*member, error) {
	m := &member{socketID: socketID, userID: userID, permit: permit, joinedAt: time.Now()}
	m.entry, m.metadata = newEntry(userID, socketID, metadata)
	if account := rs.limits.Account; account != nil {
		size := len(m.entry) + memberBytes
		if !account.Take(size) {
			return nil, ErrOutOfMemory
		}
		runtime.AddCleanup(m, account.Charge, -size)
	}
	return m, nil
}

// newEntry serialises a member's place in users, and returns the part of it that is
// the metadata as well, so that this exists once.
func newEntry(userID, socketID string, metadata json.RawMessage) (entry, own json.RawMessage) {
	bare := encode(User{userID, socketID, nil})
	if metadata == nil {
		return json.RawMessage(bare), nil
	}
	const name = `,"metadata":`
	entry = make(json.RawMessage, 0, len(bare)+len(name)+len(metadata))
	entry = append(append(append(entry, bare[:len(bare)-1]...), name...), metadata...)
	own = entry[len(entry)-len(metadata):]
	return append(entry, '}'), own
}

func (m *member) user() User { return User{m.userID, m.socketID, m.metadata} }

func (m *member) connected() Event {
	return Event{Kind: "user-connected", From: m.socketID,
		Data: encode(userConnected{"user-connected", m.user(), timestamp(m.joinedAt)})}
}

func (m *member) presence(kind string, at time.Time) Event {
	return Event{Kind: kind, Key: key{m, keyPresence},
		Data: encode(presence{kind, m.userID, m.socketID, timestamp(at)})}
}

// is reports whether a join asks for what this member is already.
func (m *member) is(userID string, metadata json.RawMessage) bool {
	return m.userID == userID && bytes.Equal(m.metadata, metadata)
}

// taken returns the places that are taken or held. A joiner that comes from this
// very room leaves its own.
func (r *room) taken(own *seat) places {
	taken := places{len(r.members) + r.reserved.members, r.roster.size() + r.reserved.bytes}
	if own.room == r {
		taken.giveBack(own.member)
	}
	return taken
}

// admit makes m a member in the place held for it, tells it who is there, and
// tells the others. When m's socket can no longer be told, it is not admitted.
func (r *room) admit(m *member, connected Event, courier Courier) error {
	r.reserved.giveBack(m)
	r.members = append(r.members, m)
	r.bySocket[m.socketID] = m
	r.roster = r.roster.with(m)
	if err := r.welcome(m, courier); err != nil {
		r.remove(m)
		return err
	}
	r.touch()
	_ = courier.Tell(r.others(m), connected) // it was welcomed: if nothing is accepted any more, all are leaving
	r.observe(m, courier)
	return nil
}

// welcome tells m who is in the room. If it has not been sent yet what it was told
// before, that is enough: what has happened since stands behind it.
func (r *room) welcome(m *member, courier Courier) error {
	return courier.Deliver(m.socketID, Event{Kind: "room-joined", From: m.socketID, Data: r.joined(m), Key: key{m, keyJoined}, KeepsFirst: true, IsBarrier: true})
}

// observe tells the others if m went away or came back since they were last
// told. Of one that has ended they will be told just that.
func (r *room) observe(m *member, courier Courier) {
	isAway, lives := courier.IsAway(m.socketID)
	wasAway, now := !m.awaySince.IsZero(), time.Now()
	if !lives || isAway == wasAway {
		return
	}
	r.roster = r.roster.marked(m, isAway)
	if isAway {
		m.awaySince = now
		_ = courier.Tell(r.others(m), m.presence("user-away", now))
		return
	}
	m.awaySince = time.Time{}
	_ = courier.Tell(r.others(m), m.presence("user-back", now))
}

// joined is what room-joined tells m: of itself not that it is away.
func (r *room) joined(m *member) Data {
	users := r.roster
	if !m.awaySince.IsZero() {
		users = users.marked(m, false)
	}
	head := encode(roomJoined{"room-joined", r.id, m.userID, timestamp(time.Now()), []int{}})
	return &roomJoinedData{bytes.TrimSuffix(head, []byte(endOfUsers)), users}
}

// dismiss takes m out of the room and tells the others why, those who are still
// to be told anything.
func (r *room) dismiss(m *member, courier Courier, reason string) {
	r.remove(m)
	r.touch()
	_ = courier.Tell(r.all(), Event{Kind: "user-disconnected", From: m.socketID,
		Data: encode(userDisconnected{"user-disconnected", m.userID, m.socketID, reason, timestamp(time.Now())})})
}

func (r *room) remove(m *member) {
	delete(r.bySocket, m.socketID)
	i := slices.Index(r.members, m)
	r.members = slices.Delete(r.members, i, i+1)
	r.roster = r.roster.without(m)
}

// all are the members' sockets, in order of joining.
func (r *room) all() iter.Seq[string] { return r.others(nil) }

// others are the sockets of all members but one.
func (r *room) others(except *member) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, m := range r.members {
			if m != except && !yield(m.socketID) {
				return
			}
		}
	}
}

func (r *room) touch() { r.lastActivity.Store(time.Now().UnixNano()) }
