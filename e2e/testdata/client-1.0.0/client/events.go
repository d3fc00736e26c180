package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is something that the server tells: one of the types whose names end in
// Event.
type Event interface{ isEvent() }

// ConnectedEvent tells who one is: at first, and whenever the socket is a new one
// because the one before could not be resumed. It is in no room yet.
type ConnectedEvent struct {
	SocketID          string      `json:"socketId"`
	Token             string      `json:"token"` // secret
	Resumed           bool        `json:"resumed"`
	HeartbeatInterval int         `json:"heartbeatInterval"` // milliseconds
	ResumeWindow      int         `json:"resumeWindow"`      // milliseconds
	ICEServers        []ICEServer `json:"iceServers,omitempty"`
	Timestamp         time.Time   `json:"timestamp"`
}

// ICEServer is an RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// RoomJoinedEvent says that one is in a room, and with whom: in order of joining,
// oneself included.
type RoomJoinedEvent struct {
	RoomID    string     `json:"roomId"`
	UserID    string     `json:"userId"`
	Users     []RoomUser `json:"users"`
	Timestamp time.Time  `json:"timestamp"`
}

// RoomUser is a member of a room.
type RoomUser struct {
	UserID   string         `json:"userId"`
	SocketID string         `json:"socketId"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// RoomLeftEvent says that one is out of a room. The reason is "left", "kicked" or
// "room closed".
type RoomLeftEvent struct {
	RoomID    string    `json:"roomId"`
	Reason    string    `json:"reason"`
	Timestamp time.Time `json:"timestamp"`
}

// DisconnectedEvent says why the server ended a stream. After "kicked" and
// "replaced" it is the last event; after all others the client comes back when
// RetryAfter (milliseconds) have passed.
type DisconnectedEvent struct {
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail,omitempty"`
	RetryAfter int       `json:"retryAfter,omitempty"`
	Timestamp  time.Time `json:"timestamp"`
}

// AnnouncementEvent is from an operator.
type AnnouncementEvent struct {
	RoomID    string          `json:"roomId"`
	Data      json.RawMessage `json:"data"`
	Timestamp time.Time       `json:"timestamp"`
}

// UserConnectedEvent says that someone came into the room.
type UserConnectedEvent struct {
	UserID    string         `json:"userId"`
	SocketID  string         `json:"socketId"`
	Metadata  map[string]any `json:"metadata,omitempty"`
	Timestamp time.Time      `json:"timestamp"`
}

// UserDisconnectedEvent says that someone is gone from the room.
type UserDisconnectedEvent struct {
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Reason    string    `json:"reason"`
	Timestamp time.Time `json:"timestamp"`
}

// UserAwayEvent says that a member has lost the connection, and may be back.
type UserAwayEvent struct {
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Timestamp time.Time `json:"timestamp"`
}

// UserBackEvent says that a member who was away is back.
type UserBackEvent struct {
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Timestamp time.Time `json:"timestamp"`
}

// OfferEvent is an offer of another member of the room.
type OfferEvent struct {
	From   string             `json:"from"`
	Target string             `json:"target"`
	Offer  SessionDescription `json:"offer"`

	Extra map[string]json.RawMessage `json:"-"` // further members, as they were sent
}

// AnswerEvent is another member's answer to an offer.
type AnswerEvent struct {
	From   string             `json:"from"`
	Target string             `json:"target"`
	Answer SessionDescription `json:"answer"`

	Extra map[string]json.RawMessage `json:"-"` // further members, as they were sent
}

// ICECandidateEvent is a candidate of another member of the room; nil: there are
// no more.
type ICECandidateEvent struct {
	From      string        `json:"from"`
	Target    string        `json:"target"`
	Candidate *ICECandidate `json:"candidate"`

	Extra map[string]json.RawMessage `json:"-"` // further members, as they were sent
}

// SignalEvent is of the application's own. Target is empty where it was sent to
// all.
type SignalEvent struct {
	From   string          `json:"from"`
	Target string          `json:"target,omitempty"`
	Data   json.RawMessage `json:"data"`
}

// NewMessageEvent is what someone wrote to the room.
type NewMessageEvent struct {
	ID        string    `json:"id"`
	RoomID    string    `json:"roomId"`
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Message   string    `json:"message"`
	Timestamp time.Time `json:"timestamp"`
}

// UserTypingEvent says that someone types, or has stopped.
type UserTypingEvent struct {
	UserID   string `json:"userId"`
	SocketID string `json:"socketId"`
	IsTyping bool   `json:"isTyping"`
}

// PongEvent answers a [PingMessage].
type PongEvent struct {
	Timestamp int64 `json:"timestamp"` // milliseconds since the epoch
}

// ServerShutdownEvent says that the server goes. The client comes back when
// ReconnectAfter (milliseconds) have passed.
type ServerShutdownEvent struct {
	Message        string    `json:"message"`
	Timestamp      time.Time `json:"timestamp"`
	ReconnectAfter int       `json:"reconnectAfter"`
}

// heartbeatEvent is a sign of life, which is told to nobody.
type heartbeatEvent struct {
	Timestamp time.Time `json:"timestamp"`
}

func (ConnectedEvent) isEvent()        {}
func (RoomJoinedEvent) isEvent()       {}
func (RoomLeftEvent) isEvent()         {}
func (DisconnectedEvent) isEvent()     {}
func (AnnouncementEvent) isEvent()     {}
func (UserConnectedEvent) isEvent()    {}
func (UserDisconnectedEvent) isEvent() {}
func (UserAwayEvent) isEvent()         {}
func (UserBackEvent) isEvent()         {}
func (OfferEvent) isEvent()            {}
func (AnswerEvent) isEvent()           {}
func (ICECandidateEvent) isEvent()     {}
func (SignalEvent) isEvent()           {}
func (NewMessageEvent) isEvent()       {}
func (UserTypingEvent) isEvent()       {}
func (PongEvent) isEvent()             {}
func (ServerShutdownEvent) isEvent()   {}
func (heartbeatEvent) isEvent()        {}

// decoders read the data of an event, by its type.
var decoders = map[string]func(data []byte) (Event, error){
	"connected":         decode[ConnectedEvent],
	"room-joined":       decode[RoomJoinedEvent],
	"room-left":         decode[RoomLeftEvent],
	"disconnected":      decode[DisconnectedEvent],
	"announcement":      decode[AnnouncementEvent],
	"user-connected":    decode[UserConnectedEvent],
	"user-disconnected": decode[UserDisconnectedEvent],
	"user-away":         decode[UserAwayEvent],
	"user-back":         decode[UserBackEvent],
	"offer":             decodeWithExtra("offer", func(e *OfferEvent) *extra { return &e.Extra }),
	"answer":            decodeWithExtra("answer", func(e *AnswerEvent) *extra { return &e.Extra }),
	"ice-candidate":     decodeWithExtra("candidate", func(e *ICECandidateEvent) *extra { return &e.Extra }),
	"signal":            decode[SignalEvent],
	"new-message":       decode[NewMessageEvent],
	"user-typing":       decode[UserTypingEvent],
	"pong":              decode[PongEvent],
	"heartbeat":         decode[heartbeatEvent],
	"server-shutdown":   decode[ServerShutdownEvent],
}

func decode[E Event](data []byte) (Event, error) {
	var e E
	err := json.Unmarshal(data, &e)
	return e, err
}

// extra is what an event has beside its own members.
type extra = map[string]json.RawMessage

// decodeWithExtra reads an event whose further members go where it says. Its own
// are the payload, and those that all events between members have.
func decodeWithExtra[E Event](payload string, of func(*E) *extra) func(data []byte) (Event, error) {
	return func(data []byte) (Event, error) {
		var e E
		if err := json.Unmarshal(data, &e); err != nil {
			return e, err
		}
		var further extra
		if err := json.Unmarshal(data, &further); err != nil {
			return e, err
		}
		for _, own := range []string{"type", "from", "target", payload} {
			delete(further, own)
		}
		if len(further) > 0 {
			*of(&e) = further
		}
		return e, nil
	}
}

// decodeEvent reads an event by the type that it bears.
func decodeEvent(data []byte) (Event, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	decoder, known := decoders[head.Type]
	if !known {
		return nil, fmt.Errorf("an event of the type %q, which this client does not know: the server is newer, update the client", head.Type)
	}
	event, err := decoder(data)
	if err != nil {
		return nil, fmt.Errorf("reading an event of the type %s: %w", head.Type, err)
	}
	return event, nil
}
