package rooms

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"signaling-server/internal/wire"
)

// A snapshot holds all that later operations depend on, and all that operators see. The
// rest follows from it: the rosters, the seats, and how many rooms a network has made.

// Snapshot is the state of the register at one moment.
type Snapshot struct {
	first []byte // how much was ever made, what is revoked, and the changes
	rooms []roomSnapshot
	bytes []byte // of all rooms
}

type roomSnapshot struct {
	id    string
	bytes []byte
}

// Snapshot returns the state of the register. No operation may change the register meanwhile. It
// takes little time: the order of the rooms is left to [Snapshot.Append].
func (rs *Rooms) Snapshot() *Snapshot {
	all := rs.list()
	s := &Snapshot{
		first: rs.changes.appendTo(rs.revoked.appendTo(binary.AppendUvarint(binary.AppendUvarint(nil, rs.created), rs.stays.Load()))),
		rooms: make([]roomSnapshot, 0, len(all)),
		bytes: make([]byte, 0, rs.snapshotBytes.Load()),
	}
	for _, r := range all {
		start := len(s.bytes)
		s.bytes = r.appendTo(s.bytes)
		s.rooms = append(s.rooms, roomSnapshot{r.id, s.bytes[start:]})
	}
	rs.snapshotBytes.Store(int64(len(s.bytes)) * 9 / 8)
	return s
}

// Append appends the snapshot to b. Registers in the same state append the same bytes. Only one
// goroutine may call it, whatever changes meanwhile.
func (s *Snapshot) Append(b []byte) []byte {
	slices.SortFunc(s.rooms, func(one, other roomSnapshot) int { return cmp.Compare(one.id, other.id) })
	b = append(b, s.first...)
	b = binary.AppendUvarint(b, uint64(len(s.rooms)))
	for _, r := range s.rooms {
		b = append(b, r.bytes...)
	}
	return b
}

// AppendSnapshot appends a [Rooms.Snapshot] to b.
func (rs *Rooms) AppendSnapshot(b []byte) []byte { return rs.Snapshot().Append(b) }

func (r *room) appendTo(b []byte) []byte {
	b = wire.AppendText(b, r.id)
	b = wire.AppendPrefix(b, r.founder)
	b = wire.AppendTime(b, r.createdAt)
	b = binary.AppendVarint(b, r.lastActivity.Load())
	b = wire.AppendBool(b, r.locked)
	b = binary.AppendUvarint(b, uint64(len(r.members)))
	for _, m := range r.members {
		b = m.appendTo(b)
	}
	return b
}

func (m *member) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, m.number)
	b = wire.AppendText(b, m.socketID)
	b = wire.AppendText(b, m.userID)
	b = wire.AppendText(b, []byte(m.metadata))
	b = m.permit.appendTo(b)
	b = wire.AppendTime(b, m.joinedAt)
	return wire.AppendTime(b, m.awaySince)
}

func (p Permit) appendTo(b []byte) []byte {
	b = wire.AppendBool(b, p.NoSignals)
	b = wire.AppendBool(b, p.NoChat)
	b = binary.AppendVarint(b, int64(p.MaxMembers))
	b = wire.AppendTime(b, p.Expires)
	b = wire.AppendText(b, p.ID)
	return wire.AppendPrefix(b, p.Network)
}

// errNoState: no register can have the state that a snapshot describes.
var errNoState = errors.New("rooms: the snapshot makes no sense")

// Restore brings a register without members into the state of a snapshot. From then on all
// operations have the same results and bring the same events as in the register that the
// snapshot is of. If Restore returns an error, the register is of no use any more.
func (rs *Rooms) Restore(snapshot []byte) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := wire.NewReader(snapshot)
	rs.created = r.Uvarint()
	rs.stays.Store(r.Uvarint())
	rs.revoked.restore(r)
	rs.restoreChanges(r)
	before := ""
	for i := range r.Count() {
		room := rs.readRoom(r)
		if i > 0 && room.id <= before {
			r.Fail(errNoState)
		}
		if r.Err() != nil {
			break
		}
		before = room.id
		rs.rooms[room.id] = room
		rs.founded[room.founder]++
	}
	return r.End()
}

// readRoom reads a room, and seats its members.
func (rs *Rooms) readRoom(from *wire.Reader) *room {
	id, founder, createdAt := from.Text(), from.Prefix(), from.Time()
	r := newRoom(rs, id, founder, createdAt)
	r.isNoted = true
	r.lastActivity.Store(from.Varint())
	r.locked = from.Bool()
	newest := uint64(0)
	members := from.Count()
	if members == 0 {
		from.Fail(errNoState)
	}
	for range members {
		m := rs.readMember(from)
		isDouble := rs.seats[m.socketID] != nil
		if isDouble || m.number <= newest || m.number > rs.stays.Load() {
			from.Fail(errNoState)
		}
		if from.Err() != nil {
			break
		}
		newest = m.number
		r.add(m)
		if !m.awaySince.IsZero() {
			r.roster = r.roster.marked(m, true)
		}
		rs.seats[m.socketID] = &seat{room: r, member: m}
	}
	return r
}

func (rs *Rooms) readMember(from *wire.Reader) *member {
	number, socketID, userID, metadata := from.Uvarint(), from.Text(), from.Text(), from.Bytes()
	permit, joinedAt, awaySince := readPermit(from), from.Time(), from.Time()
	if metadata != nil && (!json.Valid(metadata) || bytes.ContainsAny(metadata, "\r\n")) { // a line end would break a stream
		from.Fail(errNoState)
	}
	if from.Err() != nil {
		return new(member)
	}
	m := rs.newMember(socketID, userID, metadata, permit, joinedAt)
	m.number, m.awaySince = number, awaySince
	return m
}

func readPermit(from *wire.Reader) Permit {
	p := Permit{NoSignals: from.Bool(), NoChat: from.Bool()}
	most := from.Varint()
	if most < math.MinInt || most > math.MaxInt {
		from.Fail(errNoState)
	}
	p.MaxMembers, p.Expires, p.ID, p.Network = int(most), from.Time(), from.Text(), from.Prefix()
	return p
}
