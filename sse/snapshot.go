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
	events  eventTable
	count   int    // of the sockets
	sockets []byte // in bytes
}

// Snapshot returns the state of all sockets. Only one goroutine may call it, after
// [Hub.Settle], and no other may change the state meanwhile. It takes little time: the texts of
// events are left to [Snapshot.Append].
//
// Not in the snapshot is what this process alone knows: its readers, and its clock.
func (h *Hub) Snapshot() *Snapshot {
	sockets := h.snapshot(nil)
	slices.SortFunc(sockets, func(a, b *socket) int { return strings.Compare(a.id, b.id) })
	s := &Snapshot{opened: h.opened, count: len(sockets), sockets: make([]byte, 0, h.snapshotBytes)}
	s.events.places = make(map[*event]uint64, h.snapshotEvents)
	for _, one := range sockets {
		s.sockets = one.appendSnapshot(s.sockets, &s.events)
	}
	h.snapshotBytes, h.snapshotEvents = len(s.sockets)*9/8, len(s.events.list)*9/8
	return s
}

// Append appends the snapshot to b. Snapshots of equal states have equal bytes. Any goroutine may
// call it, whatever changes meanwhile.
func (s *Snapshot) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.opened)
	b = binary.AppendUvarint(b, uint64(len(s.events.list)))
	for _, e := range s.events.list {
		b = e.appendSnapshot(b)
	}
	b = binary.AppendUvarint(b, uint64(s.count))
	return append(b, s.sockets...)
}

// AppendSnapshot appends a [Hub.Snapshot] to b.
func (h *Hub) AppendSnapshot(b []byte) []byte { return h.Snapshot().Append(b) }

// eventTable holds each event of a snapshot once, however many outboxes hold it.
type eventTable struct {
	list   []*event
	places map[*event]uint64 // in the list
}

// place returns the place of an event in the table, and adds the event if it is new.
func (t *eventTable) place(e *event) uint64 {
	at, isKnown := t.places[e]
	if !isKnown {
		at = uint64(len(t.list))
		t.places[e] = at
		t.list = append(t.list, e)
	}
	return at
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

func (s *socket) appendSnapshot(b []byte, events *eventTable) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	b = wire.AppendBool(b, s.heard.Load() != 0)
	s.outbox.expire(s.hub.options.Elapsed() - s.hub.retention)
	b = s.outbox.appendSnapshot(b, events)
	var own []byte
	if state, isKept := s.state.(encoding.BinaryAppender); isKept {
		own, _ = state.AppendBinary(nil) // it has no error to return
	}
	return wire.AppendText(b, own)
}

func (o *outbox) appendSnapshot(b []byte, events *eventTable) []byte {
	for _, sequence := range []uint64{o.last, o.written, o.confirmed, o.claimed, o.forgotten, o.handed, uint64(o.kept), uint64(len(o.entries))} {
		b = binary.AppendUvarint(b, sequence)
	}
	for _, held := range o.entries {
		b = binary.AppendUvarint(b, events.place(held.event))
		b = binary.AppendUvarint(b, held.sequence)
		b = binary.AppendVarint(b, int64(held.at))
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
// that nothing reads begin anew. If there is an error, the hub must not be used.
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
	e := &event{kind: r.Text(), from: r.Text(), budget: h.options.Budget}
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
