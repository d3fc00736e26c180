package rooms

import (
	"bytes"
	"encoding/json"
	"time"
)

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func timestamp(t time.Time) string { return t.UTC().Format(timeLayout) }

// User is a member of a room as the other members see it.
type User struct {
	UserID   string          `json:"userId"`
	SocketID string          `json:"socketId"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// The server events that this package makes; the protocol names their members.

type roomJoined struct {
	Type      string `json:"type"`
	RoomID    string `json:"roomId"`
	UserID    string `json:"userId"`
	Timestamp string `json:"timestamp"`
	Users     []int  `json:"users"` // empty, and last: the users are put in as they were encoded
}

type roomLeft struct {
	Type      string `json:"type"`
	RoomID    string `json:"roomId"`
	Reason    string `json:"reason"`
	Timestamp string `json:"timestamp"`
}

func newRoomLeft(roomID, reason string) roomLeft {
	return roomLeft{"room-left", roomID, reason, timestamp(time.Now())}
}

type userConnected struct {
	Type string `json:"type"`
	User
	Timestamp string `json:"timestamp"`
}

type userDisconnected struct {
	Type      string `json:"type"`
	UserID    string `json:"userId"`
	SocketID  string `json:"socketId"`
	Reason    string `json:"reason"`
	Timestamp string `json:"timestamp"`
}

// presence is user-away or user-back.
type presence struct {
	Type      string `json:"type"`
	UserID    string `json:"userId"`
	SocketID  string `json:"socketId"`
	Timestamp string `json:"timestamp"`
}

type announcement struct {
	Type      string          `json:"type"`
	RoomID    string          `json:"roomId"`
	Data      json.RawMessage `json:"data"`
	Timestamp string          `json:"timestamp"`
}

type newMessage struct {
	Type      string `json:"type"`
	ID        string `json:"id"`
	RoomID    string `json:"roomId"`
	UserID    string `json:"userId"`
	SocketID  string `json:"socketId"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
}

type userTyping struct {
	Type     string `json:"type"`
	UserID   string `json:"userId"`
	SocketID string `json:"socketId"`
	IsTyping bool   `json:"isTyping"`
}

// encode serialises a message on one line, with nothing in it escaped that
// JSON does not demand: what clients wrote stays as they wrote it.
func encode(message any) []byte {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		panic(err) // strings, numbers, booleans and valid raw JSON always encode
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n"))
}

// Relay is an event that one member sends to others as it was written.
type Relay struct {
	// Kind is the event's type.
	Kind string
	// Members are the event's further members as JSON text, compact and without
	// the enclosing braces: `"target":"x","offer":{…}`. May be empty.
	Members []byte
}

// encode serialises the event, stamped with its sender.
func (r Relay) encode(from string) []byte {
	line := make([]byte, 0, len(`{"type":"","from":"",}`)+len(r.Kind)+len(from)+len(r.Members))
	line = append(line, `{"type":"`...)
	line = append(line, r.Kind...)
	line = append(line, `","from":"`...)
	line = append(line, from...)
	line = append(line, '"')
	if len(r.Members) > 0 {
		line = append(line, ',')
		line = append(line, r.Members...)
	}
	return append(line, '}')
}
