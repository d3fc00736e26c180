package httpapi

import (
	"errors"
	"math/rand/v2"
	"time"

	"signaling-server/access"
	"signaling-server/httpapi/problem"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// refusals is the table that turns an error into a problem. It also names the limit
// that was reached, if there is one.
var refusals = []struct {
	err      error
	limit    limits.Name
	problem  problem.Type
	canRetry bool // the problem says when to try again
	detail   string
}{
	{rooms.ErrNotInRoom, "", problem.NotInRoom, false, "Join a room before you send this."},
	{rooms.ErrTargetNotFound, "", problem.TargetNotFound, false, "No other member of your room has this socket ID."},
	{rooms.ErrRoomFull, membersPerRoom, problem.RoomFull, true, "The room has as many members as it may have (MAX_ROOM_MEMBERS, or your access token)."},
	{rooms.ErrRosterFull, rosterSize, problem.RoomFull, true, "The members have as much metadata as one room may hold (ROOM_BYTES). Join with less metadata, or when someone has left."},
	{rooms.ErrRoomLocked, "", problem.RoomLocked, false, "An operator has locked this room: nobody else can join it."},
	{rooms.ErrTooManyRooms, roomsInAll, problem.AtCapacity, true, "The server has as many rooms as it may have (MAX_ROOMS). Join one that exists, or try again after the time given."},
	{rooms.ErrTooManyRoomsOfNetwork, roomsPerAddress, problem.AtCapacity, true, "Your address has made as many rooms as one address may (MAX_ROOMS_PER_ADDRESS). Join one that exists, or try again after the time given."},
	{rooms.ErrNoRoom, "", problem.NotFound, false, "There is no room with this ID. A room exists only while someone is in it."},
	{rooms.ErrRevoked, "", problem.AccessDenied, false, "The access to rooms was revoked, for your user ID or for your access token."},
	{rooms.ErrTooManyRevocations, revocations, problem.AtCapacity, true, "There are as many revocations as there may be. End some, or wait until some are over."},
	{machine.ErrNotRevoked, "", problem.NotFound, false, "There is no revocation for this."},
	{rooms.ErrNotPermitted, "", problem.AccessDenied, false, "The access token with which you joined the room does not allow this."},
	{rooms.ErrOverflow, outboxSize, problem.TargetOverflow, true, overflowDetail},
	{sse.ErrOverflow, outboxSize, problem.TargetOverflow, true, overflowDetail},
	{rooms.ErrGone, "", problem.UnknownSession, false, sessionEnded.Detail},
	{sse.ErrGone, "", problem.UnknownSession, false, sessionEnded.Detail},
	{rooms.ErrDraining, "", problem.ShuttingDown, true, "Reconnect after the time given."},
	{sse.ErrDraining, "", problem.ShuttingDown, true, "Reconnect after the time given."},
	{machine.ErrInvalid, "", problem.ValidationFailed, false, saidMore},
	{machine.ErrDenied, "", problem.AccessDenied, false, saidMore},
	{machine.ErrRateLimited, "", problem.RateLimited, true, saidMore},
	{machine.ErrNotReady, "", problem.NotReady, true, "Nothing of this was accepted. Try again after the time given: any node will do."},
	{machine.ErrUnknown, "", problem.OutcomeUnknown, true, "Repeat it with the same Idempotency-Key after the time given: nothing is done twice."},
	{errNoConnection, tcpConnections, problem.AtCapacity, true, "All connections are taken. Try again after the time given."},
	{errNoMemory, requestMemory, problem.AtCapacity, true, "The server has no memory left for more requests. Try again after the time given."},
	{sse.ErrAtCapacity, connections, problem.AtCapacity, true, "The server has as many sockets as it may have (MAX_CONNECTIONS). Try again after the time given."},
	{sse.ErrTooMany, socketsPerAddress, problem.AtCapacity, true, "Your address has as many sockets as one address may have (MAX_CONNECTIONS_PER_ADDRESS). Try again after the time given."},
	{sse.ErrOutOfBudget, memoryForClients, problem.AtCapacity, true, "The memory for clients is used up (MEMORY_LIMIT). Try again after the time given."},
}

const overflowDetail = "A receiver has not yet read what you sent to it: your share of its outbox is used up. What was accepted will arrive. Try again after the time given."

// saidMore is the detail for a repeat of a POST whose refusal is not remembered in full.
const saidMore = "The first answer to a request with this Idempotency-Key said more."

// retryAfter returns when to try again after an error. Another node may answer at once. The time
// is random, so that not all clients come back at once.
func retryAfter(err error) time.Duration {
	if errors.Is(err, machine.ErrNotReady) || errors.Is(err, machine.ErrUnknown) {
		return time.Second/2 + rand.N(time.Second)
	}
	return sse.ReconnectAfter()
}

// problemFor returns the problem that the client gets for an error, and the limit that
// was reached, if there is one. For a failure of the server the problem is nil.
func problemFor(err error) (*problem.Problem, limits.Name) {
	var p *problem.Problem
	var denial *access.Denial
	var exceeded *limits.Exceeded
	switch {
	case errors.As(err, &p):
		switch p.Name {
		case problem.PayloadTooLarge.Name:
			return p, bodySize
		case problem.HeaderTooLarge.Name:
			return p, headerSize
		}
		return p, ""
	case errors.As(err, &exceeded):
		return exceededProblem(exceeded), exceeded.Limit
	case errors.As(err, &denial):
		return problem.AccessDenied.With(denial.Sentence()), ""
	}
	for _, r := range refusals {
		if !errors.Is(err, r.err) {
			continue
		}
		p := r.problem.With(r.detail)
		if r.canRetry {
			p.After(retryAfter(r.err))
		}
		return p, r.limit
	}
	return nil, ""
}
