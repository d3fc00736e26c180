package httpapi

import (
	"errors"
	"iter"

	"signaling-server/rooms"
	"signaling-server/sse"
)

// Courier brings the events of rooms to the sockets of sse, neither of which
// knows the other.
type Courier struct{ Hub *sse.Hub }

// Deliver implements [rooms.Courier].
func (c Courier) Deliver(socketID string, e rooms.Event) error {
	return courierError(c.Hub.DeliverMessage(socketID, message(e)))
}

// Send implements [rooms.Courier].
func (c Courier) Send(socketID string, e rooms.Event) error {
	return courierError(c.Hub.Send(socketID, message(e)))
}

// Admit implements [rooms.Courier].
func (c Courier) Admit(socketIDs iter.Seq[string], e rooms.Event) error {
	return courierError(c.Hub.Admit(socketIDs, message(e)))
}

// Tell implements [rooms.Courier].
func (c Courier) Tell(socketIDs iter.Seq[string], e rooms.Event) error {
	return courierError(c.Hub.Tell(socketIDs, message(e)))
}

// IsAway implements [rooms.Courier].
func (c Courier) IsAway(socketID string) (away, lives bool) { return c.Hub.IsAway(socketID) }

func message(e rooms.Event) sse.Message {
	return sse.Message{Kind: e.Kind, Data: e.Data, From: e.From, Key: e.Key, KeepsFirst: e.KeepsFirst, IsBarrier: e.IsBarrier}
}

func courierError(err error) error {
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
