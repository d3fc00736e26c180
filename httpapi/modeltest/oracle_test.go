package modeltest

import (
	"fmt"
	"slices"
	"time"

	"signaling-server/sse"
)

// oracle is PROTOCOL.md as a program: it is told what clients do, and foretells
// what each of them is answered and sent. Of the server it knows one thing more,
// how often it looks after its sockets.
//
// This file is about sockets and who reads them; rooms are in the next.
type oracle struct {
	options    sse.Options
	maxMembers int
	now        time.Time
	sockets    []*oracleSocket // that live, oldest first
	overflowed []*oracleSocket // that have ended, and of whom their rooms are to be told
	draining   bool
	rooms      []*oracleRoom // oldest first
	opened     int           // sockets ever
	founded    int           // rooms ever
}

// fact is an event that the server sends.
type fact map[string]any

// oracleSocket is what a socket is owed, and how far it was paid.
type oracleSocket struct {
	id, token string
	openedAt  time.Time
	events    []fact  // all that it was ever sent: the first has the sequence 1
	causes    []cause // of the same events
	confirmed int     // so many of the first have arrived, as its client says
	forgotten int     // so many of the first are no longer to be had
	written   int     // so many of the first were written to some reader
	ended     bool

	reader      *oracleReader // the one that there is, or nil
	transport   sse.Transport // of the latest reader
	unreadSince time.Time
	away        bool
	stalled     bool // the latest reader ended because its client took nothing

	room   *oracleRoom // or nil
	member *oracleMember
}

// oracleReader is a stream or a poll.
type oracleReader struct {
	transport sse.Transport
	position  int
	said      []saying // what its client must have been sent since that was last compared
	over      bool     // nothing more must come

	silent    bool      // the client takes nothing
	stuckAt   time.Time // when something was to be written to a silent client
	lastWrite time.Time // to a stream

	wait  time.Duration // of a poll
	until time.Time     // when the wait is over
	due   bool          // there is something to answer
	least int           // so much must be in the answer, if it is there
}

// saying is one event of a reader. A heartbeat may be left out if another event
// falls due at the same moment.
type saying struct {
	text     string
	beat     time.Time // of a heartbeat that was due
	optional bool
}

func (o *oracle) limits() sse.OutboxLimits { return o.options.Outbox }

func (o *oracle) timestamp() string { return timestamp(o.now) }

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// hasSpaceFor tells whether so many more events can be sent to anyone.
func (o *oracle) hasSpaceFor(count int) bool {
	return !slices.ContainsFunc(o.sockets, func(s *oracleSocket) bool {
		return len(s.events)-s.written+count > o.limits().UnsentEvents
	})
}

func (r *oracleReader) say(sequence int, e fact) {
	r.said = append(r.said, saying{text: saidAs(sequence, e)})
}

// take returns what was said since it was last called.
func (r *oracleReader) take() []saying {
	said := r.said
	r.said = nil
	return said
}

// saidAs puts an event in words that can be compared.
func saidAs(sequence int, e fact) string {
	return fmt.Sprintf("%d %s", sequence, jsonOf(e))
}

// open makes a new socket.
func (o *oracle) open(token string, r *oracleReader) *oracleSocket {
	s := &oracleSocket{id: idOf(token), token: token, openedAt: o.now}
	o.opened++
	o.sockets = append(o.sockets, s)
	o.attach(s, r, 0, false)
	return s
}

// resume lets a reader go on behind a position. It says whether that is possible:
// if not, the client needs a new socket. The old one ends if it had a gap, and
// not if its client has only read on meanwhile.
func (o *oracle) resume(s *oracleSocket, r *oracleReader, position int) bool {
	switch {
	case s.ended || position < s.confirmed:
		return false
	case position < s.forgotten || position > len(s.events):
		o.end(s, sse.TransportClose)
		return false
	case o.draining && position == len(s.events):
		return false // there is nothing to come for
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

func (o *oracle) attach(s *oracleSocket, r *oracleReader, position int, resumed bool) {
	s.reader, s.transport = r, r.transport
	s.away, s.stalled = false, false
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

// drain stops the server: readers are told so when they have everything.
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

// cause is who made the server send an event.
type cause struct {
	from     string    // a socket, "" the server itself
	ofOrigin bool      // the socket lived then: the event counts against its address
	at       time.Time // when it was put in or, once it was written, when that was
}

// deliver puts an event of the server's own into a socket's outbox, or says why not.
func (o *oracle) deliver(s *oracleSocket, e fact) (refusal string) {
	return o.deliverFrom("", s, e)
}

// deliverFrom is deliver for an event that a socket causes.
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

// lives reports whether a socket is one of those that there are.
func (o *oracle) lives(id string) bool {
	return slices.ContainsFunc(o.sockets, func(s *oracleSocket) bool { return s.id == id })
}

// send puts an event into a socket's outbox if the sender's share of it allows that.
func (o *oracle) send(from string, s *oracleSocket, e fact) (refusal string) {
	if !s.ended && !o.draining && !o.hasShare(from, s) {
		return targetOverflow
	}
	return o.deliverFrom(from, s, e)
}

// admits reports whether a socket does not stand in the way of a broadcast.
func (o *oracle) admits(from string, s *oracleSocket) bool {
	return s.ended || o.draining || o.isSlow(s) || o.hasShare(from, s)
}

// isSlow reports whether a client reads more slowly than an honest room needs.
func (o *oracle) isSlow(s *oracleSocket) bool {
	if s.written == len(s.events) {
		return false
	}
	patience := o.options.WriteTimeout + min(o.options.ResumeWindow, time.Minute)
	return o.now.Sub(s.causes[s.written].at) > patience
}

// hasShare reports whether a sender may have one event more in an outbox. All
// clients have one address.
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

// advance gives a reader what is behind its position. A poll answers once: what
// of it is in the answer is seen only there.
func (o *oracle) advance(s *oracleSocket) {
	r := s.reader
	switch {
	case r == nil || r.position == len(s.events):
		return
	case r.transport == sse.OverPoll:
		r.due = true
		return
	}
	if last := len(r.said) - 1; last >= 0 && r.said[last].beat.Equal(o.now) {
		r.said[last].optional = true
	}
	for r.position < len(s.events) {
		r.position++
		r.say(r.position, s.events[r.position-1])
	}
	o.wrote(s)
}

// wrote notes that all up to the reader's position was written, and forgets what
// was written too long ago.
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

// expire forgets what was written so long ago that no client comes back for it.
func (o *oracle) expire(s *oracleSocket) {
	retention := 3*o.options.HeartbeatInterval + o.options.WriteTimeout + o.options.ResumeWindow
	for s.forgotten < s.written && s.causes[s.forgotten].at.Add(retention).Before(o.now) {
		s.forgotten++
	}
}

// answer answers the poll of a socket with so many events. How many they are is
// chance only as far as several came at once while the poll waited.
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

// finish ends a socket's reader, after a last word if there is one.
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

// hear makes a silent client take what there is again.
func (o *oracle) hear(s *oracleSocket) {
	r := s.reader
	r.until = o.now.Add(r.wait)
	r.least = len(s.events) - r.position
	wasStuck := !r.stuckAt.IsZero()
	r.silent, r.stuckAt = false, time.Time{}
	if wasStuck {
		o.wrote(s)
	}
}

// end ends a socket, and tells its room why.
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

// settle tells rooms of the sockets whose outboxes were full.
func (o *oracle) settle() {
	for len(o.overflowed) > 0 {
		s := o.overflowed[0]
		o.overflowed = o.overflowed[1:]
		o.end(s, sse.SlowConsumer)
	}
}

// tickInterval is how often the server looks after its sockets.
func (o *oracle) tickInterval() time.Duration {
	finest := min(o.options.HeartbeatInterval, o.options.ResumeWindow, o.options.AwayAfter) / 10
	return min(max(finest, time.Millisecond), 250*time.Millisecond)
}

// tick looks after all sockets. In which order is chance; those of which that
// matters come first.
func (o *oracle) tick(first []string) {
	for _, s := range o.sockets {
		o.expire(s)
		o.beat(s)
	}
	for _, id := range first {
		for _, s := range slices.Clone(o.sockets) {
			if s.id == id {
				o.lookAfter(s)
			}
		}
	}
	for _, s := range slices.Clone(o.sockets) {
		o.lookAfter(s)
	}
	o.settle()
}

// beat says something on a stream that has been silent for too long.
func (o *oracle) beat(s *oracleSocket) {
	r := s.reader
	if r == nil || r.transport != sse.OverStream || !r.stuckAt.IsZero() || o.now.Sub(r.lastWrite) < o.options.HeartbeatInterval {
		return
	}
	r.say(r.position, o.heartbeat())
	r.said[len(r.said)-1].beat = o.now
	o.wrote(s)
}

// lookAfter notes that a socket has not been read for a while, or for too long.
func (o *oracle) lookAfter(s *oracleSocket) {
	unread := o.now.Sub(s.unreadSince)
	switch {
	case s.ended || s.reader != nil:
	case unread >= o.options.ResumeWindow && s.stalled:
		o.end(s, sse.SlowConsumer)
	case unread >= o.options.ResumeWindow:
		o.end(s, sse.TransportClose)
	case unread >= o.options.AwayAfter && !s.away:
		s.away = true
		o.observe(s)
	}
}

// elapse brings what happens by itself between two ticks, until a moment: writes
// to silent clients fail, and polls that waited long enough answer nothing.
func (o *oracle) elapse(until time.Time) {
	for _, s := range o.sockets {
		switch r := s.reader; {
		case r == nil:
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
