package rooms

import (
	"bytes"
	"encoding/json"
	"io"
	"time"
)

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func timestamp(t time.Time) string { return t.UTC().Format(timeLayout) }

// User is a member of a room as the other members see it.
type User struct {
	UserID   string          `json:"userId"`
	SocketID string          `json:"socketId"`
	Metadata json.RawMessage `json:"metadata,omitempty"` // compact JSON as the member wrote it; nil: none
}

// The server events that this package makes. Their fields are those of the table "Server
// events" in docs/protocol.md.

type roomJoined struct {
	Type      string `json:"type"`
	RoomID    string `json:"roomId"`
	UserID    string `json:"userId"`
	Timestamp string `json:"timestamp"`
	Users     []int  `json:"users"` // always empty here: [roomJoinedData] writes the users into it
	RequestID string `json:"requestId,omitempty"`
}

type roomLeft struct {
	Type      string `json:"type"`
	RoomID    string `json:"roomId"`
	Reason    string `json:"reason"`
	RequestID string `json:"requestId,omitempty"`
	Timestamp string `json:"timestamp"`
}

func newRoomLeft(roomID, reason, requestID string, at time.Time) Event {
	return Event{Kind: "room-left", Data: encode(roomLeft{"room-left", roomID, reason, requestID, timestamp(at)})}
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

// line is [Data] in one piece.
type line []byte

// Len implements [Data].
func (l line) Len() int { return len(l) }

// Held implements [Data].
func (l line) Held() int { return len(l) }

// WriteTo implements [Data].
func (l line) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(l)
	return int64(n), err
}

// keyKind says which events about one stay of a member replace each other.
type keyKind uint64

const (
	keyTyping   keyKind = iota // user-typing
	keyPresence                // user-away and user-back
	keyKinds                   // how many kinds there are
)

// key returns the [Event].Key of the events of one kind about this stay. It is not 0,
// because no stay has the number 0.
func (m *member) key(of keyKind) uint64 { return m.number*uint64(keyKinds) + uint64(of) }

// encode serialises an event on one line. It escapes only what JSON demands: what
// clients wrote stays as they wrote it.
func encode(event any) line {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		panic(err) // strings, numbers, booleans and valid raw JSON always encode
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
