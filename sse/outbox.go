package sse

import (
	"slices"
	"time"

	"signaling-server/internal/budget"
)

// OutboxLimits bounds one socket's outbox. What is unwritten and what is kept
// for a resume are bounded apart, so that a burst to a healthy client never
// costs it the events it could resume from. Written is not received: what is
// retained must exceed what the connection itself can hold.
//
// What other sockets cause has three quarters of the unsent bounds, one sender a
// quarter, and all senders of one address a half. The last quarter is for what the
// server itself has to say: so no sender can end another's socket.
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

// entryBytes is what an outbox keeps for each event beside the event, with the
// slack of a slice that grows.
const entryBytes = 32

// entry is one event in an outbox, and the time by the hub's clock when it was put
// in or, once it was written, when that was.
type entry struct {
	event *event
	at    time.Duration
}

// outbox is the queue of everything a socket was sent and has not confirmed,
// oldest first. Events are numbered from 1 in the order they were put in.
// It has no lock of its own: the socket's guards it.
type outbox struct {
	limits  OutboxLimits
	budget  *budget.Budget
	entries []entry // those with the sequences first to last()
	dropped int     // entries that the array holds before these
	first   uint64  // sequence of entries[0], or of the next event when empty

	confirmed uint64 // highest sequence that the client said has arrived
	written   uint64 // highest sequence that was ever written to a reader
	taken     uint64 // highest sequence that the present reader has taken
	barrier   uint64 // sequence of the newest event before which none is replaced

	unsent   tally  // behind written
	offered  tally  // of these, what other sockets caused
	retained int    // data up to written, in bytes
	crowd    *crowd // who caused it; nil while little is unsent
}

func newOutbox(limits OutboxLimits, b *budget.Budget) outbox {
	return outbox{limits: limits, budget: b, first: 1}
}

// last is the sequence of the newest event, 0 before there is one.
func (o *outbox) last() uint64 { return o.first + uint64(len(o.entries)) - 1 }

// put appends an event, if none with its key is unsent: of those one is enough. It
// refuses, and changes nothing, when too much is unsent already.
func (o *outbox) put(e *event, now time.Duration) bool {
	if at, found := o.sameKey(e); found {
		if !e.keeps {
			o.replace(at, e)
		}
		return true
	}
	if o.isFull(int(e.size)) {
		return false
	}
	o.entries = append(o.entries, entry{e, now})
	if e.barrier {
		o.barrier = o.last()
	}
	o.budget.Charge(entryBytes)
	o.wait(o.last(), e)
	return true
}

// isFull reports whether too much waits for another event of this size. The one
// that is next to be written does not count against the bound on bytes: a single
// event larger than that must get through, and not end the socket if something
// follows it.
func (o *outbox) isFull(size int) bool {
	if o.unsent.events == 0 {
		return false
	}
	return o.unsent.events >= o.limits.UnsentEvents || o.waitingBytes()+size > o.limits.UnsentBytes
}

// waitingBytes are those of unsent events behind the one that is next.
func (o *outbox) waitingBytes() int { return o.unsent.bytes - int(o.at(o.written+1).event.size) }

// admits reports whether the sender of an event may have it put in: a sender, its
// address and all senders together have a share each.
func (o *outbox) admits(e *event) bool {
	if _, found := o.sameKey(e); found || o.offered.events == 0 {
		return true
	}
	whole := tally{o.limits.UnsentEvents, o.limits.UnsentBytes}
	switch {
	case !o.offered.fits(e, whole.part(3, 4)):
		return false
	case o.offered.fits(e, whole.part(1, 4)):
		return true
	}
	return o.counted().admits(e, whole.part(1, 4), whole.part(1, 2))
}

// wait counts an event that is unsent from now on.
func (o *outbox) wait(sequence uint64, e *event) {
	e.hold()
	e.await()
	o.unsent.add(e)
	if e.from != "" {
		o.offered.add(e)
	}
	if o.crowd != nil {
		o.crowd.add(sequence, e)
	}
}

// waitNoMore counts an event that is unsent no longer.
func (o *outbox) waitNoMore(sequence uint64, e *event) {
	e.arrive()
	o.unsent.remove(e)
	if e.from != "" {
		o.offered.remove(e)
	}
	switch {
	case o.unsent.events == 0:
		o.crowd = nil
	case o.crowd != nil:
		o.crowd.remove(sequence, e)
	}
}

// counted returns who caused what is unsent, and counts them if nobody has yet.
func (o *outbox) counted() *crowd {
	if o.crowd == nil {
		o.crowd = newCrowd()
		for sequence := o.written + 1; sequence <= o.last(); sequence++ {
			o.crowd.add(sequence, o.at(sequence).event)
		}
	}
	return o.crowd
}

// sameKey finds the unsent event that has the key of another. One that the reader
// has taken is on its way, and does not count any more.
func (o *outbox) sameKey(e *event) (sequence uint64, found bool) {
	if e.key == nil {
		return 0, false
	}
	free := max(o.written, o.taken)
	if !e.keeps {
		free = max(free, o.barrier)
	}
	if o.crowd != nil || o.unsent.events > fewUnsent {
		sequence = o.counted().latest[e.key]
		return sequence, sequence > free
	}
	for sequence = o.last(); sequence > free; sequence-- {
		if o.at(sequence).event.key == e.key {
			return sequence, true
		}
	}
	return 0, false
}

func (o *outbox) replace(sequence uint64, e *event) {
	before := o.at(sequence).event
	o.waitNoMore(sequence, before)
	before.release()
	o.at(sequence).event = e
	o.wait(sequence, e)
}

// at returns the entry of a sequence that the outbox has.
func (o *outbox) at(sequence uint64) *entry { return &o.entries[sequence-o.first] }

// after returns the event behind a position.
func (o *outbox) after(position uint64) (*event, bool) {
	if position < o.first-1 || position >= o.last() {
		return nil, false
	}
	return o.at(position + 1).event, true
}

// batch hands on the events behind a position, as many as one answer may hold,
// and returns the position behind them. An answer that is lost must still be
// there for the next, so it holds no more than is retained.
func (o *outbox) batch(position uint64, add func(*event)) uint64 {
	events, size := min(maxBatchEvents, o.limits.RetainedEvents), 0
	for count := range events {
		e, there := o.after(position)
		if !there {
			break
		}
		if size += e.length(); count > 0 && size > min(maxBatchBytes, o.limits.RetainedBytes) {
			break
		}
		position++
		add(e)
	}
	return position
}

// holds reports whether a reader at this position can be given all that follows,
// without a gap. A position from the future was never handed out.
func (o *outbox) holds(position uint64) bool {
	return position >= o.first-1 && position <= o.last()
}

// wrote notes that everything up to a sequence was written, and forgets the
// oldest of what is retained beyond its bounds, but never the newest: its client
// may not have it yet. It calls waited with the time when each event was put in
// that was not written before.
func (o *outbox) wrote(sequence uint64, now time.Duration, waited func(since time.Duration)) {
	for o.written < sequence {
		o.written++
		written := o.at(o.written)
		waited(written.at)
		written.at = now
		o.retained += int(written.event.size)
		o.waitNoMore(o.written, written.event)
	}
	for o.written > o.first && (int(o.written-o.first)+1 > o.limits.RetainedEvents || o.retained > o.limits.RetainedBytes) {
		o.forget()
	}
}

// isBehind reports whether a reader at this position would ask for what its client
// has confirmed already.
func (o *outbox) isBehind(position uint64) bool { return position < o.confirmed }

// confirm forgets what the client says has arrived, and so was written, whatever
// became of the reader.
func (o *outbox) confirm(position uint64, now time.Duration, waited func(since time.Duration)) {
	o.confirmed = position
	o.wrote(min(position, o.last()), now, waited)
	for o.first <= position && len(o.entries) > 0 {
		o.forget()
	}
}

// expire forgets what was written before a time: no client comes back for it any
// more.
func (o *outbox) expire(before time.Duration) {
	for o.first <= o.written && o.entries[0].at < before {
		o.forget()
	}
}

// trim forgets the oldest of what was written until no more than so many bytes are
// retained, but never the newest.
func (o *outbox) trim(bytes int) {
	for o.first < o.written && o.retained > bytes {
		o.forget()
	}
}

// forget drops the oldest event, which must have been written.
func (o *outbox) forget() {
	o.retained -= int(o.entries[0].event.size)
	o.entries[0].event.release()
	o.budget.Charge(-entryBytes)
	o.entries[0] = entry{}
	o.entries = o.entries[1:]
	o.first++
	o.dropped++
	switch {
	case len(o.entries) == 0:
		o.entries, o.dropped = nil, 0
	case o.dropped > 64 && o.dropped > 3*len(o.entries): // the array behind the slice lives on until it grows
		o.entries, o.dropped = slices.Clone(o.entries), 0
	}
}

// clear drops all events, of a socket that has ended.
func (o *outbox) clear() {
	for sequence := o.first; sequence <= o.last(); sequence++ {
		e := o.at(sequence).event
		if sequence > o.written {
			e.arrive()
		}
		e.release()
	}
	o.budget.Charge(-entryBytes * len(o.entries))
	o.first, o.written = o.last()+1, o.last()
	o.entries, o.crowd = nil, nil
	o.unsent, o.offered, o.retained = tally{}, tally{}, 0
}
