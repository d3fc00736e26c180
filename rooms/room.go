package rooms

import (
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
	register  *Rooms
	id        string
	founder   netip.Prefix // the network that made it
	createdAt time.Time

	lastActivity atomic.Int64 // Unix time in nanoseconds

	mu       sync.RWMutex       // guards what follows; held while the room's events are handed over, so all members see one order
	members  []*member          // in order of joining
	bySocket map[string]*member // the same members, by socket ID
	roster   roster             // the same members, as room-joined names them
	reserved places             // held for sockets that are about to join
	locked   bool               // no new members are admitted
	closed   bool               // the room is empty and out of the register
	isNoted  bool               // its creation was noted as a change
}

// places are the members and bytes that count against a room's limits.
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
	entry    json.RawMessage // the member's entry in the users of room-joined, serialised once
	metadata json.RawMessage // the part of entry that is the metadata, or nil

	number    uint64    // of the stay; guarded by the room's lock until the member is in the room, then it stays
	permit    Permit    // changed under the locks of seat and room: either is enough to read it
	awaySince time.Time // guarded by the room's lock; zero: it is not away
}

// memberBytes is the memory that a member takes without its entry: its seat, its permit,
// and its places in the maps and lists.
const memberBytes = 512

func newRoom(register *Rooms, id string, founder netip.Prefix, createdAt time.Time) *room {
	r := &room{register: register, id: id, founder: founder, createdAt: createdAt, bySocket: make(map[string]*member)}
	r.lastActivity.Store(createdAt.UnixNano())
	return r
}

// newMember makes a member and charges its memory. The charge ends when the garbage
// collector frees the member. So it lasts for as long as an event in an outbox names
// the member.
func (rs *Rooms) newMember(socketID, userID string, metadata json.RawMessage, permit Permit, joinedAt time.Time) *member {
	m := &member{socketID: socketID, userID: userID, permit: permit, joinedAt: joinedAt}
	m.entry, m.metadata = newEntry(userID, socketID, metadata)
	if charge := rs.options.Charge; charge != nil {
		size := len(m.entry) + len(permit.ID) + memberBytes
		charge(size)
		runtime.AddCleanup(m, charge, -size)
	}
	return m
}

// newEntry serialises a member's entry in users. It also returns the part of the
// entry that is the metadata, so that the metadata is in memory only once.
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
	return Event{Kind: kind, Key: m.key(keyPresence),
		Data: encode(presence{kind, m.userID, m.socketID, timestamp(at)})}
}

// taken returns the places that are taken or held. If the joiner is a member already,
// its place does not count: the joiner leaves it first.
func (r *room) taken(own *seat) places {
	taken := places{len(r.members) + r.reserved.members, r.roster.size() + r.reserved.bytes}
	if own.room == r {
		taken.giveBack(own.member)
	}
	return taken
}

// admit makes m a member in the place held for it. The joiner receives room-joined,
// and the others user-connected. If room-joined cannot be delivered, m does not become
// a member.
func (r *room) admit(m *member, connected Event, requestID string) error {
	r.reserved.giveBack(m)
	m.number = r.register.stays.Add(1)
	r.add(m)
	if err := r.welcome(m, requestID); err != nil {
		r.remove(m)
		return err
	}
	r.touch()
	r.noteJoin(m)
	_ = r.register.courier.Tell(r.others(m), connected) // the only error is ErrDraining: then all sockets are about to end
	r.observe(m)
	return nil
}

// welcome delivers room-joined to m.
func (r *room) welcome(m *member, requestID string) error {
	return r.register.courier.Deliver(m.socketID, Event{Kind: "room-joined", From: m.socketID, Data: r.joined(m, requestID)})
}

// observe sends user-away or user-back to the others if m went away or came back
// since the last of these events. It sends nothing about a socket that has ended:
// user-disconnected is about to follow.
func (r *room) observe(m *member) {
	isAway, lives := r.register.courier.IsAway(m.socketID)
	wasAway := !m.awaySince.IsZero()
	if !lives || isAway == wasAway {
		return
	}
	now := r.register.now()
	r.roster = r.roster.marked(m, isAway)
	if isAway {
		m.awaySince = now
		_ = r.register.courier.Tell(r.others(m), m.presence("user-away", now))
		return
	}
	m.awaySince = time.Time{}
	_ = r.register.courier.Tell(r.others(m), m.presence("user-back", now))
}

// joined is the text of room-joined for m. In it, m itself is never away.
func (r *room) joined(m *member, requestID string) Data {
	users := r.roster
	if !m.awaySince.IsZero() {
		users = users.marked(m, false)
	}
	return newRoomJoinedData(roomJoined{"room-joined", r.id, m.userID, timestamp(r.register.now()), []int{}, requestID}, users)
}

// leave takes m out of the room. The others receive user-disconnected with the reason,
// unless the server is draining.
func (r *room) leave(m *member, reason string) {
	r.remove(m)
	r.touch()
	r.register.note(Change{Kind: MemberLeft, RoomID: r.id, UserID: m.userID, SocketID: m.socketID, Reason: reason})
	_ = r.register.courier.Tell(r.all(), Event{Kind: "user-disconnected", From: m.socketID,
		Data: encode(userDisconnected{"user-disconnected", m.userID, m.socketID, reason, timestamp(r.register.now())})})
}

// noteJoin notes that m is a member and, if m is the first, that there is a room.
func (r *room) noteJoin(m *member) {
	if !r.isNoted {
		r.register.note(Change{Kind: RoomCreated, RoomID: r.id})
		r.isNoted = true
	}
	r.register.note(Change{Kind: MemberJoined, RoomID: r.id, UserID: m.userID, SocketID: m.socketID})
}

// add puts m into the room's lists.
func (r *room) add(m *member) {
	r.members = append(r.members, m)
	r.bySocket[m.socketID] = m
	r.roster = r.roster.with(m)
}

// remove takes m out of the room's lists.
func (r *room) remove(m *member) {
	delete(r.bySocket, m.socketID)
	i := slices.Index(r.members, m)
	r.members = slices.Delete(r.members, i, i+1)
	r.roster = r.roster.without(m)
}

// list returns the members that there are now.
func (r *room) list() []*member {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.members)
}

// all returns the socket IDs of all members, in order of joining.
func (r *room) all() iter.Seq[string] { return r.others(nil) }

// others returns the socket IDs of all members except one. With nil it returns all.
func (r *room) others(except *member) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, m := range r.members {
			if m != except && !yield(m.socketID) {
				return
			}
		}
	}
}

func (r *room) touch() { r.lastActivity.Store(r.register.options.Now().UnixNano()) }
