// Package ssetest reads event streams in tests.
//
// It splits lines and fields as WHATWG HTML does (section 9.2.6, "Interpreting an event
// stream"), so that a test sees the same events as a browser. It is stricter than a
// browser in one way: what a browser would ignore or join is an error here, because the
// server never writes it on purpose. A line break that got into the data, for example,
// makes a line that is not a field.
package ssetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Event is one event of a stream, with its fields as the server wrote them. A
// field that was not there is empty.
type Event struct {
	ID, Type, Data, Retry string
}

// ErrStrange is the error of a stream that contains something that a browser would
// ignore or join.
var ErrStrange = errors.New("this has no place in a stream of this server")

// Reader reads the events of one stream. One goroutine at a time may use it.
type Reader struct {
	from  *bufio.Reader
	isOld bool // the first line was read: a byte order mark has no place any more
	wasCR bool // the last line ended with CR, so that a LF belongs to it
}

// NewReader returns a Reader of a body.
func NewReader(body io.Reader) *Reader { return &Reader{from: bufio.NewReader(body)} }

// Next returns the next event as soon as the blank line after it has come. The error is
// io.EOF if the stream ends after an event, and io.ErrUnexpectedEOF if it ends within
// an event. It wraps ErrStrange if a line has no place in the stream. Any other error
// is the body's.
func (r *Reader) Next() (Event, error) {
	var e Event
	seen := make(map[string]bool)
	for {
		line, err := r.line()
		switch {
		case err == io.EOF && (line != "" || len(seen) > 0):
			return Event{}, io.ErrUnexpectedEOF
		case err != nil:
			return Event{}, err
		case line != "":
			if err := e.take(line, seen); err != nil {
				return Event{}, err
			}
		case !seen["data"]:
			return Event{}, fmt.Errorf("%w: an event without data, but with %v", ErrStrange, seen)
		default:
			return e, nil
		}
	}
}

// line reads up to a line's end, which is CR, LF or both. After a CR it returns at
// once: it does not wait for a LF.
func (r *Reader) line() (string, error) {
	var line []byte
	for {
		if _, err := r.from.Peek(1); err != nil {
			return string(line), err
		}
		waiting, _ := r.from.Peek(r.from.Buffered())
		if r.wasCR && waiting[0] == '\n' {
			r.wasCR = false
			_, _ = r.from.Discard(1)
			continue
		}
		r.wasCR = false
		end := bytes.IndexAny(waiting, "\r\n")
		if end < 0 {
			line = append(line, waiting...)
			_, _ = r.from.Discard(len(waiting))
			continue
		}
		line = append(line, waiting[:end]...)
		r.wasCR = waiting[end] == '\r'
		_, _ = r.from.Discard(end + 1)
		if !r.isOld {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		r.isOld = true
		return string(line), nil
	}
}

// take takes in one line of an event.
func (e *Event) take(line string, seen map[string]bool) error {
	name, value, found := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	field := map[string]*string{"id": &e.ID, "event": &e.Type, "data": &e.Data, "retry": &e.Retry}[name]
	wrong := ""
	switch {
	case !found || field == nil:
		wrong = "the line is not a field of an event"
	case seen[name]:
		wrong = "the field comes twice in an event"
	case name == "id" && strings.ContainsRune(value, 0):
		wrong = "an id with NUL in it is ignored"
	case name == "retry" && (value == "" || strings.Trim(value, "0123456789") != ""):
		wrong = "a retry that is not a number is ignored"
	}
	if wrong != "" {
		return fmt.Errorf("%w: %s: %q", ErrStrange, wrong, line)
	}
	*field, seen[name] = value, true
	return nil
}

// ReadAll reads the events of a body to its end, which must come after an event.
func ReadAll(body io.Reader) (all []Event, err error) {
	for r := NewReader(body); ; {
		e, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
}
