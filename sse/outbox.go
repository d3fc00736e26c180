package sse

import (
	"cmp"
	"math"
	"slices"
	"time"

	"signaling-server/internal/budget"
)

// OutboxLimits bounds one socket's outbox. Unsent events and events that are kept for a
// resume have bounds of their own. So a burst of events never pushes out the events that
// a healthy client could resume from. Written does not mean received: more must be
// retained than the connection itself can hold.
//
// The unsent bounds are divided into shares. All other sockets together may use three
// quarters, one sender a quarter, and all senders of one network a half. The last
// quarter is for what the server itself has to say. So no sender can end another
// client's socket.
type OutboxLimits struct {
	UnsentEvents   int // how many events may wait to be written
	UnsentBytes    int // how many bytes these events may have; a single event may have more
	RetainedEvents int // how many written events are kept until the client confirms them
	RetainedBytes  int // how many bytes these events may have
}

// The bounds of one answer to a poll. It fits into the send buffer of a connection, so
// that a slow link is not cut off in the middle of an answer.
const (
	maxBatchEvents = 256
	maxBatchBytes  = 64 << 10 // a single event may have more
)

// entryBytes is the memory that an outbox takes for each event, without the event itself.
// It allows for the unused places of a slice that grows.
const entryBytes = 48

// entry is one event in an outbox.
type entry struct {
	event    *event
	sequence uint64
	at       time.Duration // by the hub's clock: when it was written or, if it is unsent, when it was put in
}

// outbox holds everything that a socket is owed and has not confirmed, oldest first. Its
// events are numbered from 1, in the order in which they were put in. The socket's lock
// guards the outbox.
type outbox struct {
	// set once
	limits       OutboxLimits
	budget       *budget.Budget
	isReplicated bool // a log says what is written

	// guarded by the socket's lock
	entries []entry // in the order of their sequences, without a gap
	dropped int     // unused places in the array of entries, before the first entry
	kept    int     // how many entries were written: they come first

	last      uint64 // sequence of the newest event; 0: there was none
	written   uint64 // highest sequence that any reader has written
	confirmed uint64 // highest sequence that the client has confirmed
	claimed   uint64 // highest sequence that the client has confirmed, even if it is not known to be on its way
	forgotten uint64 // highest sequence that was held and is not any more
	handed    uint64 // highest sequence that is on its way to the client: it cannot be replaced

	unsent   tally  // of the events after written
	offered  tally  // of the unsent events that other sockets caused
	retained int    // bytes of the events up to written
	crowd    *crowd // counts the unsent events by sender; nil while few are unsent
}

func newOutbox(limits OutboxLimits, b *budget.Budget) outbox {
	return outbox{limits: limits, budget: b}
}

// put appends an event. If an event with the same key is unsent, that is dropped: the
// newest is enough. If the outbox is full, put changes nothing and returns false.
func (o *outbox) put(e *event, now time.Duration) bool {
	if before, found := o.sameKey(e); found {
		o.drop(before)
	} else if o.isFull(int(e.size)) {
		return false
	}
	o.last++
	o.append(entry{e, o.last, now})
	return true
}

// append adds an unsent event at the end.
func (o *outbox) append(added entry) {
	o.entries = append(o.entries, added)
	o.budget.Charge(entryBytes)
	o.addUnsent(added)
}

// isFull reports whether too much is unsent to add an event of this size. The event that
// is next to be written does not count against the bound on bytes. So a single event that
// exceeds the bound gets through, and does not end the socket if another follows.
func (o *outbox) isFull(size int) bool {
	if o.unsent.events == 0 {
		return false
	}
	if o.unsent.events >= o.limits.UnsentEvents {
		return true
	}
	return o.unsent.bytes+size > o.limits.UnsentBytes && o.waitingBytes()+size > o.limits.UnsentBytes
}

// isNearlyFull reports whether more than half of what may be unsent is unsent.
func (o *outbox) isNearlyFull() bool {
	return o.unsent.events > o.limits.UnsentEvents/2 || o.unsent.bytes > o.limits.UnsentBytes/2
}

// waitingBytes returns the bytes of the unsent events, except the next to be written.
func (o *outbox) waitingBytes() int { return o.unsent.bytes - int(o.entries[o.kept].event.size) }

// admits reports whether an event stays within the shares of its sender, of the sender's
// network, and of all senders together.
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

// addUnsent counts an event that is unsent from now on.
func (o *outbox) addUnsent(added entry) {
	e := added.event
	e.hold()
	e.addUnsent()
	o.unsent.add(e)
	if e.from != "" {
		o.offered.add(e)
	}
	if o.crowd != nil {
		o.crowd.add(added)
	}
}

// removeUnsent no longer counts an event as unsent: it was written or replaced.
func (o *outbox) removeUnsent(removed entry) {
	e := removed.event
	e.removeUnsent()
	o.unsent.remove(e)
	if e.from != "" {
		o.offered.remove(e)
	}
	switch {
	case o.unsent.events == 0:
		o.crowd = nil
	case o.crowd != nil:
		o.crowd.remove(removed)
	}
}

// counted returns the crowd, and makes it if there is none.
func (o *outbox) counted() *crowd {
	if o.crowd == nil {
		o.crowd = newCrowd()
		for _, unsent := range o.entries[o.kept:] {
			o.crowd.add(unsent)
		}
	}
	return o.crowd
}

// hand notes that everything up to a sequence is on its way to the client.
func (o *outbox) hand(sequence uint64) { o.handed = max(o.handed, sequence) }

// sameKey finds the unsent event with the same key as e. An event that is on its way to the
// client does not count. If there are several nodes, it finds none: nobody can tell soon enough
// what is on its way.
func (o *outbox) sameKey(e *event) (sequence uint64, found bool) {
	if e.key == 0 || o.isReplicated {
		return 0, false
	}
	if o.crowd != nil || o.unsent.events > fewUnsent {
		sequence = o.counted().latest[e.key]
		return sequence, sequence > o.handed
	}
	for i := len(o.entries) - 1; i >= o.kept && o.entries[i].sequence > o.handed; i-- {
		if o.entries[i].event.key == e.key {
			return o.entries[i].sequence, true
		}
	}
	return 0, false
}

// drop forgets an unsent event, because a newer one says all that it said. The events after it
// move up by one: nobody has seen their sequences, and clients may count on having no gap.
func (o *outbox) drop(sequence uint64) {
	i := o.search(sequence)
	dropped := o.entries[i]
	o.removeUnsent(dropped)
	dropped.event.release()
	o.budget.Charge(-entryBytes)
	o.entries = slices.Delete(o.entries, i, i+1)
	for j := range o.entries[i:] {
		o.entries[i+j].sequence--
	}
	o.last--
	if o.crowd != nil {
		o.crowd.moveUp(sequence)
	}
}

// search returns the place of the first entry that has this sequence or a later one.
func (o *outbox) search(sequence uint64) int {
	if o.last == sequence && len(o.entries) > 0 { // the newest is asked for most
		return len(o.entries) - 1
	}
	i, _ := slices.BinarySearchFunc(o.entries, sequence, func(e entry, sequence uint64) int { return cmp.Compare(e.sequence, sequence) })
	return i
}

// after returns the first event after a position, with its sequence. The last result is
// false if there is none.
func (o *outbox) after(position uint64) (e *event, sequence uint64, there bool) {
	if position >= o.last {
		return nil, 0, false
	}
	if i := o.search(position + 1); i < len(o.entries) {
		return o.entries[i].event, o.entries[i].sequence, true
	}
	return nil, 0, false
}

// batch hands on the events after a position, as many as one answer may hold. It returns
// the reader's new position. If an answer is lost, the next one must hold the same
// events. So an answer holds no more than is retained.
func (o *outbox) batch(position uint64, add func(*event)) uint64 {
	events, size := min(maxBatchEvents, o.limits.RetainedEvents), 0
	for count := range events {
		e, sequence, there := o.after(position)
		if !there {
			break
		}
		if size += e.length(); count > 0 && size > min(maxBatchBytes, o.limits.RetainedBytes) {
			break
		}
		position = sequence
		add(e)
	}
	return position
}

// holds reports whether the outbox has all events after a position, without a gap.
// It returns false for a position from the future: the server never handed that out.
func (o *outbox) holds(position uint64) bool {
	return position >= o.forgotten && position <= o.last
}

// wrote notes that everything up to a sequence was written. Then it
// forgets the oldest events that exceed the bounds on what is retained. It never forgets
// the newest written event: the client may not have it yet.
func (o *outbox) wrote(sequence uint64, now time.Duration) {
	for ; o.kept < len(o.entries) && o.entries[o.kept].sequence <= sequence; o.kept++ {
		written := &o.entries[o.kept]
		written.at = now
		o.retained += int(written.event.size)
		o.removeUnsent(*written)
	}
	o.written = max(o.written, sequence)
	for o.kept > 1 && (o.kept > o.limits.RetainedEvents || o.retained > o.limits.RetainedBytes) {
		o.forget()
	}
}

// unsentUntil returns the unsent events with sequences after one and up to another.
func (o *outbox) unsentUntil(after, upTo uint64) []entry {
	unsent := o.entries[o.kept:]
	first, end := 0, 0
	for end < len(unsent) && unsent[end].sequence <= upTo {
		if end++; unsent[end-1].sequence <= after {
			first = end
		}
	}
	return unsent[first:end]
}

// isOvertaken reports whether a reader at this position asks for events that its client has
// confirmed already.
func (o *outbox) isOvertaken(position uint64) bool { return position < max(o.confirmed, o.claimed) }

// confirm forgets the events that the client says have arrived. They count as written,
// even if the reader that wrote them has failed.
func (o *outbox) confirm(position uint64, now time.Duration) {
	o.confirmed = position
	o.wrote(min(position, o.last), now)
	for len(o.entries) > 0 && o.entries[0].sequence <= position {
		o.forget()
	}
	o.forgotten = max(o.forgotten, position)
}

// renew notes that a reader writes again what is retained. So its client may come back for that
// as late as if it were written for the first time.
func (o *outbox) renew(now time.Duration) {
	for i := range o.entries[:o.kept] {
		o.entries[i].at = now
	}
}

// expire forgets what was written before a time: no client can come back for it any more.
func (o *outbox) expire(before time.Duration) {
	for o.kept > 0 && o.entries[0].at < before {
		o.forget()
	}
}

// expiresIn returns in how long expire will forget the oldest written event, if events are
// kept for this long. If none is kept, that is as good as never.
func (o *outbox) expiresIn(now, retention time.Duration) time.Duration {
	if o.kept == 0 {
		return math.MaxInt64 / 2
	}
	return o.entries[0].at + retention - now
}

// trim forgets the oldest written events until no more than this many bytes are retained.
// It never forgets the newest written event.
func (o *outbox) trim(bytes int) {
	for o.kept > 1 && o.retained > bytes {
		o.forget()
	}
}

// forget drops the oldest event. It must have been written.
func (o *outbox) forget() {
	oldest := o.entries[0]
	o.retained -= int(oldest.event.size)
	oldest.event.release()
	o.budget.Charge(-entryBytes)
	o.entries[0] = entry{}
	o.entries = o.entries[1:]
	o.forgotten = oldest.sequence
	o.kept--
	o.dropped++
	switch {
	case len(o.entries) == 0:
		o.entries, o.dropped = nil, 0
	case o.dropped > 64 && o.dropped > 3*len(o.entries): // the dropped places would stay in memory until the slice grows
		o.entries, o.dropped = slices.Clone(o.entries), 0
	}
}

// clear drops all events. The socket has ended.
func (o *outbox) clear() {
	for i, held := range o.entries {
		if i >= o.kept {
			held.event.removeUnsent()
		}
		held.event.release()
	}
	o.budget.Charge(-entryBytes * len(o.entries))
	o.forgotten, o.written = o.last, o.last
	o.entries, o.kept, o.dropped, o.crowd = nil, 0, 0, nil
	o.unsent, o.offered, o.retained = tally{}, tally{}, 0
}
