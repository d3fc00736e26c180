package sse

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/internal/budget"
)

// What can stand in the way of an event or a stream.
var (
	ErrGone        = errors.New("sse: no such socket")
	ErrOverflow    = errors.New("sse: the outbox has no place for this")
	ErrDraining    = errors.New("sse: the server is shutting down")
	ErrAtCapacity  = errors.New("sse: no room for another socket")
	ErrTooMany     = errors.New("sse: too many sockets of one address")
	ErrOutOfBudget = errors.New("sse: the memory for clients is used up")
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
	// MaxSocketsPerNetwork bounds those that were opened from one network. 0: no
	// bound.
	MaxSocketsPerNetwork int
	// Outbox bounds what each socket holds.
	Outbox OutboxLimits
	// UnsentPerNetwork bounds the bytes of events that the sockets of one network
	// caused and that wait in all outboxes together. 0: no bound.
	UnsentPerNetwork int
	// Budget is charged for sockets, readers and events. When it is exceeded, the
	// sockets that hold the most unread end. Nil: no bound.
	Budget *budget.Budget
	// MayOpen is asked before a new socket is opened, however that comes about. Its
	// error is returned to the caller who serves. Nil: always.
	MayOpen func(network netip.Prefix) error
	// MayRead is asked before a living socket is read once more. Its error is
	// returned to the caller who serves. Nil: always.
	MayRead func(socketID string) error
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
		MayOpen:    func(netip.Prefix) error { return nil },
		MayRead:    func(string) error { return nil },
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

	retention time.Duration // how long what was written may be asked for again

	away atomic.Int64 // living sockets that are away

	relieved time.Time // when the budget's overrun was last looked after; Run owns it

	mu       sync.RWMutex // guards what follows; held for look-ups only
	sockets  map[string]*socket
	origins  map[netip.Prefix]*origin // networks that have sockets
	opened   uint64                   // sockets ever
	readers  int                      // streams and polls being served
	draining bool                     // no new sockets
	ending   []*socket                // ended, OnEnd not yet told; at most one entry a socket
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
	if o.MayOpen == nil {
		o.MayOpen = d.MayOpen
	}
	if o.MayRead == nil {
		o.MayRead = d.MayRead
	}
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
		options: o,
		engine:  newEngine(),
		started: time.Now(),
		// A client notices a mute stream within three heartbeats, the server a dead link
		// by a write that fails; then the client has the resume window.
		retention: 3*o.HeartbeatInterval + o.WriteTimeout + o.ResumeWindow,
		wake:      make(chan struct{}, 1),
		stopping:  make(chan struct{}),
		sockets:   make(map[string]*socket),
		origins:   make(map[netip.Prefix]*origin),
	}
}

// HeartbeatInterval is how long a stream may be silent.
func (h *Hub) HeartbeatInterval() time.Duration { return h.options.HeartbeatInterval }

// ResumeWindow is how long a socket outlives a dropped stream.
func (h *Hub) ResumeWindow() time.Duration { return h.options.ResumeWindow }

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

// register makes a new socket of a network known. It has its reader already: a
// socket is never seen without, and both are charged for.
func (h *Hub) register(s *socket, network netip.Prefix, by Transport) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	bound := h.options.MaxSocketsPerNetwork
	switch of := h.origins[network]; {
	case h.draining:
		return ErrDraining
	case len(h.sockets) >= h.options.MaxSockets:
		return ErrAtCapacity
	case bound > 0 && of != nil && of.sockets >= bound:
		return ErrTooMany
	case !h.options.Budget.TakeFor(network, socketBytes+by.bytes()):
		return ErrOutOfBudget
	}
	s.origin = h.join(network)
	h.sockets[s.id] = s
	h.opened++
	return nil
}
