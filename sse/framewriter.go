package sse

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

// frameWriter stands between the engine and the connection. It makes one
// write and one flush of each frame, gives each write a deadline, and ends the
// stream on the first that fails, all of which the engine neglects.
//
// Write and Flush are called by the handler's goroutine alone, hurry by any.
type frameWriter struct {
	// set once
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // for one write
	isHTTP2 bool
	stream  *stream // is told of each frame that is out, and of the end

	// owned by the handler's goroutine
	frame    *bytes.Buffer // the frame being put together, nil between frames
	dead     bool          // nothing more can be written
	panicked any           // what the connection panicked with, to be passed on

	mu       sync.Mutex // guards what follows, and the deadline of the connection
	limit    time.Time  // no write may last longer than this, whatever its own deadline
	finished bool       // the connection is net/http's again
}

var frames = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// putBack keeps a buffer for the next frame, unless it is one of the rare large
// ones.
func putBack(frame *bytes.Buffer) {
	if frame.Cap() <= 64<<10 {
		frame.Reset()
		frames.Put(frame)
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *frameWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader drops the header Connection, which HTTP/2 forbids and HTTP/1.1
// does not need.
func (w *frameWriter) WriteHeader(status int) {
	w.Header().Del("Connection")
	w.ResponseWriter.WriteHeader(status)
}

// Write collects a part of a frame.
func (w *frameWriter) Write(part []byte) (int, error) {
	if w.frame == nil {
		w.frame = frames.Get().(*bytes.Buffer)
	}
	return w.frame.Write(part)
}

// Flush sends what was collected.
func (w *frameWriter) Flush() {
	frame := w.frame
	w.frame = nil
	if frame != nil {
		defer putBack(frame)
	}
	if w.dead {
		return
	}
	if err := w.send(frame); err != nil {
		w.dead = true
		w.stream.cancel()
		return
	}
	w.stream.onFlushed()
}

// send writes one frame to the connection. A panic there must not unwind
// through the engine, which would never let go of the stream.
func (w *frameWriter) send(frame *bytes.Buffer) (err error) {
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = http.ErrAbortHandler
		}
	}()
	w.setDeadline(time.Now().Add(w.timeout))
	if frame != nil {
		if _, err := w.ResponseWriter.Write(frame.Bytes()); err != nil {
			return err
		}
	}
	if err := w.control.Flush(); err != nil {
		return err
	}
	if w.isHTTP2 {
		w.setDeadline(time.Time{}) // it ends an HTTP/2 stream even when nothing is being written
	}
	return nil
}

// setDeadline sets the deadline of the next write. A connection that knows no
// deadlines (in tests) does without.
func (w *frameWriter) setDeadline(deadline time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.limit.IsZero() && (deadline.IsZero() || w.limit.Before(deadline)) {
		deadline = w.limit
	}
	w.control.SetWriteDeadline(deadline)
}

// hurry bounds the write under way, and all that follow, by a common limit.
func (w *frameWriter) hurry(limit time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished || !w.limit.IsZero() && w.limit.Before(limit) {
		return
	}
	w.limit = limit
	w.control.SetWriteDeadline(limit)
}

// finish gives the connection back, with a deadline for the response's end,
// which net/http is yet to write.
func (w *frameWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	if !w.dead {
		w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	}
}
