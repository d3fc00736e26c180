package server

import (
	"errors"
	"iter"

	"signaling-server/rooms"
	"signaling-server/sse"
)

// courier puts the events of rooms into the outboxes of sockets. It is here because
// package rooms and package sse do not import each other.
type courier struct{ hub *sse.Hub }

// Deliver implements [rooms.Courier].
func (c courier) Deliver(socketID string, e rooms.Event) error {
	return courierError(c.hub.DeliverMessage(socketID, message(e)))
}

// Send implements [rooms.Courier].
func (c courier) Send(socketID string, e rooms.Event) error {
	return courierError(c.hub.Send(socketID, message(e)))
}

// Admit implements [rooms.Courier].
func (c courier) Admit(socketIDs iter.Seq[string], e rooms.Event) error {
	return courierError(c.hub.Admit(socketIDs, message(e)))
}

// Tell implements [rooms.Courier].
func (c courier) Tell(socketIDs iter.Seq[string], e rooms.Event) error {
	return courierError(c.hub.Tell(socketIDs, message(e)))
}

// IsAway implements [rooms.Courier].
func (c courier) IsAway(socketID string) (away, lives bool) { return c.hub.IsAway(socketID) }

// Flush implements [rooms.Courier].
func (c courier) Flush() { c.hub.Flush() }

func message(e rooms.Event) sse.Message {
	return sse.Message{Kind: e.Kind, Data: e.Data, From: e.From, Key: e.Key}
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
