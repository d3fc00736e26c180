package machine

import (
	"go.opentelemetry.io/otel/trace"

	"signaling-server/rooms"
)

// Kind is the type of a client event.
type Kind byte

// The kinds. They are stored, so a number never gets another meaning.
const (
	JoinRoom Kind = iota + 1
	LeaveRoom
	Offer
	Answer
	ICECandidate
	Signal
	SendMessage
	TypingStart
	TypingStop
	Ping
	Heartbeat
	Disconnect

	kinds // one more than the last
)

var kindNames = [kinds]string{
	JoinRoom:     "join-room",
	LeaveRoom:    "leave-room",
	Offer:        "offer",
	Answer:       "answer",
	ICECandidate: "ice-candidate",
	Signal:       "signal",
	SendMessage:  "send-message",
	TypingStart:  "typing-start",
	TypingStop:   "typing-stop",
	Ping:         "ping",
	Heartbeat:    "heartbeat",
	Disconnect:   "disconnect",
}

// String returns the name of the type, as the protocol writes it.
func (k Kind) String() string { return kindNames[k] }

// Act is what one client event asks for. Each field belongs to some kinds, and is zero for
// the others. What it holds must not change while it is applied, and is not kept.
//
// An Act is small, because a batch may have many events of a few bytes. So what a join asks
// for, which is large and rare, is not in the Act itself.
type Act struct {
	Kind      Kind
	Target    string             // of Offer, Answer, ICECandidate and Signal: a socket ID. Of Signal also "": all other members
	Members   []byte             // of the same kinds: see [rooms.Relay]
	Message   string             // of SendMessage
	RequestID string             // of LeaveRoom; "": there is none
	Join      *rooms.JoinRequest // of JoinRoom
}

// Post is what one POST of a client asks for.
type Post struct {
	SocketID string
	Key      Key // the zero Key: the POST has none
	// Confirmed is the sequence up to which the client says that everything has arrived: see
	// [sse.Ref.Posted]. It holds whatever becomes of the events.
	Confirmed uint64
	// Trace is the trace that the POST is a part of; zero: there is none. Nothing depends on it:
	// see [sse.Ref.SetTrace].
	Trace trace.TraceID
	// Events has an outcome for each event: Accepted if it is the next one of Acts, or why
	// the node that took the request refused it.
	Events []Outcome
	Acts   []Act
}

// Ask adds an event that is to be applied.
func (p *Post) Ask(a Act) {
	p.Events = append(p.Events, Accepted)
	p.Acts = append(p.Acts, a)
}

// Refuse adds an event that the node refuses.
func (p *Post) Refuse(why Outcome) { p.Events = append(p.Events, why) }
