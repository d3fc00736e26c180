package sse

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"
)

// reconnectionTime is what EventSource waits before it opens the next stream
// (the retry field).
const reconnectionTime = 2 * time.Second

// stream is one open response: a reader of its socket's outbox.
type stream struct {
	// set once
	socket  *socket
	lane    *lane
	request *http.Request // what the engine is asked
	writer  *frameWriter
	cancel  context.CancelFunc // makes the engine let go
	done    chan struct{}      // closed when the engine has let go

	// guarded by socket.mu
	ready     bool      // the engine has registered its reader
	busy      bool      // a frame is in the engine or being written
	opening   []*event  // what comes before the first event of the outbox
	position  uint64    // the last sequence that was handed to the engine
	lastWrite time.Time // when a frame was last out
	beatDue   bool      // a heartbeat is to be written
	skip      bool      // the rest of the outbox is another stream's, or nobody's
	ending    bool      // to be ended when everything is out
	lastWord  *event    // what the client is told at the very end
}

// newStream makes a stream. The heartbeat behind connected is for virus scanners
// that hold each event back until the next.
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
		timeout:        s.hub.options.WriteTimeout,
		isHTTP2:        r.ProtoMajor == 2,
		stream:         st,
	}
	st.request = st.lane.request(ctx)
	return st
}

func (st *stream) transport() Transport { return OverStream }

func (st *stream) start(position uint64) {
	st.position = position
	st.lastWrite = time.Now()
}

// close ends a stream whose lane has been served, or never was.
func (st *stream) close() {
	st.cancel()
	st.lane.close()
	st.writer.finish()
	close(st.done)
}

func (st *stream) isStalled() bool { return errors.Is(st.writer.dead, os.ErrDeadlineExceeded) }

func (st *stream) gone() <-chan struct{} { return st.done }

func (st *stream) beat(now time.Time) {
	if !st.busy && now.Sub(st.lastWrite) >= st.socket.hub.options.HeartbeatInterval {
		st.beatDue = true
		st.advance()
	}
}

// onFlushed is called by the handler's goroutine when the header, and then
// each frame, is out.
func (st *stream) onFlushed() {
	st.socket.mu.Lock()
	defer st.socket.mu.Unlock()
	if st.ready && !st.skip {
		st.socket.wrote(st.position)
	}
	st.ready = true
	st.busy = false
	st.lastWrite = time.Now()
	st.advance()
}

// advance hands the next frame to the engine if it waits for one. It is the
// one place where anything enters the engine. The socket's lock must be held.
func (st *stream) advance() {
	if !st.ready || st.busy {
		return
	}
	if next, ok := st.next(); ok {
		st.busy = true
		st.writer.event = next.event
		if !st.lane.publish(next) {
			st.cancel() // it has lost the frame: the client resumes before it
		}
	} else if st.ending {
		st.cancel()
	}
}

// next takes what is to be written next: what opens the stream, then the
// outbox, then the last word; and in silence a heartbeat.
func (st *stream) next() (frame, bool) {
	if len(st.opening) > 0 {
		next := st.opening[0]
		if st.opening = st.opening[1:]; len(st.opening) == 0 {
			st.opening = nil // it would keep both events for as long as the stream lives
		}
		return st.aside(next), true
	}
	if !st.skip {
		if e, ok := st.socket.outbox.after(st.position); ok {
			st.position++
			st.socket.outbox.taken = st.position
			st.beatDue = false
			return newFrame(EventID{st.socket.token, st.position}, e), true
		}
	}
	if st.lastWord != nil {
		last := st.lastWord
		st.lastWord = nil
		return st.aside(last), true
	}
	if st.beatDue && !st.ending {
		st.beatDue = false
		return st.aside(newHeartbeat()), true
	}
	return frame{}, false
}

// aside makes a frame of an event that concerns this stream alone. It repeats
// the last id, so that it does not move the client's position.
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
