package sse

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"signaling-server/internal/wire"
)

// Snapshot is the state of all sockets at one moment.
type Snapshot struct {
	opened  uint64
	sockets []socketSnapshot // in no order
	bytes   []byte           // of all sockets
	entries []entry          // of all outboxes
	own     []byte           // of a socket that is added
}

// socketSnapshot is the state of one socket: bytes, the entries of its outbox, and more bytes.
type socketSnapshot struct {
	id      string
	before  []byte
	entries []entry
	after   []byte
}

// Snapshot returns the state of all sockets. Only one goroutine may call it, after
// [Hub.Settle], and no other may change the state meanwhile. It takes little time: the order of
// the sockets and the texts of events are left to [Snapshot.Append].
//
// Not in the snapshot is what this process alone knows: its readers, and its clock.
func (h *Hub) Snapshot() *Snapshot {
	sockets := h.snapshot(make([]*socket, 0, h.snapshotSize.sockets))
	s := &Snapshot{
		opened:  h.opened,
		sockets: make([]socketSnapshot, 0, len(sockets)),
		bytes:   make([]byte, 0, h.snapshotSize.bytes),
		entries: make([]entry, 0, h.snapshotSize.entries),
	}
	for _, one := range sockets {
		s.add(one)
	}
	h.snapshotSize = snapshotSize{len(sockets) * 9 / 8, len(s.bytes) * 9 / 8, len(s.entries) * 9 / 8}
	return s
}

// snapshotSize is how much room the next snapshot is given.
type snapshotSize struct{ sockets, bytes, entries int }

func (s *Snapshot) add(one *socket) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.outbox.expire(one.hub.options.Elapsed() - one.hub.retention)
	start, first := len(s.bytes), len(s.entries)
	s.bytes = one.outbox.appendSnapshot(one.appendSnapshot(s.bytes))
	middle := len(s.bytes)
	s.entries = append(s.entries, one.outbox.entries...)
	s.own = one.appendState(s.own[:0])
	s.bytes = wire.AppendText(s.bytes, s.own)
	s.sockets = append(s.sockets, socketSnapshot{one.id, s.bytes[start:middle], s.entries[first:], s.bytes[middle:]})
}

// Append appends the snapshot to b. Snapshots of equal states have equal bytes. Only one
// goroutine may call it, whatever changes meanwhile.
func (s *Snapshot) Append(b []byte) []byte {
	slices.SortFunc(s.sockets, func(a, b socketSnapshot) int { return strings.Compare(a.id, b.id) })
	events := s.events()
	b = binary.AppendUvarint(b, s.opened)
	b = binary.AppendUvarint(b, uint64(len(events.list)))
	for _, e := range events.list {
		b = e.appendSnapshot(b)
	}
	b = binary.AppendUvarint(b, uint64(len(s.sockets)))
	for _, one := range s.sockets {
		b = append(b, one.before...)
		for _, held := range one.entries {
			b = binary.AppendUvarint(b, events.places[held.event])
			b = binary.AppendUvarint(b, held.sequence)
			b = binary.AppendVarint(b, int64(held.at))
		}
		b = append(b, one.after...)
	}
	return b
}

// AppendSnapshot appends a [Hub.Snapshot] to b.
func (h *Hub) AppendSnapshot(b []byte) []byte { return h.Snapshot().Append(b) }

// eventTable holds each event of a snapshot once, however many outboxes hold it.
type eventTable struct {
	list   []*event
	places map[*event]uint64 // in the list
}

// events returns the events of all sockets, in the order of the sockets.
func (s *Snapshot) events() eventTable {
	t := eventTable{places: make(map[*event]uint64, len(s.entries))}
	for _, one := range s.sockets {
		for _, held := range one.entries {
			if _, isKnown := t.places[held.event]; !isKnown {
				t.places[held.event] = uint64(len(t.list))
				t.list = append(t.list, held.event)
			}
		}
	}
	return t
}

func (e *event) appendSnapshot(b []byte) []byte {
	b = wire.AppendText(b, e.kind)
	b = wire.AppendText(b, e.from)
	b = wire.AppendBool(b, e.origin != nil)
	if e.origin != nil {
		b = wire.AppendPrefix(b, e.origin.network)
	}
	b = binary.AppendUvarint(b, e.key)
	b = binary.AppendUvarint(b, uint64(e.size))
	if e.line != nil {
		return wire.AppendText(b, []byte(e.line))
	}
	var text bytes.Buffer
	_ = e.writeTo(&text) // a buffer takes everything
	return wire.AppendText(b, text.Bytes())
}

// appendSnapshot appends what a snapshot holds of the socket, without its outbox and its state. The
// socket's lock must be held.
func (s *socket) appendSnapshot(b []byte) []byte {
	b = wire.AppendText(b, s.id)
	b = wire.AppendTime(b, s.connectedAt)
	b = wire.AppendPrefix(b, s.origin.network)
	b = wire.AppendText(b, s.client.IP)
	b = wire.AppendText(b, s.client.UserAgent)
	b = wire.AppendPrefix(b, s.client.Network)
	b = wire.AppendText(b, s.attachment.Node)
	b = binary.AppendUvarint(b, s.attachment.Number)
	b = wire.AppendText(b, string(s.lastReader))
	b = wire.AppendBool(b, s.isAttached)
	b = wire.AppendBool(b, s.away)
	b = wire.AppendBool(b, s.stalled)
	b = wire.AppendBool(b, s.unnoticed)
	return wire.AppendBool(b, s.heard.Load() != 0)
}

// appendState appends the state that the maker of the hub has given the socket.
func (s *socket) appendState(b []byte) []byte {
	if state, isKept := s.state.(encoding.BinaryAppender); isKept {
		b, _ = state.AppendBinary(b) // it has no error to return
	}
	return b
}

// appendSnapshot appends the state of the outbox. Its entries must follow.
func (o *outbox) appendSnapshot(b []byte) []byte {
	for _, number := range []uint64{o.last, o.written, o.confirmed, o.claimed, o.forgotten, o.handed, uint64(o.kept), uint64(len(o.entries))} {
		b = binary.AppendUvarint(b, number)
	}
	return b
}

// Clear ends all sockets, so that Restore may follow. Nothing may read them here. The rules of
// [Hub.Apply] hold.
func (h *Hub) Clear() {
	for _, s := range h.snapshot(nil) {
		h.end(s.id, TransportClose, "")
	}
}

// errSnapshot: the bytes of a snapshot make no sense.
var errSnapshot = errors.New("sse: the snapshot is malformed")

// Restore makes an empty hub equal to the hub that wrote a snapshot. The windows of sockets
// that nothing reads begin anew: if HandsOver is set, those of all sockets. [Options].Elapsed must go
// on from the time of the snapshot. If there is an error, the hub must not be used.
func (h *Hub) Restore(snapshot []byte) error {
	r := wire.NewReader(snapshot)
	opened := r.Uvarint()
	events := make([]*event, r.Count())
	for i := range events {
		events[i] = h.restoreEvent(r)
	}
	for range r.Count() {
		h.restoreSocket(r, events)
	}
	h.opened = opened
	return r.End()
}

func (h *Hub) restoreEvent(r *wire.Reader) *event {
	e := &event{kind: r.Text(), from: r.Text(), budget: h.options.Budget, born: h.clock()}
	if hasOrigin := r.Bool(); hasOrigin {
		network := r.Prefix()
		h.mu.Lock()
		e.origin = h.originOf(network)
		h.mu.Unlock()
	}
	e.key, e.size = r.Uvarint(), int32(r.Uvarint())
	if e.line = slices.Clone(r.Bytes()); e.size < 0 || !isOneLine(e.line) {
		r.Fail(errSnapshot)
	}
	return e
}

func (h *Hub) restoreSocket(r *wire.Reader, events []*event) {
	s := newSocket(h, r.Text())
	s.connectedAt = r.Time()
	network := r.Prefix()
	s.client = Client{IP: r.Text(), UserAgent: r.Text(), Network: r.Prefix()}
	s.attachment = Attachment{Node: r.Text(), Number: r.Uvarint()}
	s.lastReader = Transport(r.Text())
	s.isAttached, s.away, s.stalled, s.unnoticed = r.Bool(), r.Bool(), r.Bool(), r.Bool()
	if h.options.HandsOver {
		s.isAttached = false // the process that served it is gone
	}
	if sendsHeartbeats := r.Bool(); sendsHeartbeats {
		s.heard.Store(max(1, int64(h.clock())))
	}
	s.outbox.restore(r, events)
	own := r.Bytes()
	if state, isKept := s.state.(encoding.BinaryUnmarshaler); isKept && r.Err() == nil {
		if err := state.UnmarshalBinary(own); err != nil {
			r.Fail(err)
		}
	}
	if r.Err() != nil {
		return
	}
	h.options.Budget.ChargeFor(network, socketBytes)
	if s.away {
		h.away.Add(1)
	}
	h.mu.Lock()
	s.origin = h.countSocket(network)
	h.sockets[s.id] = s
	h.mu.Unlock()
	s.mu.Lock()
	s.lookSoon()
	s.mu.Unlock()
}

func (o *outbox) restore(r *wire.Reader, events []*event) {
	last, written, confirmed, claimed, forgotten, handed := r.Uvarint(), r.Uvarint(), r.Uvarint(), r.Uvarint(), r.Uvarint(), r.Uvarint()
	kept, count := r.Uvarint(), r.Count()
	o.last, o.written, o.confirmed, o.claimed, o.forgotten, o.handed = last, written, confirmed, claimed, forgotten, handed
	before := forgotten
	for i := range count {
		place, sequence, at := r.Uvarint(), r.Uvarint(), time.Duration(r.Varint())
		isWritten := uint64(i) < kept
		if r.Err() != nil || place >= uint64(len(events)) || sequence <= before || sequence > last || isWritten != (sequence <= written) {
			r.Fail(errSnapshot)
			return
		}
		before = sequence
		o.restoreEntry(entry{events[place], sequence, at}, isWritten)
	}
	if count > 0 && before != last || kept > uint64(count) || max(written, confirmed, claimed, forgotten, handed) > last {
		r.Fail(errSnapshot)
	}
}

// restoreEntry adds an entry at the end, which is unsent or was written.
func (o *outbox) restoreEntry(e entry, isWritten bool) {
	if !isWritten {
		o.append(e)
		return
	}
	o.entries = append(o.entries, e)
	o.budget.Charge(entryBytes)
	e.event.hold()
	o.retained += int(e.event.size)
	o.kept++
}
