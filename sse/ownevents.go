package sse

import (
	"encoding/json"
	"time"
)

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func timestamp() string { return time.Now().UTC().Format(timeLayout) }

// The server events about a socket itself. Other packages make all other events. The
// fields are those of the table "Server events" in docs/protocol.md.

type connected struct {
	Type              string          `json:"type"`
	SocketID          string          `json:"socketId"`
	Token             string          `json:"token"`
	Resumed           bool            `json:"resumed"`
	HeartbeatInterval int64           `json:"heartbeatInterval"`
	ResumeWindow      int64           `json:"resumeWindow"`
	ICEServers        json.RawMessage `json:"iceServers,omitempty"`
	Timestamp         string          `json:"timestamp"`
}

type heartbeat struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
}

type disconnected struct {
	Type       string `json:"type"`
	Reason     string `json:"reason"`
	Detail     string `json:"detail,omitempty"`
	RetryAfter int64  `json:"retryAfter,omitempty"`
	Timestamp  string `json:"timestamp"`
}

type serverShutdown struct {
	Type           string `json:"type"`
	Message        string `json:"message"`
	Timestamp      string `json:"timestamp"`
	ReconnectAfter int64  `json:"reconnectAfter"`
}

type pong struct {
	Type      string `json:"type"`
	Timestamp int64  `json:"timestamp"` // milliseconds since the Unix epoch
}

func newConnected(s *socket, token Token, resumed bool) *event {
	options := s.hub.options
	e := newOwnEvent("connected", connected{
		Type:              "connected",
		SocketID:          s.id,
		Token:             token.Secret(),
		Resumed:           resumed,
		HeartbeatInterval: options.HeartbeatInterval.Milliseconds(),
		ResumeWindow:      options.ResumeWindow.Milliseconds(),
		ICEServers:        options.ICEServers(s.id),
		Timestamp:         timestamp(),
	})
	e.retry = reconnectionTime
	return e
}

// newHeartbeat returns a heartbeat. All streams whose heartbeats are due in the same
// millisecond share it.
func (h *Hub) newHeartbeat() *event {
	now := timestamp()
	if shared := h.heartbeat.Load(); shared != nil && shared.timestamp == now {
		return shared.event
	}
	e := newOwnEvent("heartbeat", heartbeat{"heartbeat", now})
	h.heartbeat.Store(&sharedHeartbeat{now, e})
	return e
}

// sharedHeartbeat is the latest heartbeat.
type sharedHeartbeat struct {
	timestamp string
	event     *event
}

func (h *Hub) newPong() Line { return encode(pong{"pong", h.options.Now().UnixMilli()}) }

func newDisconnected(reason, detail string, retryAfter time.Duration) *event {
	e := newOwnEvent("disconnected", disconnected{"disconnected", reason, detail, retryAfter.Milliseconds(), timestamp()})
	e.retry = retryAfter
	return e
}

func newServerShutdown(reconnectAfter time.Duration) *event {
	e := newOwnEvent("server-shutdown", serverShutdown{
		"server-shutdown", "The server is shutting down. Reconnect after the time given.", timestamp(), reconnectAfter.Milliseconds(),
	})
	e.retry = reconnectAfter
	return e
}

func newOwnEvent(kind string, fields any) *event { return newEvent(kind, encode(fields)) }

func encode(fields any) []byte {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings, booleans, numbers and valid raw JSON always marshal
	}
	return data
}
