package httpapi

import (
	"context"
	"errors"

	"signaling-server/access"
	"signaling-server/httpapi/decode"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// actOf returns what a client event asks for. Whether a join may do so is for [API.check].
func actOf(event any) machine.Act {
	switch e := event.(type) {
	case *decode.JoinRoom:
		return machine.Act{Kind: machine.JoinRoom, Join: &rooms.JoinRequest{
			RoomID:    e.RoomID,
			UserID:    e.UserID,
			Metadata:  []byte(e.Metadata),
			RequestID: textOf(e.RequestID),
		}}
	case *decode.LeaveRoom:
		return machine.Act{Kind: machine.LeaveRoom, RequestID: textOf(e.RequestID)}
	case *decode.Offer:
		return machine.Act{Kind: machine.Offer, Target: e.Target, Members: e.Members()}
	case *decode.Answer:
		return machine.Act{Kind: machine.Answer, Target: e.Target, Members: e.Members()}
	case *decode.ICECandidate:
		return machine.Act{Kind: machine.ICECandidate, Target: e.Target, Members: e.Members()}
	case *decode.Signal:
		return machine.Act{Kind: machine.Signal, Target: textOf(e.Target), Members: e.Members()}
	case *decode.SendMessage:
		return machine.Act{Kind: machine.SendMessage, Message: e.Message}
	case *decode.TypingStart:
		return machine.Act{Kind: machine.TypingStart}
	case *decode.TypingStop:
		return machine.Act{Kind: machine.TypingStop}
	case *decode.Ping:
		return machine.Act{Kind: machine.Ping}
	case *decode.Heartbeat:
		return machine.Act{Kind: machine.Heartbeat}
	case *decode.Disconnect:
		return machine.Act{Kind: machine.Disconnect}
	}
	return machine.Act{} // which fails: a test tries all events
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
func (a *API) permit(ctx context.Context, socket sse.Ref, e *decode.JoinRoom) (rooms.Permit, error) {
	if a.access == nil {
		return rooms.Permit{Network: socket.Network()}, nil
	}
	grant, err := a.access.Verify(e.AccessToken, e.RoomID, e.UserID)
	if err != nil {
		a.reportFault(ctx, socket.SocketID(), err)
		return rooms.Permit{}, err
	}
	return rooms.Permit{
		NoSignals:  !grant.Can.Has(access.Signal),
		NoChat:     !grant.Can.Has(access.Chat),
		MaxMembers: grant.MaxMembers,
		Expires:    grant.ExpiresAt,
		ID:         grant.ID,
		Network:    socket.Network(),
	}, nil
}

// reportFault logs which claim of a signed access token is at fault: the back end that
// issues the tokens may be wrong. A token that is not signed gets no line,
// because anybody can send one.
func (a *API) reportFault(ctx context.Context, socketID string, err error) {
	var denial *access.Denial
	if errors.As(err, &denial) && denial.Fault != "" {
		a.logger.WarnContext(ctx, "access denied", "socketId", socketID, "reason", string(denial.Reason), "fault", denial.Fault)
	}
}
