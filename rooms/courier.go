package rooms

import (
	"errors"
	"io"
	"iter"
)

// Data is what an event says: one JSON object on one line, in one piece or in many
// that events share. It is never changed, and any goroutine may call its methods.
type Data interface {
	// Len returns how many bytes are written.
	Len() int
	// Held returns how many bytes are kept for this event alone.
	Held() int
	// WriteTo writes the bytes, piece by piece.
	WriteTo(w io.Writer) (int64, error)
}

// Event is what sockets receive, serialised once however many they are.
type Event struct {
	Kind string // its type
	Data Data
	From string // the socket that causes it, "" the server or an operator
	// Key names events of which one that is unsent is enough: an event with an equal
	// key takes the place of the unsent one or, with KeepsFirst, is left out. Nil: it
	// is no such event.
	Key        any
	KeepsFirst bool
	// IsBarrier says that no later event takes the place of one before this: a member
	// that reads this event begins anew.
	IsBarrier bool
}

// Courier puts events into the outboxes of sockets, and knows who reads them. No
// method blocks or calls back into this package. The errors are, or wrap, ErrGone,
// ErrOverflow and ErrDraining. A nil error means that the event will reach the
// client unless its socket ends first.
type Courier interface {
	// Deliver puts an event of the server's own into a socket's outbox. A socket whose
	// outbox is full ends.
	Deliver(socketID string, e Event) error
	// Send puts an event into a socket's outbox on behalf of its sender. With
	// ErrOverflow the sender has used up its share of it, and the target lives on.
	Send(socketID string, e Event) error
	// Admit returns ErrOverflow if the sender of an event has used up its share of the
	// outbox of one of these sockets.
	Admit(socketIDs iter.Seq[string], e Event) error
	// Tell puts one event into the outboxes of many. A socket that has ended is left
	// out, and one whose outbox is full ends. The only error is ErrDraining.
	Tell(socketIDs iter.Seq[string], e Event) error
	// IsAway reports whether the socket has had no reader for a while but may still
	// resume. If the socket has ended, both results are false.
	IsAway(socketID string) (away, lives bool)
}

// What a courier may answer.
var (
	// ErrGone: the socket has ended, or never was.
	ErrGone = errors.New("the socket has ended")
	// ErrOverflow: an outbox has no place for this.
	ErrOverflow = errors.New("the outbox has no place for this")
	// ErrDraining: the server is stopping and accepts no more events.
	ErrDraining = errors.New("the server is shutting down")
)
