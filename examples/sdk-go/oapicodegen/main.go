// Command oapicodegen sets up a call between two sockets in one room, with a client that
// oapi-codegen generated. Events come by long polling: each answer is JSON with types.
// StreamEvents of this client returns the raw response, for an SSE library of your choice.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"signaling-server-sdk-example/oapicodegen/generated"
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
	callee, err := open(ctx, url)
	if err != nil {
		return err
	}
	room := "example-" + caller.socketID

	if err := caller.send(ctx, func(e *generated.ClientEvent) error {
		return e.FromJoinRoomMessage(generated.JoinRoomMessage{RoomId: room, UserId: "caller"})
	}); err != nil {
		return err
	}
	if err := callee.send(ctx, func(e *generated.ClientEvent) error {
		return e.FromJoinRoomMessage(generated.JoinRoomMessage{RoomId: room, UserId: "callee"})
	}); err != nil {
		return err
	}
	arrived, err := next[generated.UserConnectedEvent](ctx, caller)
	if err != nil {
		return err
	}
	fmt.Println("In the room as well:", arrived.UserId)

	if err := caller.send(ctx, func(e *generated.ClientEvent) error {
		offer := generated.OfferDescription{Type: "offer", Sdp: "v=0 (offer)"}
		return e.FromOfferMessage(generated.OfferMessage{Target: arrived.SocketId, Offer: offer})
	}); err != nil {
		return err
	}
	offered, err := next[generated.OfferEvent](ctx, callee)
	if err != nil {
		return err
	}
	fmt.Println("Offered:", offered.Offer.Sdp)

	if err := callee.send(ctx, func(e *generated.ClientEvent) error {
		answer := generated.AnswerDescription{Type: "answer", Sdp: "v=0 (answer)"}
		return e.FromAnswerMessage(generated.AnswerMessage{Target: offered.From, Answer: answer})
	}); err != nil {
		return err
	}
	answered, err := next[generated.AnswerEvent](ctx, caller)
	if err != nil {
		return err
	}
	fmt.Println("Answered:", answered.Answer.Sdp)

	// A refusal is an error with a type.
	err = caller.send(ctx, func(e *generated.ClientEvent) error {
		return e.FromJoinRoomMessage(generated.JoinRoomMessage{RoomId: "", UserId: "caller"})
	})
	var refused *refusal
	if !errors.As(err, &refused) || refused.Errors == nil {
		return fmt.Errorf("a room without a name was not refused: %v", err)
	}
	for _, each := range *refused.Errors {
		fmt.Println("Refused:", each.Field, each.Message)
	}

	goodbye := func(e *generated.ClientEvent) error { return e.FromDisconnectMessage(generated.DisconnectMessage{}) }
	return errors.Join(caller.send(ctx, goodbye), callee.send(ctx, goodbye))
}

// peer is one socket.
type peer struct {
	api      *generated.ClientWithResponses
	socketID string
	token    string
	after    int64
	waiting  []generated.ServerEvent
}

// open opens a socket: that is what a poll without a token does.
func open(ctx context.Context, url string) (*peer, error) {
	p := new(peer)
	var err error
	p.api, err = generated.NewClientWithResponses(url, generated.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if p.token != "" {
			r.Header.Set("Authorization", "Bearer "+p.token)
		}
		return nil
	}))
	if err != nil {
		return nil, err
	}
	connected, err := next[generated.ConnectedEvent](ctx, p)
	if err != nil {
		return nil, err
	}
	p.socketID, p.token = connected.SocketId, connected.Token
	return p, nil
}

// refusal is a problem as an error.
type refusal struct{ *generated.Problem }

func (r *refusal) Error() string { return r.Title + ": " + r.Detail }

func (p *peer) send(ctx context.Context, fill func(*generated.ClientEvent) error) error {
	var event generated.ClientEvent
	if err := fill(&event); err != nil {
		return err
	}
	answer, err := p.api.SendEventWithResponse(ctx, nil, event)
	switch {
	case err != nil:
		return err
	case answer.StatusCode() == http.StatusAccepted:
		return nil
	case answer.ApplicationproblemJSON422 != nil:
		return &refusal{answer.ApplicationproblemJSON422}
	}
	return fmt.Errorf("%s: %s", answer.Status(), answer.Body)
}

// next waits for the next event of a type. Each poll asks for the events after the last
// poll, so no event is lost, and none comes twice.
func next[E any](ctx context.Context, p *peer) (found E, err error) {
	for {
		for len(p.waiting) > 0 {
			event, err := p.waiting[0].ValueByDiscriminator()
			if err != nil {
				return found, err
			}
			p.waiting = p.waiting[1:]
			if e, isWanted := event.(E); isWanted {
				return e, nil
			}
		}
		answer, err := p.api.PollEventsWithResponse(ctx, &generated.PollEventsParams{After: &p.after})
		if err != nil {
			return found, err
		}
		if answer.JSON200 == nil {
			return found, fmt.Errorf("%s: %s", answer.Status(), answer.Body)
		}
		p.waiting = answer.JSON200.Events
		_, sequence, _ := strings.Cut(answer.JSON200.LastEventId, ".")
		if p.after, err = strconv.ParseInt(sequence, 10, 64); err != nil {
			return found, err
		}
	}
}
