package machine

import (
	"time"

	"signaling-server/rooms"
)

// OperationKind is what an operator can do.
type OperationKind byte

// The kinds of operations. They are stored, so a number never gets another meaning.
const (
	Kick          OperationKind = iota + 1 // end a socket
	Close                                  // remove all members from a room
	Lock                                   // let nobody else join a room
	Unlock                                 // open a room again
	Announce                               // send something to all members of a room
	AnnounceTo                             // send something to one member of a room
	Revoke                                 // keep a user or a permit out of all rooms for some time
	Allow                                  // end a revocation
	NoteDelivered                          // note that changes were delivered
	Replay                                 // let changes be delivered again
)

// Operation is what an operator asks for, or the node that delivers changes. What it holds must
// not change while it is applied, and is not kept, except for texts.
type Operation struct {
	Kind   OperationKind
	ID     string // of the socket, for Kick and AnnounceTo, or of the room
	Reason string // of Kick: what the client reads; it may be empty
	Data   []byte // of Announce and AnnounceTo: compact JSON

	Revoked rooms.Revoked // of Revoke and Allow
	Until   time.Time     // of Revoke

	Round     uint64    // of NoteDelivered: see [rooms.ChangesInfo]
	Sequences []uint64  // of NoteDelivered: of the changes
	Since     time.Time // of Replay: of the oldest change
}

// Operate applies what an operator asks for. The outcome is Gone if there is no such socket,
// NotInRoom if it is in no room, NoRoom if there is no room, NotRevoked if there is nothing to
// end, TooManyRevocations, or Draining.
func (m *Machine) Operate(o Operation) Outcome {
	switch o.Kind {
	case Kick:
		if !m.Hub.Kick(o.ID, o.Reason) {
			return Gone
		}
		return Accepted
	case Close:
		return OutcomeOf(m.Rooms.Close(o.ID))
	case Lock:
		return OutcomeOf(m.Rooms.SetLocked(o.ID, true))
	case Unlock:
		return OutcomeOf(m.Rooms.SetLocked(o.ID, false))
	case Announce:
		return OutcomeOf(m.Rooms.Announce(o.ID, o.Data))
	case AnnounceTo:
		if _, lives := m.Hub.Ref(o.ID); !lives {
			return Gone
		}
		return OutcomeOf(m.Rooms.AnnounceTo(o.ID, o.Data))
	case Revoke:
		return m.revoke(o)
	case Allow:
		if !m.Rooms.Allow(o.Revoked) {
			return NotRevoked
		}
		return Accepted
	case NoteDelivered:
		m.Rooms.Delivered(o.Round, o.Sequences)
		return Accepted
	case Replay:
		m.Rooms.Replay(o.Since)
		return Accepted
	}
	return Failed
}

// revoke keeps a user or a permit out of all rooms, and ends the sockets that are in one by it.
func (m *Machine) revoke(o Operation) Outcome {
	concerned, err := m.Rooms.Revoke(o.Revoked, o.Until)
	if err != nil {
		return OutcomeOf(err)
	}
	for _, socketID := range concerned {
		m.Hub.Kick(socketID, revokedDetail)
	}
	return Accepted
}

// revokedDetail is what the client of a socket reads that ends because of a revocation.
const revokedDetail = "Your access was revoked."
