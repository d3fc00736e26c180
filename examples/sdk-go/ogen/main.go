// Command ogen sets up a call between two sockets in one room, with a client that ogen
// generated. Events come by the stream, each with its type. Few generated clients can
// do that.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/ogen-go/ogen/ogenerrors"

	"signaling-server-sdk-example/ogen/generated"
)

func main() {
	log.SetFlags(0)
	url := "http://localhost:3002"
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := call(ctx, url); err != nil {
		log.Fatal(err)
	}
}

func call(ctx context.Context, url string) error {
	caller, err := open(ctx, url)
	if err != nil {
		return err
	}
	defer caller.close()
	callee, err := open(ctx, url)
	if err != nil {
		return err
	}
	defer callee.close()
	room := generated.RoomId("example-" + caller.socketID)

	join := generated.JoinRoomMessage{Type: "join-room", RoomId: room, UserId: "caller"}
	if err := caller.send(ctx, generated.NewJoinRoomMessageClientEvent(join)); err != nil {
		return err
	}
	join.UserId = "callee"
	if err := callee.send(ctx, generated.NewJoinRoomMessageClientEvent(join)); err != nil {
		return err
	}
	arrived, err := next(ctx, caller, generated.ServerEvent.GetUserConnectedEvent)
	if err != nil {
		return err
	}
	fmt.Println("In the room as well:", arrived.UserId)

	offer := generated.OfferMessage{
		Type:   "offer",
		Target: arrived.SocketId,
		Offer:  generated.OfferDescription{Type: "offer", Sdp: "v=0 (offer)"},
	}
	if err := caller.send(ctx, generated.NewOfferMessageClientEvent(offer)); err != nil {
		return err
	}
	offered, err := next(ctx, callee, generated.ServerEvent.GetOfferEvent)
	if err != nil {
		return err
	}
	fmt.Println("Offered:", offered.Offer.Sdp)

	answer := generated.AnswerMessage{
		Type:   "answer",
		Target: offered.From,
		Answer: generated.AnswerDescription{Type: generated.AnswerDescriptionTypeAnswer, Sdp: "v=0 (answer)"},
	}
	if err := callee.send(ctx, generated.NewAnswerMessageClientEvent(answer)); err != nil {
		return err
	}
	answered, err := next(ctx, caller, generated.ServerEvent.GetAnswerEvent)
	if err != nil {
		return err
	}
	fmt.Println("Answered:", answered.Answer.Sdp)

	// A refusal is an error with a type. ogen does not send an event that breaks a rule of
	// the document's schemas. It sends this text, because the schemas do not limit its
	// length: the document does so only in words.
	long := generated.ChatMessage{Type: "send-message", Message: strings.Repeat("x", 5000)}
	err = caller.send(ctx, generated.NewChatMessageClientEvent(long))
	var refused *refusal
	if !errors.As(err, &refused) {
		return fmt.Errorf("a text of 5,000 characters was not refused: %v", err)
	}
	for _, each := range refused.Errors {
		fmt.Println("Refused:", each.Field, each.Message)
	}

	goodbye := generated.NewDisconnectMessageClientEvent(generated.DisconnectMessage{Type: "disconnect"})
	return errors.Join(caller.send(ctx, goodbye), callee.send(ctx, goodbye))
}

// peer is one socket.
type peer struct {
	api      *generated.Client
	socketID string
	token    string
	stream   *generated.EventStream
	lastID   string
}

// open opens a socket: that is what a stream without a token does.
func open(ctx context.Context, url string) (*peer, error) {
	p := new(peer)
	var err error
	if p.api, err = generated.NewClient(url, p); err != nil {
		return nil, err
	}
	connected, err := next(ctx, p, generated.ServerEvent.GetConnectedEvent)
	if err != nil {
		return nil, err
	}
	p.socketID, p.token = string(connected.SocketId), connected.Token
	return p, nil
}

func (p *peer) close() {
	if p.stream != nil {
		p.stream.Close()
	}
}

// BearerAuth implements generated.SecuritySource.
func (p *peer) BearerAuth(context.Context, generated.OperationName) (generated.BearerAuth, error) {
	if p.token == "" {
		return generated.BearerAuth{}, ogenerrors.ErrSkipClientSecurity
	}
	return generated.BearerAuth{Token: p.token}, nil
}

// OperatorToken implements generated.SecuritySource.
func (*peer) OperatorToken(context.Context, generated.OperationName) (generated.OperatorToken, error) {
	return generated.OperatorToken{}, ogenerrors.ErrSkipClientSecurity
}

// refusal is a problem as an error.
type refusal struct {
	*generated.SendEventUnprocessableEntity
}

func (r *refusal) Error() string { return r.Title + ": " + r.Detail }

func (p *peer) send(ctx context.Context, event generated.ClientEvent) error {
	answer, err := p.api.SendEvent(ctx, event, generated.SendEventParams{})
	if err != nil {
		return err
	}
	switch answer := answer.(type) {
	case *generated.Acceptance:
		return nil
	case *generated.SendEventUnprocessableEntity:
		return &refusal{answer}
	}
	return fmt.Errorf("refused: %+v", answer)
}

// next waits for the next event of a type. ogen's stream reconnects by itself once
// and then ends (1.24.0). So we open the next stream, with the id of the last event.
func next[E any](ctx context.Context, p *peer, get func(generated.ServerEvent) (E, bool)) (found E, err error) {
	for ctx.Err() == nil {
		if p.stream == nil {
			answer, err := p.api.StreamEvents(ctx, generated.StreamEventsParams{LastEventID: optional(p.lastID)})
			if err != nil {
				return found, err
			}
			var isStream bool
			if p.stream, isStream = answer.(*generated.EventStream); !isStream {
				return found, fmt.Errorf("refused: %+v", answer)
			}
		}
		event, err := p.stream.Next(ctx)
		if err != nil {
			p.stream.Close()
			p.stream = nil
			continue
		}
		p.lastID = event.ID
		if e, isWanted := get(event.Data); isWanted {
			return e, nil
		}
	}
	return found, ctx.Err()
}

func optional(text string) generated.OptString {
	return generated.OptString{Value: text, Set: text != ""}
}
