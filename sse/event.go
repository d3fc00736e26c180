package sse

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	"signaling-server/internal/budget"
)

// Data is what an event says: one JSON object on one line. It may be in one piece,
// or in many that several events share and that are put together only while they
// are written. It is never changed, and any goroutine may call its methods.
type Data interface {
	// Len returns how many bytes are written.
	Len() int
	// Held returns how many bytes are kept for this event alone.
	Held() int
	// WriteTo writes the bytes, piece by piece.
	WriteTo(w io.Writer) (int64, error)
}

// Line is [Data] in one piece.
type Line []byte

// Len implements [Data].
func (l Line) Len() int { return len(l) }

// Held implements [Data].
func (l Line) Held() int { return len(l) }

// WriteTo implements [Data].
func (l Line) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(l)
	return int64(n), err
}

// Message is an event that the caller makes, for one socket or for many.
type Message struct {
	// Kind is the event's type.
	Kind string
	// Data is what it says.
	Data Data
	// From is the ID of the socket that causes the event. It waits at the expense of
	// that socket's share of an outbox. Empty: the server causes it.
	From string
	// Key names events of which one that is unsent is enough: this event takes the
	// place of an unsent one with an equal key or, with KeepsFirst, is left out. Nil:
	// it is no such event.
	Key        any
	KeepsFirst bool
	// IsBarrier says that no later event takes the place of one before this: a client
	// that reads this event begins anew.
	IsBarrier bool
}

// event is one server event, shared by the outboxes it was put into.
type event struct {
	// set once
	kind    string        // the SSE event field
	line    Line          // what it says, in one piece
	data    Data          // or, if line is nil, in many
	retry   time.Duration // the SSE retry field: sets the client's reconnection time, unless 0
	from    string        // the sender's socket ID, "" for the server
	origin  *origin       // the sender's, or nil
	key     any           // see Message
	keeps   bool          // Message.KeepsFirst
	barrier bool          // Message.IsBarrier
	size    int32         // bytes that are kept for it alone
	budget  *budget.Budget

	holders atomic.Int32 // outboxes that it is in
	waiting atomic.Int32 // outboxes in which it is unsent
}

// newEvent makes an event of the server's own.
func newEvent(kind string, data []byte) *event {
	mustBeOneLine(data)
	return &event{kind: kind, line: data, size: int32(len(data))}
}

// newEvent makes an event of a message. It is counted nowhere before it is held.
func (h *Hub) newEvent(m Message) *event {
	e := &event{kind: m.Kind, from: m.From, key: m.Key, keeps: m.KeepsFirst, barrier: m.IsBarrier, size: int32(m.Data.Held()), budget: h.options.Budget}
	if line, ok := m.Data.(Line); ok {
		mustBeOneLine(line)
		e.line = line // without its box, which the collector would look at for as long as the event lives
	} else {
		e.data = m.Data
	}
	if m.From != "" {
		if sender := h.socket(m.From); sender != nil {
			e.origin = sender.origin
		}
	}
	return e
}

// mustBeOneLine panics on data that would break a stream: a line end would begin a
// field of the sender's choice, and a client expects one JSON object.
func mustBeOneLine(data []byte) {
	if len(data) == 0 || data[0] != '{' || bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		panic("sse: an event's data must be a JSON object on one line")
	}
}

// length returns how many bytes the event's data has.
func (e *event) length() int {
	if e.line != nil {
		return len(e.line)
	}
	return e.data.Len()
}

// writeTo writes the event's data.
func (e *event) writeTo(w io.Writer) (err error) {
	if e.line != nil {
		_, err = w.Write(e.line)
		return err
	}
	_, err = e.data.WriteTo(w)
	return err
}

// hold counts one holder more. The first is charged for the event.
func (e *event) hold() {
	if e.holders.Add(1) == 1 {
		e.budget.Charge(int(e.size))
	}
}

// release counts one holder less.
func (e *event) release() {
	if e.holders.Add(-1) == 0 {
		e.budget.Charge(-int(e.size))
	}
}

// await counts one outbox more in which the event is unsent. The sender's origin is
// charged for the first.
func (e *event) await() {
	if e.origin != nil && e.waiting.Add(1) == 1 {
		e.origin.unsent.Add(int64(e.size))
	}
}

// arrive counts one outbox less in which the event is unsent.
func (e *event) arrive() {
	if e.origin != nil && e.waiting.Add(-1) == 0 {
		e.origin.unsent.Add(int64(-e.size))
	}
}
