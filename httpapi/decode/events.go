package decode

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ClientEvents are all events that a client may post.
var ClientEvents = Vocabulary{
	"join-room":     newType[JoinRoom]("join-room"),
	"leave-room":    newType[LeaveRoom]("leave-room"),
	"offer":         newType[Offer]("offer"),
	"answer":        newType[Answer]("answer"),
	"ice-candidate": newType[ICECandidate]("ice-candidate"),
	"signal":        newType[Signal]("signal"),
	"send-message":  newType[SendMessage]("send-message"),
	"typing-start":  newType[TypingStart]("typing-start"),
	"typing-stop":   newType[TypingStop]("typing-stop"),
	"ping":          newType[Ping]("ping"),
	"heartbeat":     newType[Heartbeat]("heartbeat"),
	"disconnect":    newType[Disconnect]("disconnect"),
}

// OperatorEvents are all events that an operator may post to a room.
var OperatorEvents = Vocabulary{"announcement": newType[Announcement]("announcement")}

// An event may implement these.
type (
	// A normalizer brings its fields into one form before they are validated.
	normalizer interface{ normalize() }
	// A traveller goes on to other members of the room as it was written. For that it
	// keeps the JSON members that are relayed.
	traveller interface{ keep(Document, member) }
	// An open event may have members that the protocol does not know.
	open interface{ isOpen() }
)

// JoinRoom is the event join-room.
type JoinRoom struct {
	RoomID      string         `json:"roomId" validate:"required,max=128,name"`
	UserID      string         `json:"userId" validate:"required,max=128,name"`
	Metadata    jsontext.Value `json:"metadata" validate:"omitempty,object,max=4096"` // compact; nil if there is none
	AccessToken string         `json:"accessToken"`
	RequestID   *string        `json:"requestId" validate:"omitempty,min=1,max=64,visible"` // nil: there is none
}

func (e *JoinRoom) normalize() { e.Metadata = compact(e.Metadata) }

// LeaveRoom is the event leave-room.
type LeaveRoom struct {
	RequestID *string `json:"requestId" validate:"omitempty,min=1,max=64,visible"` // nil: there is none
}

// posted is embedded in each event that goes on to other clients as it was written.
type posted struct{ members memberList }

// Members returns the JSON members of the event in the order in which they were written,
// without white space and braces. It leaves out "type", and a target that is null. It
// leaves out "from" too, because only the server may say which socket sent an event.
func (p *posted) Members() []byte { return p.members.text }

func (p *posted) keep(event Document, m member) { p.members.add(event, m) }

// isRelayed reports whether other clients receive a member of an event.
func isRelayed(name []byte, value jsontext.Value) bool {
	isAbsent := string(name) == "target" && value.Kind() == 'n' // strict receivers refuse null
	return string(name) != "type" && string(name) != "from" && !isAbsent
}

// relayed is embedded in each event to one other member of the room. An application may
// add JSON members of its own, and the target receives them too.
type relayed struct {
	posted
	Target string `json:"target" validate:"required"` // a socket ID
}

func (*relayed) isOpen() {}

// The description in an offer or an answer is an RTCSessionDescriptionInit (WebRTC, 4.8).
// The server does not look into the SDP: it stays JSON.

// Offer is the event offer.
type Offer struct {
	relayed
	Offer struct {
		Type string         `json:"type" validate:"required,eq=offer"`
		SDP  jsontext.Value `json:"sdp" validate:"required,text"`
	} `json:"offer" validate:"required"`
}

// Answer is the event answer.
type Answer struct {
	relayed
	Answer struct {
		Type string         `json:"type" validate:"required,oneof=answer pranswer"`
		SDP  jsontext.Value `json:"sdp" validate:"required,text"`
	} `json:"answer" validate:"required"`
}

// ICECandidate is the event ice-candidate.
type ICECandidate struct {
	relayed
	Candidate jsontext.Value `json:"candidate" validate:"required,candidate"`
}

// Signal is the event signal, to one member or to all.
type Signal struct {
	posted
	Target *string        `json:"target" validate:"omitempty,min=1"` // a socket ID; nil: all other members
	Data   jsontext.Value `json:"data" validate:"required"`
}

// SendMessage is the event send-message.
type SendMessage struct {
	Message string `json:"message" validate:"required,max=4096"`
}

func (e *SendMessage) normalize() { e.Message = strings.TrimSpace(e.Message) }

// TypingStart is the event typing-start.
type TypingStart struct{}

// TypingStop is the event typing-stop.
type TypingStop struct{}

// Ping is the event ping.
type Ping struct{}

// Heartbeat is the event heartbeat.
type Heartbeat struct{}

// Disconnect is the event disconnect.
type Disconnect struct{}

// Announcement is the event announcement.
type Announcement struct {
	Data jsontext.Value `json:"data" validate:"required"` // compact
}

func (e *Announcement) normalize() { e.Data = compact(e.Data) }
