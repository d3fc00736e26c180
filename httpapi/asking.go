package httpapi

import (
	"context"
	"errors"

	"signaling-server/access"
	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// postOne returns an empty POST for one event. It ends with the intake.
func (in *intake) postOne(socket sse.Ref, key machine.Key) *machine.Post {
	in.post = machine.Post{SocketID: socket.SocketID(), Key: key, Confirmed: in.confirmed, Trace: in.spans.traceID(), Events: in.event[:0], Acts: in.act[:0]}
	return &in.post
}

// postMany is postOne for the events of a batch that has a body of size bytes. What the POST
// takes is bounded by the body, because an event that is refused takes one byte.
func (in *intake) postMany(socket sse.Ref, key machine.Key, events, size int) *machine.Post {
	const smallest = len(`{"type":"ping"},`)
	in.post = machine.Post{
		SocketID:  socket.SocketID(),
		Key:       key,
		Confirmed: in.confirmed,
		Trace:     in.spans.traceID(),
		Events:    make([]machine.Outcome, 0, events),
		Acts:      make([]machine.Act, 0, min(events, size/smallest)),
	}
	return &in.post
}

// asking makes a POST of the events that a client posts. It decides what only this node can
// know: whether an event is valid, and whether the access token, the rates and the memory
// allow it. It belongs to one goroutine.
type asking struct {
	api    *API
	ctx    context.Context // of the request
	socket sse.Ref
	post   *machine.Post
	spans  *eventSpans

	// The rates are asked before any event of a batch is applied. So they must count what the
	// earlier events may change.

	moves     bool // an earlier event joins or leaves a room
	receivers int  // how many members the largest room has that an earlier event joins
}

// body adds the event of a body. The error is why it is refused.
func (k *asking) body(body []byte) error {
	d, err := decode.ParseDocument(body)
	if err != nil { // no event, so no span of one
		k.post.Refuse(outcomeOf(err))
		return err
	}
	return k.event(d)
}

// event adds an event. The error is why it is refused.
func (k *asking) event(d decode.Document) error {
	began := k.spans.now()
	kind, act, err := k.read(d)
	k.spans.add(began, kind)
	if err != nil {
		k.post.Refuse(outcomeOf(err))
		return err
	}
	k.post.Ask(act)
	return nil
}

// read decodes an event, and decides whether the client may ask for it now. It also returns the
// event's type, if the event is valid.
func (k *asking) read(d decode.Document) (kind string, act machine.Act, err error) {
	kind, event, err := decode.ClientEvents.Read(d)
	if err != nil {
		return kind, act, err
	}
	act = actOf(event)
	if join, ok := event.(*decode.JoinRoom); ok {
		if act.Join.Permit, err = k.api.permit(k.ctx, k.socket, join); err != nil {
			return kind, act, err
		}
	}
	return kind, act, k.check(&act)
}

// check asks whether the rates and the memory allow an event.
func (k *asking) check(act *machine.Act) error {
	weight := 0
	switch act.Kind {
	case machine.JoinRoom:
		joined, bytes := k.joinCost(act.Join)
		if bytes > 0 && !k.api.budget.Fits(bytes) {
			return sse.ErrOutOfBudget
		}
		weight = joined
	case machine.LeaveRoom:
		k.moves = true
	default:
		weight = k.weightOf(act)
	}
	if weight == 0 {
		return nil
	}
	return k.api.limits.Network(k.socket.Network()).Tell(LimitsOf(k.socket), weight)
}

// joinCost is [rooms.Rooms.JoinCost] for a join that may come after others.
func (k *asking) joinCost(request *rooms.JoinRequest) (weight, bytes int) {
	socketID := k.post.SocketID
	if k.moves {
		socketID = "" // by then the socket may have left its present room
	}
	weight, bytes = k.api.rooms.JoinCost(socketID, *request)
	weight += k.receivers // of a room that it joins before, and leaves by this join
	k.moves, k.receivers = true, max(k.receivers, k.api.rooms.Size(request.RoomID)+1)
	return weight, bytes
}

// weightOf returns what an event to a whole room costs: that of the socket, or one that it
// joins before. It is 0 for all other events.
func (k *asking) weightOf(act *machine.Act) int {
	socketID, register := k.post.SocketID, k.api.rooms
	weight, bytes := 0, 0
	switch act.Kind {
	case machine.Signal:
		if act.Target != "" {
			return 0
		}
		weight = register.SignalAllWeight(socketID, rooms.Relay{Kind: act.Kind.String(), Members: act.Members})
		bytes = len(act.Members)
	case machine.SendMessage:
		weight = register.ChatWeight(socketID, act.Message)
		bytes = 6 * len(act.Message) // JSON takes six bytes at most for one
	case machine.TypingStart, machine.TypingStop:
		weight = register.TypingWeight(socketID)
	default:
		return 0
	}
	return max(weight, rooms.Weigh(k.receivers, bytes))
}

// apply applies what a POST asks for, and counts what is accepted.
func (a *API) apply(ctx context.Context, post *machine.Post) (outcomes machine.Outcomes, isRepeat bool, err error) {
	defer a.hub.Flush() // before the answer, which the client may be slow to read; once, so that the events for one target go into one write
	outcomes, isRepeat, err = a.state.Post(ctx, post)
	if err == nil && !isRepeat {
		a.count(post, outcomes)
	}
	return outcomes, isRepeat, err
}

// count counts the events of a POST that were accepted.
func (a *API) count(post *machine.Post, outcomes machine.Outcomes) {
	acts := post.Acts
	for i, asked := range post.Events {
		if asked != machine.Accepted {
			continue
		}
		if outcomes.At(i) == machine.Accepted {
			a.metrics.eventAccepted(acts[0].Kind)
		}
		acts = acts[1:]
	}
}

// outcomeOf returns the outcome of an event that this node refuses.
func outcomeOf(refusal error) machine.Outcome {
	var invalid *problem.Problem
	var denial *access.Denial
	var exceeded *limits.Exceeded
	switch {
	case errors.As(refusal, &invalid):
		return machine.Invalid
	case errors.As(refusal, &exceeded):
		return machine.RateLimited
	case errors.As(refusal, &denial):
		return machine.Denied
	}
	return machine.OutcomeOf(refusal)
}

// reasonOf returns why an event was not accepted, or nil if it was. If this node has refused
// the event, its refusal says more than the outcome.
func reasonOf(outcome machine.Outcome, refusal error) error {
	if refusal != nil && outcomeOf(refusal) == outcome {
		return refusal
	}
	return outcome.Err()
}
