package main

import (
	"errors"

	"signaling-server/rooms"
	"signaling-server/sse"
)

// courier brings the events of rooms to the sockets of sse, neither of which
// knows the other.
type courier struct{ hub *sse.Hub }

// Deliver implements [rooms.Courier].
func (c courier) Deliver(socketID, kind string, data []byte) error {
	err := c.hub.Deliver(socketID, kind, data)
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
