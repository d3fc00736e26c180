package sse

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"signaling-server/internal/budget"
)

// Data is the text of an event: one JSON object on one line. It is in one piece, or in
// many pieces that events share and that are put together only while they are written.
// It never changes, and any goroutine may call its methods.
type Data = interface {
	// Len returns how many bytes WriteTo writes.
	Len() int
	// Held returns how many bytes of memory are kept for this event alone.
	Held() int
	// WriteTo writes the text, piece by piece. It implements [io.WriterTo].
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

// Message is an event as its maker hands it to the hub, for one socket or for many.
type Message struct {
	// Kind is the event's type.
	Kind string
	// Data is the event's text, which names the type as well.
	Data Data
	// From is the ID of the socket that causes the event. While the event waits, it
	// counts against that socket's share of the outbox. Empty: the server causes it.
	From string
	// Key marks events that replace each other: an event follows at the end, and an unsent
	// event with an equal key is dropped. 0: the event has no key.
	Key uint64
}

// event is one server event, shared by the outboxes that it is in.
type event struct {
	// set once
	kind   string         // the SSE event field
	line   Line           // the text, if it is in one piece
	data   Data           // the text, if line is nil
	retry  time.Duration  // the SSE retry field, which sets the client's reconnection time; 0: none
	from   string         // the sender's socket ID; empty: the server
	origin *origin        // the sender's network; nil: the server's event
	key    uint64         // Message.Key
	size   int32          // bytes that are kept for this event alone
	born   time.Duration  // by the hub's clock
	trace  *trace.TraceID // of the POST that caused it; nil: none
	budget *budget.Budget // charged while the event has holders

	holders  atomic.Int32 // how many outboxes it is in
	unsentIn atomic.Int32 // in how many outboxes it is unsent
}

// newEvent makes an event that the server itself causes.
func newEvent(kind string, data []byte) *event {
	mustBeOneLine(data)
	return &event{kind: kind, line: data, size: int32(len(data))}
}

// newEvent makes an event of a message. Nothing is charged for it before it is held.
func (h *Hub) newEvent(m Message) *event {
	e := &event{kind: m.Kind, from: m.From, key: m.Key, size: int32(m.Data.Held()), born: h.clock(), budget: h.options.Budget}
	if line, ok := m.Data.(Line); ok {
		mustBeOneLine(line)
		e.line = line // not in data: the garbage collector would scan that interface for as long as the event lives
	} else {
		e.data = m.Data
	}
	if m.From != "" {
		if sender := h.socket(m.From); sender != nil {
			e.origin, e.trace = sender.origin, sender.trace.Load()
		}
	}
	return e
}

// mustBeOneLine panics on data that would break a stream. A line end would begin a field
// of the sender's choice, and a client expects one JSON object.
func mustBeOneLine(data []byte) {
	if !isOneLine(data) {
		panic("sse: an event's data must be a JSON object on one line")
	}
}

func isOneLine(data []byte) bool {
	return len(data) > 0 && data[0] == '{' && bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0
}

// length returns the length of the event's data in bytes.
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

// hold counts one more holder. The first holder charges the budget for the event.
func (e *event) hold() {
	if e.holders.Add(1) == 1 {
		e.budget.Charge(int(e.size))
	}
}

// release counts one holder less. The last holder gives the charge back.
func (e *event) release() {
	if e.holders.Add(-1) == 0 {
		e.budget.Charge(-int(e.size))
	}
}

// addUnsent counts one more outbox in which the event is unsent. The sender's network is
// charged for the first of them.
func (e *event) addUnsent() {
	if e.origin != nil && e.unsentIn.Add(1) == 1 {
		e.origin.unsent.Add(int64(e.size))
	}
}

// removeUnsent counts one outbox less in which the event is unsent. After the last of
// them, the sender's network gets the charge back.
func (e *event) removeUnsent() {
	if e.origin != nil && e.unsentIn.Add(-1) == 0 {
		e.origin.unsent.Add(int64(-e.size))
	}
}
