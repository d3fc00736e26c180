package machine

import (
	"errors"
	"strings"

	"signaling-server/rooms"
	"signaling-server/sse"
)

// Outcome says what became of an event or of an operation.
type Outcome byte

// The outcomes. They are stored, so a number never gets another meaning.
const (
	Accepted Outcome = iota

	// These are decided before the command, by the node that takes the request.

	Invalid     // it is malformed
	Denied      // the access token is missing or wrong
	RateLimited // the client sends too much
	OutOfMemory // the memory for clients is used up
	Failed      // the server failed

	// These are decided by the state.

	Gone
	Draining
	Overflow
	NotInRoom
	TargetNotFound
	RoomFull
	RosterFull
	RoomLocked
	TooManyRooms
	TooManyRoomsOfNetwork
	NotPermitted
	NoRoom
	AtCapacity
	TooManySockets
	Revoked
	NotRevoked
	TooManyRevocations

	outcomes // how many there are
)

// The errors of outcomes that are decided before the command. They say less than the error
// that the node found, which is not kept.
var (
	ErrInvalid     = errors.New("machine: the event is malformed")
	ErrDenied      = errors.New("machine: the access token is missing or wrong")
	ErrRateLimited = errors.New("machine: the client sends too much")
	ErrFailed      = errors.New("machine: the server failed")

	// ErrNotRevoked: there is no revocation to end.
	ErrNotRevoked = errors.New("machine: it is not revoked")
)

// errorsOf holds the errors of each outcome. The first stands for the others.
var errorsOf = [outcomes][]error{
	Invalid:               {ErrInvalid},
	Denied:                {ErrDenied},
	RateLimited:           {ErrRateLimited},
	OutOfMemory:           {sse.ErrOutOfBudget},
	Failed:                {ErrFailed},
	Gone:                  {sse.ErrGone, rooms.ErrGone},
	Draining:              {sse.ErrDraining, rooms.ErrDraining},
	Overflow:              {sse.ErrOverflow, rooms.ErrOverflow},
	NotInRoom:             {rooms.ErrNotInRoom},
	TargetNotFound:        {rooms.ErrTargetNotFound},
	RoomFull:              {rooms.ErrRoomFull},
	RosterFull:            {rooms.ErrRosterFull},
	RoomLocked:            {rooms.ErrRoomLocked},
	TooManyRooms:          {rooms.ErrTooManyRooms},
	TooManyRoomsOfNetwork: {rooms.ErrTooManyRoomsOfNetwork},
	NotPermitted:          {rooms.ErrNotPermitted},
	NoRoom:                {rooms.ErrNoRoom},
	AtCapacity:            {sse.ErrAtCapacity},
	TooManySockets:        {sse.ErrTooMany},
	Revoked:               {rooms.ErrRevoked},
	NotRevoked:            {ErrNotRevoked},
	TooManyRevocations:    {rooms.ErrTooManyRevocations},
}

// OutcomeOf returns the outcome of an operation of package sse or package rooms that
// returned an error, or nil. It is Failed for an error that neither of them returns.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Accepted
	}
	for o, known := range errorsOf {
		for _, e := range known {
			if errors.Is(err, e) {
				return Outcome(o)
			}
		}
	}
	return Failed
}

// Err returns the error of an outcome, or nil if it is Accepted.
func (o Outcome) Err() error {
	switch {
	case o == Accepted:
		return nil
	case o >= outcomes:
		return ErrFailed
	}
	return errorsOf[o][0]
}

// Outcomes holds the outcome of each event of a POST, in their order: one byte for each.
type Outcomes string

// At returns the outcome of the event at a place.
func (o Outcomes) At(place int) Outcome { return Outcome(o[place]) }

// Has reports whether an event has this outcome.
func (o Outcomes) Has(one Outcome) bool { return strings.IndexByte(string(o), byte(one)) >= 0 }

// newOutcomes returns a copy that is kept. Most POSTs are accepted whole, so their outcomes
// share one text.
func newOutcomes(each []Outcome) Outcomes {
	if n := len(each); n <= len(allAccepted) && string(each) == string(allAccepted[:n]) {
		return allAccepted[:n]
	}
	return Outcomes(each)
}

var allAccepted = Outcomes(strings.Repeat(string(rune(Accepted)), 1024))
