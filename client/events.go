package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event is an event that the server sends: one of the types whose names end in
// Event.
type Event interface{ isEvent() }

// ConnectedEvent says which socket the client has. It comes first, and again whenever
// the client opened a new socket because its old socket could not be resumed. A new
// socket is not in a room yet.
type ConnectedEvent struct {
	SocketID          string      `json:"socketId"`
	Token             string      `json:"token"`             // a secret: it authenticates the socket
	Resumed           bool        `json:"resumed"`           // always false: the client does not report that a socket was resumed
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

// RoomJoinedEvent says that this client is in a room. Users are all members,
// including this client, in the order in which they joined.
type RoomJoinedEvent struct {
	RoomID    string     `json:"roomId"`
	UserID    string     `json:"userId"`
	Users     []RoomUser `json:"users"`
	RequestID string     `json:"requestId,omitempty"` // of the [JoinRoomMessage] that this event answers
	Timestamp time.Time  `json:"timestamp"`
}

// RoomUser is a member of a room.
type RoomUser struct {
	UserID   string         `json:"userId"`
	SocketID string         `json:"socketId"`
	Metadata map[string]any `json:"metadata,omitempty"`
	// Away reports whether the member has had no stream or poll for a few seconds. It
	// may still come back.
	Away bool `json:"away,omitempty"`
}

// RoomLeftEvent says that this client is no longer in the room. The reason is
// "left", "kicked" or "room closed".
type RoomLeftEvent struct {
	RoomID    string    `json:"roomId"`
	Reason    string    `json:"reason"`
	RequestID string    `json:"requestId,omitempty"` // of the [LeaveRoomMessage] that this event answers
	Timestamp time.Time `json:"timestamp"`
}

// DisconnectedEvent says why the server ended a stream. After the reasons "kicked"
// and "replaced" it is the last event. After any other reason the client comes back
// by itself when RetryAfter (milliseconds) has passed.
type DisconnectedEvent struct {
	Reason     string    `json:"reason"`
	Detail     string    `json:"detail,omitempty"` // what the operator wrote, after "kicked"
	RetryAfter int       `json:"retryAfter,omitempty"`
	Timestamp  time.Time `json:"timestamp"`
}

// AnnouncementEvent is what an operator sends to the room: any JSON.
type AnnouncementEvent struct {
	RoomID    string          `json:"roomId"`
	Data      json.RawMessage `json:"data"`
	Timestamp time.Time       `json:"timestamp"`
}

// UserConnectedEvent says that a new member has joined the room.
type UserConnectedEvent struct {
	UserID    string         `json:"userId"`
	SocketID  string         `json:"socketId"`
	Metadata  map[string]any `json:"metadata,omitempty"`
	Timestamp time.Time      `json:"timestamp"`
}

// UserDisconnectedEvent says that a member is no longer in the room. The reasons are
// listed in the server's openapi.yaml.
type UserDisconnectedEvent struct {
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Reason    string    `json:"reason"`
	Timestamp time.Time `json:"timestamp"`
}

// UserAwayEvent says that a member has had no stream or poll for a few seconds. It
// may still come back.
type UserAwayEvent struct {
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Timestamp time.Time `json:"timestamp"`
}

// UserBackEvent says that a member that was away has come back.
type UserBackEvent struct {
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Timestamp time.Time `json:"timestamp"`
}

// OfferEvent is an offer from another member of the room.
type OfferEvent struct {
	From   string             `json:"from"`
	Target string             `json:"target"`
	Offer  SessionDescription `json:"offer"`

	Extra map[string]json.RawMessage `json:"-"` // further members, unchanged
}

// AnswerEvent is the answer of another member of the room to an offer.
type AnswerEvent struct {
	From   string             `json:"from"`
	Target string             `json:"target"`
	Answer SessionDescription `json:"answer"`

	Extra map[string]json.RawMessage `json:"-"` // further members, unchanged
}

// ICECandidateEvent is a candidate from another member of the room. If Candidate is
// nil, no more candidates follow.
type ICECandidateEvent struct {
	From      string        `json:"from"`
	Target    string        `json:"target"`
	Candidate *ICECandidate `json:"candidate"`

	Extra map[string]json.RawMessage `json:"-"` // further members, unchanged
}

// SignalEvent carries the application's own data from another member of the room.
// Target is empty if the data was sent to all members.
type SignalEvent struct {
	From   string          `json:"from"`
	Target string          `json:"target,omitempty"`
	Data   json.RawMessage `json:"data"`
}

// NewMessageEvent is a chat message in the room. Its sender receives it as well.
type NewMessageEvent struct {
	ID        string    `json:"id"`
	RoomID    string    `json:"roomId"`
	UserID    string    `json:"userId"`
	SocketID  string    `json:"socketId"`
	Message   string    `json:"message"`
	Timestamp time.Time `json:"timestamp"`
}

// UserTypingEvent says that a member has begun to type, or has stopped.
type UserTypingEvent struct {
	UserID   string `json:"userId"`
	SocketID string `json:"socketId"`
	IsTyping bool   `json:"isTyping"`
}

// PongEvent answers a [PingMessage].
type PongEvent struct {
	Timestamp int64 `json:"timestamp"` // milliseconds since the epoch
}

// ServerShutdownEvent says that the server is stopping. The client comes back by
// itself when ReconnectAfter (milliseconds) has passed.
type ServerShutdownEvent struct {
	Message        string    `json:"message"`
	Timestamp      time.Time `json:"timestamp"`
	ReconnectAfter int       `json:"reconnectAfter"`
}

// heartbeatEvent shows that the stream is alive. The loop over the events does not
// get it.
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

// decoders hold a function for each event type, which decodes the event's data.
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

// extra holds the members that an event has but its type does not name.
type extra = map[string]json.RawMessage

// decodeWithExtra returns a decoder of events with further members, which go into the
// map that field returns. The payload, and the members that all events between
// clients have, are not further members.
func decodeWithExtra[E Event](payload string, field func(*E) *extra) func(data []byte) (Event, error) {
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
			*field(&e) = further
		}
		return e, nil
	}
}

// decodeEvent decodes an event according to its type.
func decodeEvent(data []byte) (Event, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	decoder, known := decoders[head.Type]
	if !known {
		return nil, fmt.Errorf("this client does not know the event type %q: the server is newer, update the client", head.Type)
	}
	event, err := decoder(data)
	if err != nil {
		return nil, fmt.Errorf("reading an event of type %s: %w", head.Type, err)
	}
	return event, nil
}
