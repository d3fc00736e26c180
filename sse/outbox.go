package sse

import "time"

// OutboxLimits bounds one socket's outbox. What is unwritten and what is kept
// for a resume are bounded apart, so that a burst to a healthy client never
// costs it the events it could resume from. Written is not received: what is
// retained must exceed what the connection itself can hold.
type OutboxLimits struct {
	UnsentEvents   int // events that wait for a stream to write them
	UnsentBytes    int // their data, in bytes; one event may exceed it alone
	RetainedEvents int // written events kept until the client confirms them
	RetainedBytes  int // their data, in bytes
}

// One answer to a poll holds as much as this at most: what fits into the send
// buffer of a connection, so that a slow link is not cut off in the middle.
const (
	maxBatchEvents = 256
	maxBatchBytes  = 64 << 10 // one event may exceed it alone
)

// event is one server event. The data is shared by all the outboxes it was put
// into and is never changed.
type event struct {
	kind  string        // the SSE event field
	data  []byte        // one JSON object on one line
	retry time.Duration // the SSE retry field: sets the client's reconnection time, unless 0
}

// entry is one event as it waits in an outbox. Only what opens and ends a stream
// sets a reconnection time, so in its place stands when the event was put in.
type entry struct {
	kind  string
	data  []byte
	putAt time.Duration // by the hub's clock
}

// outbox is the queue of everything a socket was sent and has not confirmed,
// oldest first. Events are numbered from 1 in the order they were put in.
// It has no lock of its own: the socket's guards it.
type outbox struct {
	limits  OutboxLimits
	entries []entry // those with the sequences first to last()
	first   uint64  // sequence of entries[0], or of the next event when empty

	confirmed     uint64 // highest sequence that the client said has arrived
	written       uint64 // highest sequence that was ever written to a reader
	unsentBytes   int    // data behind written
	retainedBytes int    // data up to written
}

func newOutbox(limits OutboxLimits) outbox {
	return outbox{limits: limits, first: 1}
}

// last is the sequence of the newest event, 0 before there is one.
func (o *outbox) last() uint64 { return o.first + uint64(len(o.entries)) - 1 }

// put appends an event. It refuses, and changes nothing, when too much is
// unwritten already.
func (o *outbox) put(e entry) bool {
	if o.isFull(len(e.data)) {
		return false
	}
	o.entries = append(o.entries, e)
	o.unsentBytes += len(e.data)
	return true
}

// isFull tells whether too much waits for another event of this size. The one
// that is next to be written does not count against the bound on bytes: a single
// event larger than that, such as the room-joined of a very large room, must get
// through, and not end whoever is sent something behind it.
func (o *outbox) isFull(size int) bool {
	unsent := int(o.last() - o.written)
	if unsent == 0 {
		return false
	}
	waiting := o.unsentBytes - len(o.entries[o.written+1-o.first].data)
	return unsent >= o.limits.UnsentEvents || waiting+size > o.limits.UnsentBytes
}

// after returns the event behind a position.
func (o *outbox) after(position uint64) (event, bool) {
	if position < o.first-1 || position >= o.last() {
		return event{}, false
	}
	e := o.entries[position+1-o.first]
	return event{kind: e.kind, data: e.data}, true
}

// batch hands on the events behind a position, as many as one answer may hold,
// and returns the position behind them. An answer that is lost must still be
// there for the next, so it holds no more than is retained.
func (o *outbox) batch(position uint64, add func(event)) uint64 {
	events, size := min(maxBatchEvents, o.limits.RetainedEvents), 0
	for count := range events {
		e, there := o.after(position)
		size += len(e.data)
		if !there || count > 0 && size > min(maxBatchBytes, o.limits.RetainedBytes) {
			break
		}
		position++
		add(e)
	}
	return position
}

// holds tells whether a reader at this position can be given all that follows,
// without a gap. A position from the future was never handed out.
func (o *outbox) holds(position uint64) bool {
	return position >= o.first-1 && position <= o.last()
}

// wrote notes that everything up to a sequence was written, and forgets the
// oldest of what is retained beyond its bounds, but never the newest: its client
// may not have it yet. It tells since when each event waited that was not
// written before.
func (o *outbox) wrote(sequence uint64, waited func(since time.Duration)) {
	for o.written < sequence {
		o.written++
		e := o.entries[o.written-o.first]
		o.unsentBytes -= len(e.data)
		o.retainedBytes += len(e.data)
		waited(e.putAt)
	}
	for o.written > o.first && (int(o.written-o.first)+1 > o.limits.RetainedEvents || o.retainedBytes > o.limits.RetainedBytes) {
		o.forget()
	}
}

// isBehind tells whether a reader at this position would ask for what its client
// has confirmed already.
func (o *outbox) isBehind(position uint64) bool { return position < o.confirmed }

// confirm forgets what the client says has arrived, and so was written, whatever
// became of the reader.
func (o *outbox) confirm(position uint64, waited func(since time.Duration)) {
	o.confirmed = position
	o.wrote(min(position, o.last()), waited)
	for o.first <= position && len(o.entries) > 0 {
		o.forget()
	}
}

// forget drops the oldest event, which must have been written.
func (o *outbox) forget() {
	o.retainedBytes -= len(o.entries[0].data)
	o.entries[0] = entry{} // the array behind the slice lives on until it grows
	o.entries = o.entries[1:]
	o.first++
}
