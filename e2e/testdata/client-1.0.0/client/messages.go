package client

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Message is an event that a client may send.
type Message interface {
	// Type is the event's type.
	Type() string
}

// JoinRoomMessage joins a room, and leaves the one before.
type JoinRoomMessage struct {
	RoomID      string         `json:"roomId"`
	UserID      string         `json:"userId"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	AccessToken string         `json:"accessToken,omitempty"`
}

// LeaveRoomMessage leaves the room.
type LeaveRoomMessage struct{}

// OfferMessage offers a connection to another member of the room.
type OfferMessage struct {
	Target string             `json:"target"`
	Offer  SessionDescription `json:"offer"`

	Extra map[string]any `json:"-"` // further members, which are passed on untouched
}

// AnswerMessage answers the offer of another member of the room.
type AnswerMessage struct {
	Target string             `json:"target"`
	Answer SessionDescription `json:"answer"`

	Extra map[string]any `json:"-"` // further members, which are passed on untouched
}

// ICECandidateMessage passes a candidate on to another member of the room. A nil
// candidate says that there are no more.
type ICECandidateMessage struct {
	Target    string        `json:"target"`
	Candidate *ICECandidate `json:"candidate"`

	Extra map[string]any `json:"-"` // further members, which are passed on untouched
}

// SignalMessage sends something of the application's own to one other member of
// the room or, without a target, to all.
type SignalMessage struct {
	Target string `json:"target,omitempty"`
	Data   any    `json:"data"`
}

// ChatMessage writes to the room.
type ChatMessage struct {
	Message string `json:"message"`
}

// TypingStartMessage tells the room that one has begun to type.
type TypingStartMessage struct{}

// TypingStopMessage tells the room that one has stopped typing.
type TypingStopMessage struct{}

// PingMessage asks for a [PongEvent].
type PingMessage struct{}

// DisconnectMessage ends the socket; [Client.Close] sends it.
type DisconnectMessage struct{}

// Type implements Message.
func (JoinRoomMessage) Type() string { return "join-room" }

// Type implements Message.
func (LeaveRoomMessage) Type() string { return "leave-room" }

// Type implements Message.
func (OfferMessage) Type() string { return "offer" }

// Type implements Message.
func (AnswerMessage) Type() string { return "answer" }

// Type implements Message.
func (ICECandidateMessage) Type() string { return "ice-candidate" }

// Type implements Message.
func (SignalMessage) Type() string { return "signal" }

// Type implements Message.
func (ChatMessage) Type() string { return "send-message" }

// Type implements Message.
func (TypingStartMessage) Type() string { return "typing-start" }

// Type implements Message.
func (TypingStopMessage) Type() string { return "typing-stop" }

// Type implements Message.
func (PingMessage) Type() string { return "ping" }

// Type implements Message.
func (DisconnectMessage) Type() string { return "disconnect" }

// SessionDescription is an RTCSessionDescriptionInit (WebRTC, 4.8). A pion
// webrtc.SessionDescription has the same JSON.
type SessionDescription struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

// ICECandidate is an RTCIceCandidateInit (WebRTC, 4.8.1). A pion
// webrtc.ICECandidateInit has the same members, and converts to it.
type ICECandidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex"`
	UsernameFragment *string `json:"usernameFragment"`
}

func (m OfferMessage) extra() map[string]any        { return m.Extra }
func (m AnswerMessage) extra() map[string]any       { return m.Extra }
func (m ICECandidateMessage) extra() map[string]any { return m.Extra }

// encode writes a message with its type, and with its further members.
func encode(m Message) ([]byte, error) {
	objects := []any{map[string]string{"type": m.Type()}, m}
	if open, isOpen := m.(interface{ extra() map[string]any }); isOpen && len(open.extra()) > 0 {
		objects = append(objects, open.extra())
	}
	var members [][]byte
	for _, object := range objects {
		encoded, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		if inner := encoded[1 : len(encoded)-1]; len(inner) > 0 {
			members = append(members, inner)
		}
	}
	return fmt.Appendf(nil, "{%s}", bytes.Join(members, []byte(","))), nil
}
