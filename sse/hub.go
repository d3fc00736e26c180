package sse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// What can stand in the way of an event or a stream.
var (
	ErrGone       = errors.New("sse: no such socket")
	ErrOverflow   = errors.New("sse: the socket's outbox is full")
	ErrDraining   = errors.New("sse: the server is shutting down")
	ErrAtCapacity = errors.New("sse: no room for another socket")
)

// Options configure a [Hub]. Zero durations, limits and functions take the
// defaults of [DefaultOptions].
type Options struct {
	// HeartbeatInterval is how long a stream may be silent.
	HeartbeatInterval time.Duration
	// ResumeWindow is how long a socket outlives a dropped stream.
	ResumeWindow time.Duration
	// AwayAfter is how long a socket may have no reader before it counts as away.
	AwayAfter time.Duration
	// WriteTimeout bounds each write to a connection.
	WriteTimeout time.Duration
	// MaxSockets bounds the sockets that live at once.
	MaxSockets int
	// Outbox bounds what each socket holds.
	Outbox OutboxLimits
	// ICEServers is asked, for each connected, through which servers the socket's
	// client may reach its peers: a JSON array, or nil to say nothing of them. It may
	// be called by several goroutines at once.
	ICEServers func(socketID string) json.RawMessage
	// OnEnd is told of each socket that has ended, and why: once, when nothing
	// more can be delivered to it, with none of the hub's locks held. It may be
	// called by several goroutines at once.
	OnEnd func(socketID string, reason Reason)
	// OnPresence is told of each socket that went away or came back, with none of
	// the hub's locks held: it may ask [Hub.IsAway] which. It may be called by
	// several goroutines at once, and be late.
	OnPresence func(socketID string)
	// OnRead is told of each stream and poll that begins. It may be called by
	// several goroutines at once.
	OnRead func(Transport)
	// OnDelivery is told how long each event waited in an outbox until it was first
	// written. It may be called by several goroutines at once, each of which holds
	// a socket's lock: it must return at once, and not call the hub.
	OnDelivery func(waited time.Duration)
	// Logger is told of sockets that come and go.
	Logger *slog.Logger
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options {
	return Options{
		HeartbeatInterval: 10 * time.Second,
		ResumeWindow:      10 * time.Second,
		AwayAfter:         3 * time.Second,
		WriteTimeout:      8 * time.Second,
		MaxSockets:        20_000,
		Outbox: OutboxLimits{
			UnsentEvents:   4096,
			UnsentBytes:    4 << 20,
			RetainedEvents: 4096,
			RetainedBytes:  1 << 20,
		},
		ICEServers: func(string) json.RawMessage { return nil },
		OnEnd:      func(string, Reason) {},
		OnPresence: func(string) {},
		OnRead:     func(Transport) {},
		OnDelivery: func(time.Duration) {},
		Logger:     slog.New(slog.DiscardHandler),
	}
}

// Hub holds all sockets. Its methods may be called by any goroutine.
type Hub struct {
	// set once
	options  Options
	engine   *engine
	started  time.Time
	wake     chan struct{} // there is something in ending
	stopping chan struct{} // closed when draining begins

	away atomic.Int64 // living sockets that are away

	mu       sync.RWMutex // guards what follows; held for look-ups only
	sockets  map[string]*socket
	opened   uint64    // sockets ever
	readers  int       // streams and polls being served
	draining bool      // no new sockets
	ending   []*socket // ended, OnEnd not yet told; at most one entry a socket
}

// NewHub makes a hub. [Hub.Run] must run for its heartbeats and expiry.
func NewHub(o Options) *Hub {
	d := DefaultOptions()
	o.HeartbeatInterval = cmp.Or(o.HeartbeatInterval, d.HeartbeatInterval)
	o.ResumeWindow = cmp.Or(o.ResumeWindow, d.ResumeWindow)
	o.AwayAfter = cmp.Or(o.AwayAfter, d.AwayAfter)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, d.WriteTimeout)
	o.MaxSockets = cmp.Or(o.MaxSockets, d.MaxSockets)
	o.Outbox = cmp.Or(o.Outbox, d.Outbox)
	if o.ICEServers == nil {
		o.ICEServers = d.ICEServers
	}
	if o.OnEnd == nil {
		o.OnEnd = d.OnEnd
	}
	if o.OnPresence == nil {
		o.OnPresence = d.OnPresence
	}
	if o.OnRead == nil {
		o.OnRead = d.OnRead
	}
	if o.OnDelivery == nil {
		o.OnDelivery = d.OnDelivery
	}
	o.Logger = cmp.Or(o.Logger, d.Logger)
	return &Hub{
		options:  o,
		engine:   newEngine(),
		started:  time.Now(),
		wake:     make(chan struct{}, 1),
		stopping: make(chan struct{}),
		sockets:  make(map[string]*socket),
	}
}

// HeartbeatInterval is how long a stream may be silent.
func (h *Hub) HeartbeatInterval() time.Duration { return h.options.HeartbeatInterval }

// ResumeWindow is how long a socket outlives a dropped stream.
func (h *Hub) ResumeWindow() time.Duration { return h.options.ResumeWindow }

// Deliver puts an event into a socket's outbox; kind is its type and data one
// JSON object on one line, which must not be changed afterwards. It never
// blocks. The error is [ErrGone], [ErrOverflow] (which ends the socket) or
// [ErrDraining]; without one the event will reach the client, unless the socket
// ends first.
func (h *Hub) Deliver(socketID, kind string, data []byte) error {
	mustBeOneLine(data)
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	return s.deliver(kind, data)
}

// Pong answers a socket's ping: it puts an event with the server's time into
// the socket's outbox. The errors are those of [Hub.Deliver].
func (h *Hub) Pong(socketID string) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	pong := newPong()
	return s.deliver(pong.kind, pong.data)
}

// mustBeOneLine panics on data that would break a stream: the engine ends it on
// empty data, takes a leading colon for a comment, and a line end would begin a
// field of the sender's choice.
func mustBeOneLine(data []byte) {
	if len(data) == 0 || data[0] != '{' || bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		panic("sse: an event's data must be a JSON object on one line")
	}
}

// Authenticate tells which living socket a token speaks for.
func (h *Hub) Authenticate(t Token) (socketID string, ok bool) {
	id := t.SocketID()
	return id, h.socket(id) != nil
}

// End ends a socket at once, and tells OnEnd before it returns. It does nothing
// where the socket has ended already.
func (h *Hub) End(socketID string, reason Reason) {
	h.end(socketID, reason, "")
}

// Kick ends a socket for an operator, whose words of why its client is told. It
// says whether the socket still lived.
func (h *Hub) Kick(socketID, why string) bool { return h.end(socketID, Kicked, why) }

func (h *Hub) end(socketID string, reason Reason, detail string) bool {
	s := h.socket(socketID)
	if s == nil || !s.end(reason, detail) {
		return false
	}
	h.bury(s)
	return true
}

// Info describes one living socket.
func (h *Hub) Info(socketID string) (Info, bool) {
	s := h.socket(socketID)
	if s == nil {
		return Info{}, false
	}
	return s.info(), true
}

// IsAway tells whether a socket lives, and whether nobody has read it for a while.
// One whose outbox was full lives no more, though OnEnd may not have been told yet.
func (h *Hub) IsAway(socketID string) (away, lives bool) {
	s := h.socket(socketID)
	if s == nil {
		return false, false
	}
	return s.isAway()
}

// Infos describes all living sockets, in no order.
func (h *Hub) Infos() []Info {
	sockets := h.snapshot(nil)
	infos := make([]Info, len(sockets))
	for i, s := range sockets {
		infos[i] = s.info()
	}
	return infos
}

// Counts tells how many sockets live, how many of them are away, and how many
// there ever were.
func (h *Hub) Counts() (active, away int, total uint64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.sockets), int(h.away.Load()), h.opened
}

// clock tells the time since the hub was made, which takes half the memory and
// the time of a time.Time.
func (h *Hub) clock() time.Duration { return time.Since(h.started) }

func (h *Hub) socket(id string) *socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.sockets[id]
}

// snapshot appends all sockets to buf.
func (h *Hub) snapshot(buf []*socket) []*socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range h.sockets {
		buf = append(buf, s)
	}
	return buf
}

// register makes a new socket known. It has its reader already: a socket is
// never seen without.
func (h *Hub) register(s *socket) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.draining:
		return ErrDraining
	case len(h.sockets) >= h.options.MaxSockets:
		return ErrAtCapacity
	}
	h.sockets[s.id] = s
	h.opened++
	return nil
}
