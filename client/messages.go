package client

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Message is an event that a client may send: one of the types whose names end in
// Message.
type Message interface {
	// Type returns the event's type, for example "join-room".
	Type() string
}

// JoinRoomMessage joins a room. A client that is in another room leaves it. The
// AccessToken is for servers that admit only clients with a token.
type JoinRoomMessage struct {
	RoomID      string         `json:"roomId"`
	UserID      string         `json:"userId"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	AccessToken string         `json:"accessToken,omitempty"`
	RequestID   string         `json:"requestId,omitempty"` // the RequestID of the [RoomJoinedEvent] that answers
}

// LeaveRoomMessage leaves the room that the client is in.
type LeaveRoomMessage struct {
	RequestID string `json:"requestId,omitempty"` // the RequestID of the [RoomLeftEvent] that answers
}

// OfferMessage offers a WebRTC connection to another member of the room.
type OfferMessage struct {
	Target string             `json:"target"`
	Offer  SessionDescription `json:"offer"`

	Extra map[string]any `json:"-"` // further members, which the server passes on unchanged
}

// AnswerMessage answers the offer of another member of the room.
type AnswerMessage struct {
	Target string             `json:"target"`
	Answer SessionDescription `json:"answer"`

	Extra map[string]any `json:"-"` // further members, which the server passes on unchanged
}

// ICECandidateMessage sends a candidate to another member of the room. A nil
// candidate says that no more follow.
type ICECandidateMessage struct {
	Target    string        `json:"target"`
	Candidate *ICECandidate `json:"candidate"`

	Extra map[string]any `json:"-"` // further members, which the server passes on unchanged
}

// SignalMessage sends the application's own data to another member of the room or,
// without a target, to all other members.
type SignalMessage struct {
	Target string `json:"target,omitempty"`
	Data   any    `json:"data"`
}

// ChatMessage sends a chat message to the room.
type ChatMessage struct {
	Message string `json:"message"`
}

// TypingStartMessage tells the room that this client has begun to type.
type TypingStartMessage struct{}

// TypingStopMessage tells the room that this client has stopped typing.
type TypingStopMessage struct{}

// PingMessage asks for a [PongEvent].
type PingMessage struct{}

// HeartbeatMessage says that this client lives. The client sends it by itself.
type HeartbeatMessage struct{}

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
func (HeartbeatMessage) Type() string { return "heartbeat" }

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

// encode returns the JSON of a message: its type, its members and its further members. It
// is UTF-8, even if the application's own JSON is not.
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
	return fmt.Appendf(nil, "{%s}", bytes.ToValidUTF8(bytes.Join(members, []byte(",")), []byte("\uFFFD"))), nil
}
