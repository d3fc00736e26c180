package sse

import "time"

// reconnectionTime is how long an EventSource waits before it opens the next stream. It
// is the retry field of connected.
const reconnectionTime = 2 * time.Second

// stream is the reader that writes one response for as long as the response stays open.
// It knows what comes next, and its link writes that to the client.
type stream struct {
	// set once
	socket *socket
	token  Token // of the socket, for the ids of events
	link   *link
	done   chan struct{} // closed when the stream writes nothing more

	// guarded by socket.mu
	busy     bool          // the link writes, or cannot write now
	since    time.Duration // by the hub's clock: when the stream became busy, or when it last was
	opening  []*event      // events to write before the first one of the outbox
	position uint64        // highest sequence that was handed to the link
	beatDue  bool          // a heartbeat must be written
	beatAt   time.Duration // by the hub's clock: when the latest heartbeat became due
	skip     bool          // the rest of the outbox is for another reader, or for nobody
	ending   bool          // the stream ends when everything is written
	lastWord *event        // the last event of the stream, or nil
}

// newStream makes a stream without a link. It begins with connected and a heartbeat: some
// virus scanners hold each event back until the next one arrives.
func newStream(s *socket, token Token, resumed bool) *stream {
	return &stream{socket: s, token: token, done: make(chan struct{}), opening: []*event{newConnected(s, token, resumed), s.hub.newHeartbeat()}}
}

func (st *stream) transport() Transport { return OverStream }

func (st *stream) bytes() int { return st.link.bytes() }

func (st *stream) start(position uint64) {
	st.position = position
	st.since = st.socket.hub.clock()
}

func (st *stream) advance() { st.link.advance() }

func (st *stream) close() {
	st.link.close()
	close(st.done)
}

func (st *stream) isStalled() bool { return st.link.isStalled() }

func (st *stream) gone() <-chan struct{} { return st.done }

func (st *stream) beat(now time.Duration) (again time.Duration) {
	s, interval := st.socket, st.socket.hub.options.HeartbeatInterval
	isMute := !st.busy && now-st.since >= interval
	isUnheard := s.silence(now) >= interval && int64(st.beatAt) <= s.heard.Load()
	if isMute || isUnheard {
		st.beatDue, st.beatAt = true, now
		st.link.advance()
	}
	switch {
	case st.busy:
		return now // at each tick: it may stop to write
	case isMute:
		again = now + interval
	default:
		again = st.since + interval
	}
	if heard := time.Duration(s.heard.Load()); heard != 0 {
		again = min(again, heard+interval)
	}
	return again
}

func (st *stream) end(skip bool, lastWord *event, limit time.Duration) {
	st.skip = st.skip || skip
	if st.skip {
		st.opening = nil
	}
	st.ending = true
	st.lastWord = lastWord
	st.link.hurry(limit)
	st.link.advance()
}

// hasNext reports whether there may be something to write, or to end. The socket's lock must
// be held.
func (st *stream) hasNext() bool {
	return st.ending || st.beatDue || len(st.opening) > 0 || st.position < st.socket.outbox.last
}

// next takes what must be written next: first the opening, then a heartbeat that is due,
// then the outbox, then the last word. The socket's lock must be held.
func (st *stream) next() (frame, bool) {
	if len(st.opening) > 0 {
		next := st.opening[0]
		if st.opening = st.opening[1:]; len(st.opening) == 0 {
			st.opening = nil // its array would keep both events for as long as the stream lives
		}
		return st.at(next), true
	}
	if st.beatDue && !st.ending {
		st.beatDue = false
		return st.at(st.socket.hub.newHeartbeat()), true
	}
	if !st.skip {
		if e, sequence, ok := st.socket.outbox.after(st.position); ok {
			st.position = sequence
			st.socket.hand(sequence)
			return st.at(e), true
		}
	}
	if st.lastWord != nil {
		last := st.lastWord
		st.lastWord = nil
		return st.at(last), true
	}
	return frame{}, false
}

// at makes a frame of an event that has the stream's position as its id. An event that
// is not in the outbox repeats the last id, so that it does not move the client's position.
func (st *stream) at(e *event) frame { return frame{EventID{st.token, st.position}, e} }

// wrote notes that everything up to a sequence was written, unless another reader is to
// write it again. The socket's lock must be held.
func (st *stream) wrote(sequence uint64) {
	if !st.skip {
		st.socket.wrote(sequence)
	}
}
