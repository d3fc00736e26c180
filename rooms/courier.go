package rooms

import (
	"errors"
	"io"
	"iter"
)

// Data is the text of an event: one JSON object on one line. It is in one piece, or
// in many pieces that events share. It never changes, and any goroutine may call its
// methods.
type Data = interface {
	// Len returns how many bytes WriteTo writes.
	Len() int
	// Held returns how many bytes of memory are kept for this event alone.
	Held() int
	// WriteTo writes the text, piece by piece. It implements [io.WriterTo].
	WriteTo(w io.Writer) (int64, error)
}

// Event is a server event for one socket or for many. It is serialised once, however
// many receive it.
type Event struct {
	Kind string // the event's type
	Data Data   // its text, which names the type as well
	From string // ID of the socket that causes the event; empty: the server or an operator
	// Key marks events that replace each other: of the unsent events with one key the
	// receiver needs only the newest. 0: the event has no key.
	Key uint64
}

// Courier puts events into the outboxes of sockets, and knows which sockets have a
// reader. Its errors are, or wrap, ErrGone, ErrOverflow and ErrDraining. A nil error
// means that the event will reach the client unless its socket ends first.
//
// Any goroutine may call the methods at once. All but Flush are called with locks of this
// package held, so they must not block or call back into this package. After an operation
// that its own goroutine begins, this package calls Flush. After all other operations the
// caller of the operation does.
type Courier interface {
	// Deliver puts an event that the server itself causes into a socket's outbox. If the
	// outbox is full, the socket ends.
	Deliver(socketID string, e Event) error
	// Send puts an event into a socket's outbox on behalf of its sender. ErrOverflow
	// means that the sender has used up its share of the outbox. The target lives on.
	Send(socketID string, e Event) error
	// Admit returns ErrOverflow if the sender of an event has used up its share of the
	// outbox of any of these sockets.
	Admit(socketIDs iter.Seq[string], e Event) error
	// Tell puts one event into the outboxes of many sockets. It skips a socket that has
	// ended. A socket whose outbox is full ends. The only error is ErrDraining.
	Tell(socketIDs iter.Seq[string], e Event) error
	// IsAway reports whether the socket has had no reader for a while but may still
	// resume. If the socket has ended, both results are false.
	IsAway(socketID string) (away, lives bool)
	// Flush writes to the clients what the other methods have put into outboxes. It is
	// called with no lock held.
	Flush()
}

// The errors of a [Courier].
var (
	// ErrGone: the socket has ended, or never existed.
	ErrGone = errors.New("the socket has ended")
	// ErrOverflow: the outbox, or the sender's share of it, is full.
	ErrOverflow = errors.New("the outbox has no place for this event")
	// ErrDraining: the server is stopping and accepts no more events.
	ErrDraining = errors.New("the server is shutting down")
)
