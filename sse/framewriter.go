package sse

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

// frameWriter stands between the engine and the connection. It does what the engine does
// not do: it gives each write a deadline, and ends the stream when a write fails. It
// collects a frame, puts the event's data into it, and flushes it once.
//
// Only the handler's goroutine calls its methods.
type frameWriter struct {
	// set once
	http.ResponseWriter
	deadline deadline // has a lock of its own
	isHTTP2  bool
	link     *engineLink // learns of each frame that was flushed, and of the first failure

	// set by engineLink.advance before it hands a frame to the engine; then the handler's
	// goroutine owns it until the frame is flushed
	event *event

	// owned by the handler's goroutine
	frame    *bytes.Buffer // the frame that is being put together; nil between frames
	dataAt   int           // where the event's data belongs in frame
	pieces   pieceWriter   // writes to the connection
	dead     error         // why nothing more can be written
	panicked any           // the value that the connection panicked with, for ServeStream to pass on
}

// frames holds buffers that are free for another frame.
var frames = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// putBack keeps a buffer for another frame. It drops the few that have grown large.
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

// dataLine is the line that the engine writes for the placeholder.
var dataLine = append(append([]byte("data: "), placeholder...), '\n')

// Write collects a part of a frame, and notes where the data belongs.
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

// Flush sends the collected frame.
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
	w.event = nil // it would stay in memory for as long as the stream is silent
	if w.dead != nil {
		w.link.cancel()
		return
	}
	w.link.onFlushed()
}

// send writes one frame to the connection. It stops a panic of the connection: if the
// panic went on through the engine, the engine would keep the stream for ever.
func (w *frameWriter) send(frame *bytes.Buffer) (err error) {
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = http.ErrAbortHandler
		}
	}()
	w.deadline.set(time.Now().Add(w.timeout()))
	if frame != nil {
		if err := w.write(frame.Bytes()[:w.dataAt], frame.Bytes()[w.dataAt:]); err != nil {
			return err
		}
	}
	if err := w.deadline.control.Flush(); err != nil {
		return err
	}
	if w.isHTTP2 {
		w.deadline.set(time.Time{}) // a deadline ends an HTTP/2 stream even if nothing is being written
	}
	return nil
}

// write writes a frame: the lines before its data, the data, and the rest.
func (w *frameWriter) write(before, after []byte) error {
	w.pieces = newPieceWriter(w.ResponseWriter, &w.deadline, w.link.stream.socket, maxPiece)
	if _, err := w.pieces.Write(before); err != nil {
		return err
	}
	if err := w.event.writeTo(&w.pieces); err != nil {
		return err
	}
	_, err := w.pieces.Write(after)
	return err
}

// finish gives the connection back to net/http, with a deadline for the response's end. If
// a write has failed, the deadline is now: nothing more can be written.
func (w *frameWriter) finish() {
	at := time.Now()
	if w.dead == nil {
		at = at.Add(w.timeout())
	}
	w.deadline.finish(at)
}

// timeout returns how long each write may take.
func (w *frameWriter) timeout() time.Duration { return w.link.stream.socket.hub.options.WriteTimeout }
