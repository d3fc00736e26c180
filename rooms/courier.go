package rooms

import "errors"

// Courier puts events into the outboxes of sockets, and knows who reads them.
type Courier interface {
	// Deliver puts an event into a socket's outbox: kind is its type, data one
	// JSON object on one line, which nobody changes afterwards. It must not
	// block, nor call back into this package. A nil error means that the event
	// will reach the client unless its socket ends first; otherwise the error
	// is, or wraps, ErrGone, ErrOverflow or ErrDraining.
	Deliver(socketID, kind string, data []byte) error
	// IsAway tells whether the socket's client is not there to read, and may still
	// come back. Of a socket that has ended only that is told: lives is false. It
	// must not block, nor call back into this package.
	IsAway(socketID string) (away, lives bool)
}

// What a courier may answer.
var (
	// ErrGone: the socket has ended, or never was.
	ErrGone = errors.New("the socket has ended")
	// ErrOverflow: its outbox is full. The courier ends the socket.
	ErrOverflow = errors.New("the socket's queue is full")
	// ErrDraining: the server is stopping and accepts no more events.
	ErrDraining = errors.New("the server is shutting down")
)
