package sse

import (
	"io"
	"time"
)

var comma = Line(",")

// pieces is a text that is put together only while it is written.
type pieces []Data

// Len returns how many bytes are written.
func (p pieces) Len() (length int) {
	for _, piece := range p {
		length += piece.Len()
	}
	return length
}

// WriteTo implements [io.WriterTo].
func (p pieces) WriteTo(w io.Writer) (written int64, err error) {
	for _, piece := range p {
		n, err := piece.WriteTo(w)
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// maxPiece is how many bytes are written under one deadline: a client that reads as
// fast as a slow link is not cut off within a large event, and one that reads
// nothing is.
const maxPiece = 32 << 10

// pieceWriter writes to a connection in pieces, each with a time-out of its own.
type pieceWriter struct {
	to       io.Writer
	deadline *deadline
	timeout  time.Duration
	left     int // bytes that may be written under the present deadline
}

// Write implements [io.Writer].
func (w *pieceWriter) Write(text []byte) (written int, err error) {
	for len(text) > 0 {
		if w.left <= 0 {
			w.deadline.set(time.Now().Add(w.timeout))
			w.left = maxPiece
		}
		piece := text[:min(len(text), w.left)]
		n, err := w.to.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		w.left -= n
		text = text[n:]
	}
	return written, nil
}
