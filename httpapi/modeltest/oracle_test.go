package modeltest

import (
	"fmt"
	"slices"
	"time"

	"signaling-server/sse"
)

// oracle is docs/protocol.md as a program. The test tells it what the clients do, and it
// predicts the answers and events that each client must receive. It knows only one more
// thing about the server: how often the server checks its sockets.
//
// This file is about sockets and their streams and polls. oracle_rooms_test.go is about
// rooms.
type oracle struct {
	options    sse.Options
	maxMembers int
	now        time.Time
	sockets    []*oracleSocket // the sockets that live, oldest first
	overflowed []*oracleSocket // the sockets that an overflow ended, and whose rooms do not know yet
	draining   bool
	lostNow    *modelNode    // it is lost in the moment of this tick; nil: there is none
	killed     *modelNode    // the others do not know yet that it is gone; nil: there is none
	rooms      []*oracleRoom // oldest first
	opened     int           // how many sockets were ever opened
	founded    int           // how many rooms there ever were
}

// fact is an event, or another JSON object of the server.
type fact map[string]any

// oracleSocket is a socket with all its events, and how far the client has received them.
type oracleSocket struct {
	id, token       string
	openedAt        time.Time
	events          []fact  // all events ever; the first has the sequence number 1
	causes          []cause // the cause of each event
	confirmed       int     // how many events the client has confirmed
	forgotten       int     // how many events the server no longer keeps
	forgottenBefore int     // the same when the latest tick began
	written         int     // how many events were written to a stream or poll
	ended           bool

	reader      *oracleReader // the open stream or poll, or nil
	node        *modelNode    // of the latest reader
	transport   sse.Transport // the kind of the latest reader
	unreadSince time.Time
	away        bool
	stalled     bool // the latest reader ended because its client read nothing
	unnoticed   bool // the latest reader ended with its node

	heard time.Time // the client's latest sign of life; zero if it has sent no heartbeat

	room   *oracleRoom // nil if the socket is not in a room
	member *oracleMember
}

// oracleReader is a stream or a poll.
type oracleReader struct {
	transport sse.Transport
	node      *modelNode // that serves it
	position  int
	said      []saying // what the client must have received since the last comparison
	over      bool     // nothing more may arrive

	silent     bool      // the client reads nothing, but keeps its connection
	dead       bool      // its node was killed, and the others do not know yet; it is silent, too
	stuckAt    time.Time // when the server began to write to a silent client
	lastWrite  time.Time // the last write to a stream
	lastBeat   time.Time // the last heartbeat after the first
	beatBefore time.Time // the heartbeat before that

	wait  time.Duration // how long a poll may wait
	until time.Time     // when the wait is over
	due   bool          // the poll has something to answer
	least int           // the fewest events in the answer, if the limits allow them
}

// saying describes one event that a reader sends. The server may leave out a heartbeat if
// another event is due at the same moment.
type saying struct {
	text     string
	beat     time.Time // when a heartbeat was due; zero for other events
	optional bool
	numbered bool // the event has a sequence number of its own
}

func (o *oracle) limits() sse.OutboxLimits { return o.options.Outbox }

func (o *oracle) timestamp() string { return timestamp(o.now) }

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// hasSpaceFor reports whether each outbox has space for count more events.
func (o *oracle) hasSpaceFor(count int) bool {
	return !slices.ContainsFunc(o.sockets, func(s *oracleSocket) bool {
		return len(s.events)-s.written+count > o.limits().UnsentEvents
	})
}

func (r *oracleReader) say(sequence int, e fact) {
	r.said = append(r.said, saying{text: saidAs(sequence, e)})
}

// take returns what was said since the last call.
func (r *oracleReader) take() []saying {
	said := r.said
	r.said = nil
	return said
}

// saidAs describes an event as a text, for comparison.
func saidAs(sequence int, e fact) string {
	return fmt.Sprintf("%d %s", sequence, jsonOf(e))
}

// open opens a new socket.
func (o *oracle) open(token string, r *oracleReader) *oracleSocket {
	s := &oracleSocket{id: idOf(token), token: token, openedAt: o.now}
	o.opened++
	o.sockets = append(o.sockets, s)
	o.attach(s, r, 0, false)
	return s
}

// resume attaches a reader after a position, and reports whether that was possible. If not,
// the client gets a new socket. Then the old socket ends if it cannot resume without a gap.
// It does not end if the client has confirmed a later position already.
func (o *oracle) resume(s *oracleSocket, r *oracleReader, position int) bool {
	switch {
	case s.ended || position < s.confirmed:
		return false
	case position < s.forgotten || position > len(s.events):
		o.end(s, sse.TransportClose)
		return false
	case o.draining && position == len(s.events):
		return false // the client has all its events
	}
	if s.reader != nil {
		o.finish(s, o.disconnected("replaced"))
	}
	s.confirmed, s.forgotten = position, position
	o.wroteUpTo(s, position)
	wasAway := s.away
	o.attach(s, r, position, true)
	if wasAway {
		o.observe(s)
	}
	return true
}

// confirm forgets the events up to a position, because the client says that they have arrived.
// A position from the future says nothing.
func (o *oracle) confirm(s *oracleSocket, position int) {
	if s.ended || position <= s.confirmed || position > len(s.events) {
		return
	}
	s.confirmed, s.forgotten = position, max(position, s.forgotten)
	o.wroteUpTo(s, position)
}

func (o *oracle) attach(s *oracleSocket, r *oracleReader, position int, resumed bool) {
	o.hear(s)
	s.reader, s.transport, s.node = r, r.transport, r.node
	s.away, s.stalled, s.unnoticed = false, false, false
	r.position = position
	r.until = o.now.Add(r.wait)
	r.lastWrite = o.now
	if r.transport == sse.OverStream || !resumed {
		r.say(position, fact{
			"type": "connected", "socketId": s.id, "token": s.token, "resumed": resumed,
			"heartbeatInterval": o.options.HeartbeatInterval.Milliseconds(),
			"resumeWindow":      o.options.ResumeWindow.Milliseconds(),
			"timestamp":         o.timestamp(),
		})
	}
	switch r.transport {
	case sse.OverStream:
		r.said[len(r.said)-1].text += " retry 2000"
		r.say(position, o.heartbeat())
		o.wrote(s)
	case sse.OverPoll:
		r.due = !resumed
		r.least = len(s.events) - position
	}
	o.advance(s)
	if o.draining && r.transport == sse.OverStream {
		o.finish(s, o.shutdown())
	}
}

// drain stops the server. A reader receives server-shutdown after all its events.
func (o *oracle) drain() {
	o.draining = true
	for _, s := range o.sockets {
		switch {
		case s.reader == nil:
		case s.reader.transport == sse.OverPoll:
			s.reader.due = true
		default:
			o.finish(s, o.shutdown())
		}
	}
}

func (o *oracle) heartbeat() fact { return fact{"type": "heartbeat", "timestamp": o.timestamp()} }

func (o *oracle) disconnected(reason sse.Reason) fact {
	return fact{"type": "disconnected", "reason": string(reason), "timestamp": o.timestamp()}
}

func (o *oracle) shutdown() fact { return fact{"type": "server-shutdown", "timestamp": o.timestamp()} }

// cause says which socket caused an event, and when.
type cause struct {
	from     string    // the ID of the socket that caused it; "" for the server
	ofOrigin bool      // the socket lived at that time, so the event counts against its address
	at       time.Time // when the event was put into the outbox or, once it is written, when it was written
}

// deliver puts an event that the server causes into a socket's outbox. It returns the reason
// if it cannot.
func (o *oracle) deliver(s *oracleSocket, e fact) (refusal string) {
	return o.deliverFrom("", s, e)
}

// deliverFrom is like deliver, for an event that a socket causes.
func (o *oracle) deliverFrom(from string, s *oracleSocket, e fact) (refusal string) {
	switch {
	case s.ended:
		return targetNotFound
	case o.draining:
		return shuttingDown
	case len(s.events)-s.written >= o.limits().UnsentEvents:
		if s.reader != nil {
			o.finish(s, o.disconnected(sse.SlowConsumer))
		}
		s.ended = true
		o.overflowed = append(o.overflowed, s)
		return targetOverflow
	}
	s.events = append(s.events, e)
	s.causes = append(s.causes, cause{from, o.lives(from), o.now})
	o.advance(s)
	return ""
}

// lives reports whether a socket exists and has not ended.
func (o *oracle) lives(id string) bool {
	return slices.ContainsFunc(o.sockets, func(s *oracleSocket) bool { return s.id == id })
}

// send puts an event into a socket's outbox if the sender has not used up its share there.
func (o *oracle) send(from string, s *oracleSocket, e fact) (refusal string) {
	if !s.ended && !o.draining && !o.hasShare(from, s) {
		return targetOverflow
	}
	return o.deliverFrom(from, s, e)
}

// admits reports whether a socket allows a broadcast to its room.
func (o *oracle) admits(from string, s *oracleSocket) bool {
	return s.ended || o.draining || o.isSlow(s) || o.hasShare(from, s)
}

// isSlow reports whether a client is so slow that a broadcast need not wait for it.
func (o *oracle) isSlow(s *oracleSocket) bool {
	if s.written == len(s.events) {
		return false
	}
	patience := o.options.WriteTimeout + min(o.options.ResumeWindow, time.Minute)
	return o.now.Sub(s.causes[s.written].at) > patience
}

// hasShare reports whether a sender may put one more event into an outbox. All clients of
// the model have the same address.
func (o *oracle) hasShare(from string, s *oracleSocket) bool {
	offered, ofSender, ofAddress := 0, 0, 0
	for _, c := range s.causes[s.written:] {
		if c.from != "" {
			offered++
		}
		if c.from == from {
			ofSender++
		}
		if c.ofOrigin {
			ofAddress++
		}
	}
	isPart := func(count, numerator, denominator int) bool {
		return count == 0 || count < o.limits().UnsentEvents*numerator/denominator
	}
	return isPart(offered, 3, 4) && isPart(ofSender, 1, 4) && isPart(ofAddress, 1, 2)
}

// advance gives a stream the events after its position. A poll answers only once, and only
// its answer shows how many of the events it contains. So advance only marks the poll
// as due.
func (o *oracle) advance(s *oracleSocket) {
	r := s.reader
	switch {
	case r == nil || r.position == len(s.events):
		return
	case r.transport == sse.OverPoll:
		r.due = true
		return
	}
	last := len(r.said) - 1
	wasBeat := last >= 0 && r.said[last].beat.Equal(o.now)
	if wasBeat {
		r.said[last].optional = true
	}
	for r.position < len(s.events) {
		r.position++
		r.said = append(r.said, saying{text: saidAs(r.position, s.events[r.position-1]), numbered: true})
	}
	if wasBeat && !s.heard.IsZero() { // the heartbeat may come after the events instead
		r.said = append(r.said, saying{text: saidAs(r.position, o.heartbeat()), beat: o.now, optional: true})
	}
	o.wrote(s)
}

// wrote records that all events up to the reader's position were written. It forgets the
// oldest events, which the server no longer retains.
func (o *oracle) wrote(s *oracleSocket) {
	r := s.reader
	if r.silent {
		if r.stuckAt.IsZero() {
			r.stuckAt = o.now
		}
		return
	}
	r.lastWrite = o.now
	o.wroteUpTo(s, r.position)
	s.forgotten = max(s.forgotten, s.written-o.limits().RetainedEvents)
}

func (o *oracle) wroteUpTo(s *oracleSocket, position int) {
	for ; s.written < position; s.written++ {
		s.causes[s.written].at = o.now
	}
}

// expire forgets events that were written so long ago that no client can resume before them.
func (o *oracle) expire(s *oracleSocket) {
	retention := 3*o.options.HeartbeatInterval + o.options.WriteTimeout + o.options.ResumeWindow
	for s.forgotten < s.written && s.causes[s.forgotten].at.Add(retention).Before(o.now) {
		s.forgotten++
	}
}

// answer answers a socket's poll with a number of events. The number depends on chance only
// if several events came at once while the poll waited.
func (o *oracle) answer(s *oracleSocket, count int) {
	r := s.reader
	most := min(len(s.events)-r.position, o.limits().RetainedEvents, 256)
	count = max(min(count, most), min(r.least, most), min(1, most))
	for range count {
		r.position++
		r.say(r.position, s.events[r.position-1])
	}
	o.wrote(s)
	if o.draining && r.position == len(s.events) {
		o.finish(s, o.shutdown())
		return
	}
	o.finish(s, nil)
}

// finish ends a socket's reader. A lastWord that is not nil is its last event.
func (o *oracle) finish(s *oracleSocket, lastWord fact) {
	r := s.reader
	if lastWord != nil {
		r.say(r.position, lastWord)
	}
	if r.transport == sse.OverPoll {
		r.said = append(r.said, saying{text: positionAs(r.position)})
	}
	r.said = append(r.said, saying{text: theEnd})
	r.over = true
	o.detach(s)
}

func (o *oracle) detach(s *oracleSocket) {
	s.reader = nil
	s.unreadSince = o.now
}

// lose ends the readers of a node that was killed.
func (o *oracle) lose() {
	o.killed = nil
	for _, s := range o.sockets {
		if s.reader != nil && s.reader.dead {
			o.detach(s)
			s.unnoticed = true
		}
	}
}

// readAgain makes a silent client read again.
func (o *oracle) readAgain(s *oracleSocket) {
	r := s.reader
	r.until = o.now.Add(r.wait)
	r.least = len(s.events) - r.position
	wasStuck := !r.stuckAt.IsZero()
	r.silent, r.stuckAt = false, time.Time{}
	if wasStuck {
		o.wrote(s)
	}
}

// hear notes a request of a client, which is a sign of life if the client sends heartbeats.
func (o *oracle) hear(s *oracleSocket) {
	if !s.heard.IsZero() {
		s.heard = o.now
	}
}

// end ends a socket, and tells its room the reason.
func (o *oracle) end(s *oracleSocket, reason sse.Reason) {
	s.ended = true
	if s.reader != nil {
		o.finish(s, nil)
	}
	o.sockets = slices.DeleteFunc(o.sockets, func(other *oracleSocket) bool { return other == s })
	if s.room != nil {
		o.vacate(s, string(reason))
	}
}

// settle ends the sockets that overflowed, and tells their rooms.
func (o *oracle) settle() {
	for len(o.overflowed) > 0 {
		s := o.overflowed[0]
		o.overflowed = o.overflowed[1:]
		o.end(s, sse.SlowConsumer)
	}
}

// tickInterval returns how often the server checks its sockets.
func (o *oracle) tickInterval() time.Duration {
	finest := min(o.options.HeartbeatInterval, o.options.ResumeWindow, o.options.AwayAfter) / 10
	return min(max(finest, time.Millisecond), 250*time.Millisecond)
}

// tick checks all sockets. The server's order depends on chance. The IDs in first are the
// sockets for which the order matters, in the order that the server took.
func (o *oracle) tick(first []string) {
	for _, s := range o.sockets {
		o.expire(s)
		o.beat(s)
		s.forgottenBefore = s.forgotten
	}
	for _, id := range first {
		for _, s := range slices.Clone(o.sockets) {
			if s.id == id {
				o.lookAfter(s)
			}
		}
	}
	for _, s := range slices.Clone(o.sockets) {
		if s.node == o.lostNow && !slices.Contains(first, s.id) {
			continue // chance decides whether the other nodes knew in this tick that its node is lost
		}
		o.lookAfter(s)
	}
	o.lostNow = nil
	o.settle()
}

// beat sends a heartbeat on a stream that was idle for the heartbeat interval, or whose
// client sends heartbeats and was idle for as long.
func (o *oracle) beat(s *oracleSocket) {
	r, interval := s.reader, o.options.HeartbeatInterval
	if r == nil || r.transport != sse.OverStream || !r.stuckAt.IsZero() || o.mustMiss(s) {
		return
	}
	isUnheard := !s.heard.IsZero() && o.now.Sub(s.heard) >= interval && r.lastBeat.Before(s.heard)
	if o.now.Sub(r.lastWrite) < interval && !isUnheard {
		return
	}
	r.beatBefore, r.lastBeat = r.lastBeat, o.now
	r.say(r.position, o.heartbeat())
	r.said[len(r.said)-1].beat = o.now
	o.wrote(s)
}

// leaveOut notes that the server has left out a heartbeat that was due now, because of another
// event. The server may send the next heartbeat earlier then.
func (o *oracle) leaveOut(r *oracleReader) {
	if r.lastBeat.Equal(o.now) {
		r.lastBeat = r.beatBefore
	}
}

// mustMiss reports whether a socket's client sends heartbeats and was idle for too long.
func (o *oracle) mustMiss(s *oracleSocket) bool {
	patience := o.options.HeartbeatInterval + o.options.WriteTimeout
	return s.reader != nil && !s.heard.IsZero() && o.now.Sub(s.heard) > patience && !o.draining
}

// miss ends the stream or poll of a client that mustMiss names. Chance decides which events
// of the same tick the stream still writes. So the number of events that have arrived must be
// given. A poll that has an event is answered as usual.
func (o *oracle) miss(s *oracleSocket, arrived int) {
	r := s.reader
	if r.transport == sse.OverPoll && arrived > 0 {
		return
	}
	for _, one := range r.said {
		if one.numbered {
			arrived--
		}
	}
	for last := len(r.said) - 1; arrived < 0 && last >= 0; last-- {
		if r.said[last].numbered {
			arrived++
			r.position--
		}
		r.said = r.said[:last]
	}
	if r.transport == sse.OverStream && s.written > r.position {
		s.written, s.forgotten = r.position, s.forgottenBefore
	}
	o.finish(s, nil)
}

// lookAfter marks a socket as away if it had no reader for a while, and ends it after its
// resume window.
func (o *oracle) lookAfter(s *oracleSocket) {
	unread, window := o.now.Sub(s.unreadSince), o.options.ResumeWindow
	if s.unnoticed {
		window += 3 * o.options.HeartbeatInterval
	}
	if s.node == o.killed { // the others leave it to that node for a second
		unread -= time.Second
	}
	switch {
	case s.ended || s.reader != nil:
	case unread >= window && s.stalled:
		o.end(s, sse.SlowConsumer)
	case unread >= window:
		o.end(s, sse.TransportClose)
	case unread >= o.options.AwayAfter && !s.away:
		s.away = true
		o.observe(s)
	}
}

// elapse lets time pass between two ticks, until a moment. Writes to silent clients fail,
// and polls whose wait is over answer without events.
func (o *oracle) elapse(until time.Time) {
	for _, s := range o.sockets {
		switch r := s.reader; {
		case r == nil || r.dead:
		case r.silent && !r.stuckAt.IsZero() && !r.stuckAt.Add(o.options.WriteTimeout).After(until):
			o.now = r.stuckAt.Add(o.options.WriteTimeout)
			o.finish(s, nil)
			s.stalled = true
		case r.transport == sse.OverPoll && !r.silent && !r.due && !r.until.After(until):
			o.now = r.until
			o.answer(s, 0)
		}
	}
	o.now = until
}
