package sse

import (
	"context"
	"net/http"
	"time"
)

// engineLink writes a stream through the engine, and takes the goroutine of the request's
// handler for that. It serves every connection: TLS, HTTP/2, and any http.ResponseWriter.
type engineLink struct {
	// set once
	stream  *stream
	lane    *lane
	request *http.Request // the request that the engine gets
	writer  *frameWriter
	cancel  context.CancelFunc // makes the engine's handler return

	ready bool // the engine has registered its reader; guarded by socket.mu
}

func newEngineLink(st *stream, w http.ResponseWriter, r *http.Request) *engineLink {
	ctx, cancel := context.WithCancel(r.Context())
	l := &engineLink{stream: st, lane: st.socket.hub.engine.openLane(), cancel: cancel}
	l.writer = &frameWriter{
		ResponseWriter: w,
		deadline:       deadline{control: http.NewResponseController(w)},
		isHTTP2:        r.ProtoMajor == 2,
		link:           l,
	}
	l.request = l.lane.request(ctx)
	return l
}

// serve returns when the stream has ended.
func (l *engineLink) serve() { l.lane.serve(l.writer, l.request) }

// close is called when serve has returned, or was never called.
func (l *engineLink) close() {
	l.cancel()
	l.lane.close()
	l.writer.finish()
}

func (l *engineLink) isStalled() bool { return hasTimedOut(l.writer.dead) }

func (l *engineLink) bytes() int { return engineBytes }

func (l *engineLink) hurry(limit time.Duration) { l.writer.deadline.hurry(time.Now().Add(limit)) }

// onFlushed is called by the handler's goroutine when the header has been flushed, and
// after each frame.
func (l *engineLink) onFlushed() {
	st := l.stream
	st.socket.mu.Lock()
	defer st.socket.mu.Unlock()
	if l.ready {
		st.wrote(st.position)
	}
	l.ready = true
	st.socket.tookPiece(st.since)
	st.busy, st.since = false, st.socket.hub.clock()
	l.advance()
}

// advance hands the next frame to the engine, if the engine waits for one. Nothing enters
// the engine in any other place.
func (l *engineLink) advance() {
	st := l.stream
	if !l.ready || st.busy {
		return
	}
	if next, ok := st.next(); ok {
		st.busy, st.since = true, st.socket.hub.clock()
		l.writer.event = next.event
		if !l.lane.publish(next) {
			l.cancel() // the engine has lost the frame: the client resumes from before it
		}
	} else if st.ending {
		l.cancel()
	}
}
