package machine

import (
	"slices"

	"go.opentelemetry.io/otel/trace"

	"signaling-server/internal/budget"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Machine applies commands. Its fields are set once.
//
// On a single node any goroutine may call its methods at once: the locks of sockets and rooms
// bring the parts of commands into an order. After each command its caller calls
// [sse.Hub.Flush], which writes to the clients what the command has put into outboxes.
type Machine struct {
	Hub   *sse.Hub
	Rooms *rooms.Rooms
	// Keys returns what is remembered of a socket's POSTs.
	Keys func(sse.Ref) *Keys
	// Budget is charged for the keys. Nil: nothing is counted.
	Budget *budget.Budget
}

// Post applies what a POST says, and what it asks for, event by event: one that is refused does not stop the
// others. It returns the outcome of each event. If an earlier POST of the socket had the same
// key, Post changes nothing and returns the outcomes of that one: see [Keys.Recall]. The error
// is ErrKeyReused.
func (m *Machine) Post(p *Post) (outcomes Outcomes, isRepeat bool, err error) {
	r, lives := m.Hub.Ref(p.SocketID)
	if !lives {
		return newOutcomes(slices.Repeat([]Outcome{Gone}, len(p.Events))), false, nil
	}
	r.Posted(p.Confirmed)
	if p.Trace.IsValid() {
		r.SetTrace(p.Trace)
		defer r.SetTrace(trace.TraceID{})
	}
	disconnects := false
	apply := func() (outcomes Outcomes) {
		outcomes, disconnects = m.apply(r, p)
		return outcomes
	}
	if p.Key.IsZero() {
		outcomes = apply()
	} else {
		outcomes, isRepeat, err = m.Keys(r).once(p.Key, account{m.Budget, r.Network()}, apply)
	}
	if disconnects {
		m.Hub.End(p.SocketID, sse.ClientDisconnect) // not earlier: it takes the lock of the keys
	}
	return outcomes, isRepeat, err
}

// Forget gives back what a socket's keys are charged for. It must be called when the socket
// has ended.
func (m *Machine) Forget(r sse.Ref) { m.Keys(r).forget(account{m.Budget, r.Network()}) }

// apply applies the events of a POST. If one of them disconnects, all later ones find that
// the socket is gone, and the caller must end it.
func (m *Machine) apply(r sse.Ref, p *Post) (outcomes Outcomes, disconnects bool) {
	var few [64]Outcome
	each := few[:0]
	next := 0
	for _, outcome := range p.Events {
		var act *Act
		if outcome == Accepted {
			act = &p.Acts[next]
			next++
		}
		switch {
		case disconnects || !r.Lives():
			outcome = Gone
		case act == nil: // refused before
		case act.Kind == Disconnect:
			disconnects = true
		default:
			outcome = OutcomeOf(m.perform(p.SocketID, act))
		}
		each = append(each, outcome)
	}
	return newOutcomes(each), disconnects
}

// perform does what an event asks for, on behalf of the socket that posted it.
func (m *Machine) perform(socketID string, a *Act) error {
	switch a.Kind {
	case JoinRoom:
		return m.Rooms.Join(socketID, *a.Join)
	case LeaveRoom:
		return m.Rooms.Leave(socketID, a.RequestID)
	case Offer, Answer, ICECandidate, Signal:
		relay := rooms.Relay{Kind: a.Kind.String(), Members: a.Members}
		if a.Kind == Signal && a.Target == "" {
			return m.Rooms.SignalAll(socketID, relay)
		}
		return m.Rooms.Signal(socketID, a.Target, relay)
	case SendMessage:
		return m.Rooms.Chat(socketID, a.Message)
	case TypingStart:
		return m.Rooms.Typing(socketID, true)
	case TypingStop:
		return m.Rooms.Typing(socketID, false)
	case Ping:
		return m.Hub.Pong(socketID)
	case Heartbeat:
		return m.Hub.Heartbeat(socketID)
	}
	return ErrFailed
}
