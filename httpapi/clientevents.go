package httpapi

import (
	"errors"
	"fmt"

	"signaling-server/access"
	"signaling-server/httpapi/decode"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// perform does what an event asks for, on behalf of the socket that posted it. If
// there is no error, the event is accepted.
func (a *API) perform(socketID, kind string, event any) error {
	if err := a.mayTell(socketID, a.weightOf(socketID, kind, event)); err != nil {
		return err
	}
	switch e := event.(type) {
	case *decode.JoinRoom:
		return a.join(socketID, e)
	case *decode.LeaveRoom:
		return a.rooms.Leave(socketID, textOf(e.RequestID))
	case *decode.Offer:
		return a.rooms.Signal(socketID, e.Target, rooms.Relay{Kind: kind, Members: e.Members()})
	case *decode.Answer:
		return a.rooms.Signal(socketID, e.Target, rooms.Relay{Kind: kind, Members: e.Members()})
	case *decode.ICECandidate:
		return a.rooms.Signal(socketID, e.Target, rooms.Relay{Kind: kind, Members: e.Members()})
	case *decode.Signal:
		relay := rooms.Relay{Kind: kind, Members: e.Members()}
		if e.Target == nil {
			return a.rooms.SignalAll(socketID, relay)
		}
		return a.rooms.Signal(socketID, *e.Target, relay)
	case *decode.SendMessage:
		return a.rooms.Chat(socketID, e.Message)
	case *decode.TypingStart:
		return a.rooms.Typing(socketID, true)
	case *decode.TypingStop:
		return a.rooms.Typing(socketID, false)
	case *decode.Ping:
		return a.hub.Pong(socketID)
	case *decode.Heartbeat:
		return a.hub.Heartbeat(socketID)
	case *decode.Disconnect:
		a.hub.End(socketID, sse.ClientDisconnect)
		return nil
	}
	return fmt.Errorf("httpapi: nothing performs the event %q", kind)
}

// join brings a socket into a room, if its access token, its rates and the memory for
// clients allow it.
func (a *API) join(socketID string, e *decode.JoinRoom) error {
	permit, err := a.permit(socketID, e)
	if err != nil {
		return err
	}
	request := rooms.JoinRequest{
		RoomID:    e.RoomID,
		UserID:    e.UserID,
		Metadata:  []byte(e.Metadata),
		Permit:    permit,
		RequestID: textOf(e.RequestID),
	}
	weight, bytes := a.rooms.JoinCost(socketID, request)
	if bytes > 0 && !a.budget.Fits(bytes) {
		return sse.ErrOutOfBudget
	}
	if err := a.mayTell(socketID, weight); err != nil {
		return err
	}
	return a.rooms.Join(socketID, request)
}

// weightOf returns what an event to a whole room costs its sender. It is 0 for all others.
// A join needs its permit first: see [API.join].
func (a *API) weightOf(socketID, kind string, event any) int {
	switch e := event.(type) {
	case *decode.Signal:
		if e.Target == nil {
			return a.rooms.SignalAllWeight(socketID, rooms.Relay{Kind: kind, Members: e.Members()})
		}
	case *decode.SendMessage:
		return a.rooms.ChatWeight(socketID, e.Message)
	case *decode.TypingStart, *decode.TypingStop:
		return a.rooms.TypingWeight(socketID)
	}
	return 0
}

// mayTell asks whether a socket may send an event of this weight to its room.
func (a *API) mayTell(socketID string, weight int) error {
	if weight == 0 {
		return nil
	}
	socket, lives := a.hub.Ref(socketID)
	if !lives {
		return nil // the event fails: the socket is about to leave its room
	}
	return a.limits.Network(socket.Network()).Tell(LimitsOf(socket), weight)
}

// textOf returns an optional text, or "" if it is absent.
func textOf(optional *string) string {
	if optional == nil {
		return ""
	}
	return *optional
}

// permit returns what an access token lets a socket do in the room that it wants
// to join: everything, if the server asks for no tokens.
func (a *API) permit(socketID string, e *decode.JoinRoom) (rooms.Permit, error) {
	network := a.hub.Network(socketID)
	if a.access == nil {
		return rooms.Permit{Network: network}, nil
	}
	grant, err := a.access.Verify(e.AccessToken, e.RoomID, e.UserID)
	if err != nil {
		a.reportFault(socketID, err)
		return rooms.Permit{}, err
	}
	return rooms.Permit{
		NoSignals:  !grant.Can.Has(access.Signal),
		NoChat:     !grant.Can.Has(access.Chat),
		MaxMembers: grant.MaxMembers,
		Expires:    grant.ExpiresAt,
		Network:    network,
	}, nil
}

// reportFault logs which claim of a signed access token is at fault: the back end that
// issues the tokens may be wrong. A token that is not signed gets no line,
// because anybody can send one.
func (a *API) reportFault(socketID string, err error) {
	var denial *access.Denial
	if errors.As(err, &denial) && denial.Fault != "" {
		a.logger.Warn("access denied", "socketId", socketID, "reason", string(denial.Reason), "fault", denial.Fault)
	}
}
