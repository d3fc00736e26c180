package httpapi

import (
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"signaling-server/rooms"
	"signaling-server/sse"
)

// clientEvent is one event that a client may post, decoded and validated.
type clientEvent interface {
	// accept does what the event asks for on behalf of a socket. Without an
	// error the event is accepted.
	accept(a *API, socketID string) error
}

// eventType is one of the types that may be posted.
type eventType struct {
	empty        func() any
	fields       map[string]knownField // by their names in JSON, the type among them
	noSuchMember string                // what is said of others
}

// knownField is a member that events of a type may have.
type knownField struct {
	name  string
	index []int            // as reflect finds it; nil: it is in the Go type itself
	bit   uint64           // tells it from the others
	inner map[string][]int // its own fields by their names, if it is an object
}

// clientEvents are all that a client may post; each is a [clientEvent].
var clientEvents = vocabulary{
	"join-room":     newEventType[joinRoom]("join-room"),
	"leave-room":    newEventType[leaveRoom]("leave-room"),
	"offer":         newEventType[offer]("offer"),
	"answer":        newEventType[answer]("answer"),
	"ice-candidate": newEventType[iceCandidate]("ice-candidate"),
	"signal":        newEventType[signal]("signal"),
	"send-message":  newEventType[sendMessage]("send-message"),
	"typing-start":  newEventType[typingStart]("typing-start"),
	"typing-stop":   newEventType[typingStop]("typing-stop"),
	"ping":          newEventType[ping]("ping"),
	"disconnect":    newEventType[disconnect]("disconnect"),
}

func newEventType[T any](kind string) eventType {
	fields := map[string]knownField{"type": {name: "type", bit: 1}}
	for name, index := range fieldsOf(reflect.TypeFor[T]()) {
		known := knownField{name: name, index: index, bit: 1 << len(fields)}
		if field := reflect.TypeFor[T]().FieldByIndex(index).Type; field.Kind() == reflect.Struct {
			known.inner = fieldsOf(field)
		}
		fields[name] = known
	}
	return eventType{func() any { return new(T) }, fields, kind + " has no such member"}
}

type joinRoom struct {
	RoomID      string         `json:"roomId" validate:"required,max=128,name"`
	UserID      string         `json:"userId" validate:"required,max=128,name"`
	Metadata    jsontext.Value `json:"metadata" validate:"omitempty,object,max=4096"`
	AccessToken string         `json:"accessToken"`
}

func (e *joinRoom) normalize() {
	if e.Metadata != nil {
		e.Metadata = compact(e.Metadata)
	}
}

func (e *joinRoom) accept(a *API, socketID string) error {
	permit, err := a.permit(e, socketID)
	if err != nil {
		return err
	}
	return a.rooms.Join(socketID, e.RoomID, e.UserID, []byte(e.Metadata), permit)
}

type leaveRoom struct{}

func (*leaveRoom) accept(a *API, socketID string) error { return a.rooms.Leave(socketID) }

// posted is what the events have in common that travel on as they were
// written.
type posted struct{ members []byte }

// keep remembers an event's members for the way on, in the order in which they
// were written: all but the type, and but a from, which is ours to say.
func (p *posted) keep(o object) {
	travels := func(m member) bool { return string(m.name) != "type" && string(m.name) != "from" }
	size := 0
	for _, m := range o.members {
		if travels(m) {
			size += len(m.rawName) + len(m.value) + len(`:,`)
			if !o.isCompact {
				_, spaces := survey(m.value)
				size -= spaces
			}
		}
	}
	p.members = make([]byte, 0, size)
	for _, m := range o.members {
		if !travels(m) {
			continue
		}
		if len(p.members) > 0 {
			p.members = append(p.members, ',')
		}
		p.members = o.appendMember(p.members, m)
	}
}

func (p *posted) as(kind string) rooms.Relay { return rooms.Relay{Kind: kind, Members: p.members} }

// relayed is an event to one other member. Applications put members of their
// own beside the protocol's, and they travel along.
type relayed struct {
	posted
	Target string `json:"target" validate:"required"`
}

func (*relayed) isOpen() {}

// The descriptions are each an RTCSessionDescriptionInit (WebRTC, 4.8). Nobody
// here looks into the SDP: it stays JSON.

type offer struct {
	relayed
	Offer struct {
		Type string         `json:"type" validate:"required,eq=offer"`
		SDP  jsontext.Value `json:"sdp" validate:"required,text"`
	} `json:"offer" validate:"required"`
}

func (e *offer) accept(a *API, socketID string) error {
	return a.rooms.Signal(socketID, e.Target, e.as("offer"))
}

type answer struct {
	relayed
	Answer struct {
		Type string         `json:"type" validate:"required,oneof=answer pranswer"`
		SDP  jsontext.Value `json:"sdp" validate:"required,text"`
	} `json:"answer" validate:"required"`
}

func (e *answer) accept(a *API, socketID string) error {
	return a.rooms.Signal(socketID, e.Target, e.as("answer"))
}

type iceCandidate struct {
	relayed
	Candidate jsontext.Value `json:"candidate" validate:"required,candidate"`
}

// candidateInit is an RTCIceCandidateInit (WebRTC, 4.8.1). A browser's
// toJSON() writes null for what it does not know. The candidate itself may be
// absent, but not null: strict receivers could not read it.
type candidateInit struct {
	Candidate        jsontext.Value `json:"candidate"`
	SDPMid           *string        `json:"sdpMid"`
	SDPMLineIndex    *uint16        `json:"sdpMLineIndex"`
	UsernameFragment *string        `json:"usernameFragment"`
}

func (e *iceCandidate) accept(a *API, socketID string) error {
	return a.rooms.Signal(socketID, e.Target, e.as("ice-candidate"))
}

type signal struct {
	posted
	Target *string        `json:"target" validate:"omitempty,min=1"`
	Data   jsontext.Value `json:"data" validate:"required"`
}

func (e *signal) accept(a *API, socketID string) error {
	if e.Target == nil {
		return a.rooms.SignalAll(socketID, e.as("signal"))
	}
	return a.rooms.Signal(socketID, *e.Target, e.as("signal"))
}

type sendMessage struct {
	Message string `json:"message" validate:"required,max=4096"`
}

func (e *sendMessage) normalize() { e.Message = strings.TrimSpace(e.Message) }

func (e *sendMessage) accept(a *API, socketID string) error { return a.rooms.Chat(socketID, e.Message) }

type typingStart struct{}

func (*typingStart) accept(a *API, socketID string) error { return a.rooms.Typing(socketID, true) }

type typingStop struct{}

func (*typingStop) accept(a *API, socketID string) error { return a.rooms.Typing(socketID, false) }

type ping struct{}

func (*ping) accept(a *API, socketID string) error { return a.hub.Pong(socketID) }

type disconnect struct{}

func (*disconnect) accept(a *API, socketID string) error {
	a.hub.End(socketID, sse.ClientDisconnect)
	return nil
}
