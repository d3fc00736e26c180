package sse

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

// frameWriter stands between the engine and the connection. It collects what the
// engine writes of a frame, puts the event's data into it, gives each write a
// deadline, and ends the stream on the first that fails, all of which the engine
// neglects. A frame is flushed once.
//
// Write and Flush are called by the handler's goroutine alone.
type frameWriter struct {
	// set once
	http.ResponseWriter
	deadline deadline
	timeout  time.Duration // for one write
	isHTTP2  bool
	stream   *stream // its methods are called for each frame that is out, and at the end

	// set before a frame is handed to the engine, which then writes that alone
	event *event

	// owned by the handler's goroutine
	frame    *bytes.Buffer // the frame being put together, nil between frames
	dataAt   int           // where its data belongs
	pieces   pieceWriter   // to the connection
	dead     error         // why nothing more can be written
	panicked any           // what the connection panicked with, to be passed on
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

// dataLine is how the engine writes the placeholder.
var dataLine = append(append([]byte("data: "), placeholder...), '\n')

// Write collects a part of a frame.
func (w *frameWriter) Write(part []byte) (int, error) {
	if w.frame == nil {
		w.frame = frames.Get().(*bytes.Buffer)
	}
	if bytes.Equal(part, dataLine) {
		w.frame.WriteString("data: ")
		w.dataAt = w.frame.Len()
		w.frame.WriteByte('\n')
		return len(part), nil
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
	if w.dead != nil {
		return
	}
	w.dead = w.send(frame)
	w.event = nil // it would be kept for as long as the stream is silent
	if w.dead != nil {
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
	w.deadline.set(time.Now().Add(w.timeout))
	if frame != nil {
		if err := w.write(frame.Bytes()[:w.dataAt], frame.Bytes()[w.dataAt:]); err != nil {
			return err
		}
	}
	if err := w.deadline.control.Flush(); err != nil {
		return err
	}
	if w.isHTTP2 {
		w.deadline.set(time.Time{}) // it ends an HTTP/2 stream even when nothing is being written
	}
	return nil
}

// write writes a frame: what stands before its data, the data, and the rest.
func (w *frameWriter) write(before, behind []byte) error {
	w.pieces = pieceWriter{w.ResponseWriter, &w.deadline, w.timeout, maxPiece}
	if _, err := w.pieces.Write(before); err != nil {
		return err
	}
	if err := w.event.writeTo(&w.pieces); err != nil {
		return err
	}
	_, err := w.pieces.Write(behind)
	return err
}

// finish gives the connection back, with a deadline for the response's end. One
// that nothing can be written to is left as it is.
func (w *frameWriter) finish() {
	at := time.Now()
	if w.dead == nil {
		at = at.Add(w.timeout)
	}
	w.deadline.finish(at)
}
