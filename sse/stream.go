package sse

import (
	"context"
	"net/http"
	"time"
)

const (
	// reconnectionTime is what EventSource waits before it opens the next
	// stream (the retry field).
	reconnectionTime = 2 * time.Second

	// partingTime is how long a stream that is not to go on may take for the
	// write under way and its last words.
	partingTime = 250 * time.Millisecond
)

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
	opening   []event   // what comes before the first event of the outbox
	position  uint64    // the last sequence that was handed to the engine
	lastWrite time.Time // when a frame was last out
	beat      bool      // a heartbeat is due
	skip      bool      // the rest of the outbox is another stream's, or nobody's
	ending    bool      // to be ended when everything is out
	lastWord  *event    // what the client is told at the very end
}

func newStream(s *socket, w http.ResponseWriter, r *http.Request) *stream {
	ctx, cancel := context.WithCancel(r.Context())
	st := &stream{
		socket: s,
		lane:   s.hub.engine.openLane(),
		cancel: cancel,
		done:   make(chan struct{}),
	}
	st.writer = &frameWriter{
		ResponseWriter: w,
		control:        http.NewResponseController(w),
		timeout:        s.hub.options.WriteTimeout,
		isHTTP2:        r.ProtoMajor == 2,
		stream:         st,
	}
	st.request = st.lane.request(ctx)
	return st
}

// close ends a stream whose lane has been served, or never was.
func (st *stream) close() {
	st.cancel()
	st.lane.close()
	st.writer.finish()
	close(st.done)
}

// onFlushed is called by the handler's goroutine when the header, and then
// each frame, is out.
func (st *stream) onFlushed() {
	st.socket.mu.Lock()
	defer st.socket.mu.Unlock()
	if st.ready && !st.skip {
		st.socket.outbox.wrote(st.position)
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
			st.beat = false
			return newFrame(EventID{st.socket.token, st.position}, e), true
		}
	}
	if st.lastWord != nil {
		last := *st.lastWord
		st.lastWord = nil
		return st.aside(last), true
	}
	if st.beat && !st.ending {
		st.beat = false
		return st.aside(newHeartbeat()), true
	}
	return frame{}, false
}

// aside makes a frame of an event that concerns this stream alone. It repeats
// the last id, so that it does not move the client's position.
func (st *stream) aside(e event) frame {
	return newFrame(EventID{st.socket.token, st.position}, e)
}

// open sets what the client hears first. The heartbeat behind connected is for
// virus scanners that hold each event back until the next.
func (st *stream) open(resumed bool) {
	options := st.socket.hub.options
	hello := newEvent("connected", connected{
		Type:              "connected",
		SocketID:          st.socket.id,
		Token:             st.socket.token.Secret(),
		Resumed:           resumed,
		HeartbeatInterval: options.HeartbeatInterval.Milliseconds(),
		ResumeWindow:      options.ResumeWindow.Milliseconds(),
		Timestamp:         timestamp(),
	})
	hello.retry = reconnectionTime
	st.opening = []event{hello, newHeartbeat()}
}

// end makes the stream stop: after everything that its outbox holds, or (skip)
// without it, and with a last word if there is one. The limit bounds how long
// its client may take to read that. The socket's lock must be held.
func (st *stream) end(skip bool, lastWord *event, limit time.Duration) {
	st.skip = st.skip || skip
	if st.skip {
		st.opening = nil
	}
	st.ending = true
	st.lastWord = lastWord
	st.writer.hurry(time.Now().Add(limit))
	st.advance()
}
