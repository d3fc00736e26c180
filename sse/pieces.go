package sse

import (
	"io"
	"time"
)

// answerBody is the body of a poll's answer. It is put together only while it is written.
type answerBody struct {
	events []*event
	end    []byte // the text after the events
}

const answerHead = `{"events":[`

// length returns how many bytes writeTo writes.
func (b answerBody) length() int {
	length := len(answerHead) + max(0, len(b.events)-1) + len(b.end)
	for _, e := range b.events {
		length += e.length()
	}
	return length
}

// writeTo writes the body.
func (b answerBody) writeTo(w io.Writer) error {
	if _, err := io.WriteString(w, answerHead); err != nil {
		return err
	}
	for i, e := range b.events {
		if i > 0 {
			if _, err := io.WriteString(w, ","); err != nil {
				return err
			}
		}
		if err := e.writeTo(w); err != nil {
			return err
		}
	}
	_, err := w.Write(b.end)
	return err
}

// maxPiece is how many bytes are written under one deadline. So a client on a slow link
// is not cut off within a large event. A client that reads nothing is still cut off.
const maxPiece = 32 << 10

// pieceWriter writes to a socket's connection in pieces. Each piece has a timeout of its
// own. One goroutine owns it.
type pieceWriter struct {
	to       io.Writer
	deadline *deadline
	socket   *socket
	left     int           // bytes that may still be written under the present deadline
	began    time.Duration // by the hub's clock: when the first piece began
}

func newPieceWriter(to io.Writer, d *deadline, s *socket) pieceWriter {
	return pieceWriter{to: to, deadline: d, socket: s, began: s.hub.clock()}
}

// Write implements [io.Writer].
func (w *pieceWriter) Write(text []byte) (written int, err error) {
	for len(text) > 0 {
		if w.left <= 0 {
			w.socket.tookPiece(w.began)
			w.deadline.set(time.Now().Add(w.socket.hub.options.WriteTimeout))
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
