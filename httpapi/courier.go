package httpapi

import (
	"errors"

	"signaling-server/rooms"
	"signaling-server/sse"
)

// Courier brings the events of rooms to the sockets of sse, neither of which
// knows the other.
type Courier struct{ Hub *sse.Hub }

// Deliver implements [rooms.Courier].
func (c Courier) Deliver(socketID, kind string, data []byte) error {
	err := c.Hub.Deliver(socketID, kind, data)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sse.ErrOverflow):
		return rooms.ErrOverflow
	case errors.Is(err, sse.ErrDraining):
		return rooms.ErrDraining
	default:
		return rooms.ErrGone
	}
}

// IsAway implements [rooms.Courier].
func (c Courier) IsAway(socketID string) (away, lives bool) { return c.Hub.IsAway(socketID) }
