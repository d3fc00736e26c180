package sse

import (
	"context"
	"net/http"
	"time"
)

// reconnectionTime is how long an EventSource waits before it opens the next stream. It
// is the retry field of connected.
const reconnectionTime = 2 * time.Second

// stream is the reader that writes one response for as long as the response stays open.
type stream struct {
	// set once
	socket  *socket
	lane    *lane
	request *http.Request // the request that the engine gets
	writer  *frameWriter
	cancel  context.CancelFunc // makes the engine's handler return
	done    chan struct{}      // closed when the stream writes nothing more

	// guarded by socket.mu
	ready    bool          // the engine has registered its reader
	busy     bool          // a frame is in the engine or is being written
	since    time.Duration // by the hub's clock: when the stream became busy, or when it last was
	opening  []*event      // events to write before the first one of the outbox
	position uint64        // highest sequence that was handed to the engine
	beatDue  bool          // a heartbeat must be written
	beatAt   time.Duration // by the hub's clock: when the latest heartbeat became due
	skip     bool          // the rest of the outbox is for another reader, or for nobody
	ending   bool          // the stream ends when everything is written
	lastWord *event        // the last event of the stream, or nil
}

// newStream makes a stream. It begins with connected and a heartbeat: some virus scanners
// hold each event back until the next one arrives.
func newStream(s *socket, w http.ResponseWriter, r *http.Request, resumed bool) *stream {
	ctx, cancel := context.WithCancel(r.Context())
	st := &stream{
		socket:  s,
		lane:    s.hub.engine.openLane(),
		cancel:  cancel,
		done:    make(chan struct{}),
		opening: []*event{newConnected(s, resumed), newHeartbeat()},
	}
	st.writer = &frameWriter{
		ResponseWriter: w,
		deadline:       deadline{control: http.NewResponseController(w)},
		isHTTP2:        r.ProtoMajor == 2,
		stream:         st,
	}
	st.request = st.lane.request(ctx)
	return st
}

func (st *stream) transport() Transport { return OverStream }

func (st *stream) start(position uint64) {
	st.position = position
	st.since = st.socket.hub.clock()
}

// close is called when the lane's serve has returned, or was never called.
func (st *stream) close() {
	st.cancel()
	st.lane.close()
	st.writer.finish()
	close(st.done)
}

func (st *stream) isStalled() bool { return hasTimedOut(st.writer.dead) }

func (st *stream) gone() <-chan struct{} { return st.done }

func (st *stream) beat(now time.Duration) {
	s, interval := st.socket, st.socket.hub.options.HeartbeatInterval
	isMute := !st.busy && now-st.since >= interval
	isUnheard := s.silence(now) >= interval && int64(st.beatAt) <= s.heard.Load()
	if isMute || isUnheard {
		st.beatDue, st.beatAt = true, now
		st.advance()
	}
}

// onFlushed is called by the handler's goroutine when the header has been flushed, and
// after each frame.
func (st *stream) onFlushed() {
	st.socket.mu.Lock()
	defer st.socket.mu.Unlock()
	if st.ready && !st.skip {
		st.socket.wrote(st.position)
	}
	st.ready = true
	st.socket.tookPiece(st.since)
	st.busy, st.since = false, st.socket.hub.clock()
	st.advance()
}

// advance hands the next frame to the engine, if the engine waits for one. Nothing enters
// the engine in any other place. The socket's lock must be held.
func (st *stream) advance() {
	if !st.ready || st.busy {
		return
	}
	if next, ok := st.next(); ok {
		st.busy, st.since = true, st.socket.hub.clock()
		st.writer.event = next.event
		if !st.lane.publish(next) {
			st.cancel() // the engine has lost the frame: the client resumes from before it
		}
	} else if st.ending {
		st.cancel()
	}
}

// next takes what must be written next: first the opening, then a heartbeat that is due,
// then the outbox, then the last word.
func (st *stream) next() (frame, bool) {
	if len(st.opening) > 0 {
		next := st.opening[0]
		if st.opening = st.opening[1:]; len(st.opening) == 0 {
			st.opening = nil // its array would keep both events for as long as the stream lives
		}
		return st.aside(next), true
	}
	if st.beatDue && !st.ending {
		st.beatDue = false
		return st.aside(newHeartbeat()), true
	}
	if !st.skip {
		if e, ok := st.socket.outbox.after(st.position); ok {
			st.position++
			st.socket.outbox.taken = st.position
			return newFrame(EventID{st.socket.token, st.position}, e), true
		}
	}
	if st.lastWord != nil {
		last := st.lastWord
		st.lastWord = nil
		return st.aside(last), true
	}
	return frame{}, false
}

// aside makes a frame of an event that is not in the outbox. The frame repeats the last
// id, so that it does not move the client's position.
func (st *stream) aside(e *event) frame {
	return newFrame(EventID{st.socket.token, st.position}, e)
}

func (st *stream) end(skip bool, lastWord *event, limit time.Duration) {
	st.skip = st.skip || skip
	if st.skip {
		st.opening = nil
	}
	st.ending = true
	st.lastWord = lastWord
	st.writer.deadline.hurry(time.Now().Add(limit))
	st.advance()
}
