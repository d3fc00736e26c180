package sse

import (
	"errors"
	"strconv"
	"sync"
)

// window is the part of a stream that one write takes. It holds maxPiece bytes at most,
// even if an event is larger: the rest of the event is put together only when the
// connection takes it.
type window struct {
	bytes []byte
	skip  int // how many bytes must be left out because they were written before
}

var windows = sync.Pool{New: func() any { return new(window) }}

func (w *window) reset() { w.bytes, w.skip = w.bytes[:0], 0 }

// putBack keeps the window for another write.
func (w *window) putBack() {
	w.reset()
	windows.Put(w)
}

func (w *window) isFull() bool { return len(w.bytes) >= maxPiece }

func (w *window) add(text []byte) { w.bytes = append(w.bytes, text...) }

var errWindowFull = errors.New("sse: the window is full")

// Write implements [io.Writer]. It leaves out the bytes to skip, and those that do not fit.
func (w *window) Write(text []byte) (int, error) {
	length := len(text)
	skipped := min(w.skip, length)
	w.skip -= skipped
	text = text[skipped:]
	fits := min(len(text), maxPiece-len(w.bytes))
	w.add(text[:fits])
	if fits < len(text) {
		return skipped + fits, errWindowFull
	}
	return length, nil
}

// addFrame adds a frame, or as much of it as fits. It returns the size of the whole frame
// on the connection.
func (w *window) addFrame(f frame, isChunked bool) (size int) {
	var room, chunkRoom [192]byte
	head := f.appendHead(room[:0])
	tail := f.appendTail(head[len(head):])
	size = len(head) + f.event.length() + len(tail)
	chunk := chunkRoom[:0]
	if isChunked {
		chunk = append(strconv.AppendInt(chunk, int64(size), 16), lineEnd...)
		tail = append(tail, lineEnd...)
		size += len(chunk) + len(lineEnd)
	}
	if _, err := w.Write(chunk); err != nil {
		return size
	}
	if _, err := w.Write(head); err != nil {
		return size
	}
	if err := f.event.writeTo(w); err != nil {
		return size
	}
	_, _ = w.Write(tail) // an error means that the rest follows in another window
	return size
}

// lineEnd ends the lines of a chunked response (RFC 9112, 7.1).
const lineEnd = "\r\n"
