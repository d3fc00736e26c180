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

	"go.opentelemetry.io/otel/trace"

	"signaling-server/internal/budget"
)

// The errors of a [Hub].
var (
	// ErrGone: the socket has ended, or never existed.
	ErrGone = errors.New("sse: no living socket has this ID")
	// ErrOverflow: the outbox, or the sender's share of it, is full.
	ErrOverflow = errors.New("sse: the outbox has no place for this event")
	// ErrDraining: [Hub.Drain] was called.
	ErrDraining = errors.New("sse: the server is shutting down")
	// ErrAtCapacity: as many sockets live as [Options].MaxSockets allows.
	ErrAtCapacity = errors.New("sse: the server has as many sockets as it may have")
	// ErrTooMany: as many sockets of the network live as
	// [Options].MaxSocketsPerNetwork allows.
	ErrTooMany = errors.New("sse: the network has as many sockets as it may have")
	// ErrOutOfBudget: [Options].Budget, or the network's half of it, is used up.
	ErrOutOfBudget = errors.New("sse: the memory for clients is used up")
)

// Options configure a [Hub]. For zero durations, limits and functions, and for a nil
// Logger, the hub takes the values of [DefaultOptions].
//
// Unless a function says otherwise, any goroutine may call it, several may call it at
// once, and none of the hub's locks is held meanwhile.
type Options struct {
	// HeartbeatInterval is how long a stream may be silent: then it sends a heartbeat.
	HeartbeatInterval time.Duration
	// ResumeWindow is how long a socket lives without a reader.
	ResumeWindow time.Duration
	// AwayAfter is how long a socket has no reader before it counts as away.
	AwayAfter time.Duration
	// WriteTimeout bounds each write to a connection. A stream or poll whose write takes
	// longer ends, and its socket may still resume.
	WriteTimeout time.Duration
	// MaxSockets bounds the number of sockets that live at once.
	MaxSockets int
	// MaxSocketsPerNetwork bounds the number of living sockets that were opened from one
	// network. 0: no bound.
	MaxSocketsPerNetwork int
	// Outbox bounds what each socket holds.
	Outbox OutboxLimits
	// UnsentPerNetwork bounds the bytes of unsent events that the sockets of one network
	// caused, in all outboxes together. An event counts once, however many outboxes hold
	// it. 0: no bound.
	UnsentPerNetwork int
	// Budget is charged for sockets, readers and events. When it is exceeded, the
	// sockets that hold the most unread end. Nil: no bound.
	Budget *budget.Budget
	// MayOpen is called before a new socket is opened, also for a request that could not
	// resume. An error refuses the socket, and is returned to the caller of
	// [Hub.ServeStream] or [Hub.ServePoll]. Nil: nothing is refused.
	MayOpen func(network netip.Prefix) error
	// MayRead is called before a stream or poll of a living socket begins. An error
	// refuses it, and is returned to the caller of [Hub.ServeStream] or [Hub.ServePoll].
	// Nil: nothing is refused.
	MayRead func(Ref) error
	// Parking takes the connections of streams away from net/http. Nil: each stream has the
	// goroutine of its handler.
	Parking Parking
	// ICEServers returns the member iceServers of an event connected: the servers
	// through which the client may reach its peers. It is a JSON array, or nil to leave
	// the member out. ICEServers is called for each event connected.
	ICEServers func(socketID string) json.RawMessage
	// Log carries the commands of several nodes. Nil: there is one node, and what happens here
	// changes the state at once.
	Log Log
	// Node is the name of this node among those of the log.
	Node string
	// HandsOver says that another process goes on with the state when this one stops, if there
	// is no log. So [Hub.Drain] ends readers, and no socket.
	HandsOver bool
	// Now returns the time of what happens to the sockets. Nil: [time.Now].
	Now func() time.Time
	// Elapsed returns a time that never goes back. By it the hub measures how long an event
	// waits in an outbox. Nil: the time since [NewHub].
	Elapsed func() time.Duration
	// NewState makes what the hub keeps with a new socket for its owner: see [Ref.State]. So
	// the owner needs no register of sockets of its own. If it is an [encoding.BinaryAppender]
	// and an [encoding.BinaryUnmarshaler], it is a part of [Hub.AppendSnapshot]. Nil: nothing
	// is kept.
	NewState func() any
	// OnEnd is called once for each socket that has ended, when nothing more can be
	// delivered to it.
	OnEnd func(r Ref, reason Reason)
	// OnPresence is called for each socket that went away or came back. Call
	// [Hub.IsAway] to learn which: the socket may have changed again since.
	OnPresence func(socketID string)
	// OnRead is called for each stream and poll that begins.
	OnRead func(Transport)
	// OnResume is called for each request for a stream or poll that names a position. It is
	// called with false if the socket cannot go on from there: the client needs a new socket.
	OnResume func(t Transport, resumed bool)
	// OnDelivery is called with the time that an event waited in an outbox until it was
	// first written, and with the trace of the POST that caused the event; zero: there is none.
	// The caller holds a socket's lock: OnDelivery must return at once, and not call the hub.
	OnDelivery func(waited time.Duration, of trace.TraceID)
	// Logger logs each socket that opens, resumes and ends.
	Logger *slog.Logger
	// Logs reports whether the end of a socket is logged here. If several nodes apply it, one of
	// them logs it. Nil: each end is logged.
	Logs func() bool
}

// DefaultOptions returns the values that [NewHub] takes for options that are zero. The
// protocol's promises about time, in docs/protocol.md, are made for these values.
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
		MayRead:    func(Ref) error { return nil },
		ICEServers: func(string) json.RawMessage { return nil },
		Now:        time.Now,
		NewState:   func() any { return nil },
		OnEnd:      func(Ref, Reason) {},
		OnPresence: func(string) {},
		OnRead:     func(Transport) {},
		OnResume:   func(Transport, bool) {},
		OnDelivery: func(time.Duration, trace.TraceID) {},
		Logs:       func() bool { return true },
		Logger:     slog.New(slog.DiscardHandler),
	}
}

// Hub holds all sockets. Any goroutine may call its methods at once.
type Hub struct {
	// set once
	options   Options
	engine    *engine
	started   time.Time
	retention time.Duration // how long a written event may be asked for again
	logTime   logTime
	wake      chan struct{} // holds a value when something was left to Run
	stopping  chan struct{} // closed when draining begins

	away   atomic.Int64                  // living sockets that are away
	queued atomic.Pointer[link]          // the links that have something to write: see Flush
	lanes  atomic.Pointer[[]*sharedLane] // nil unless Run is running

	heartbeat atomic.Pointer[sharedHeartbeat] // nil: there was none yet

	snapshotSize snapshotSize // owned by the caller of Snapshot

	// owned by the goroutine of Run
	trimmed  time.Time // when a command to trim all outboxes was last proposed
	relieved time.Time // when memory was last freed because the budget was exceeded

	mu       sync.RWMutex             // guards what follows; held for look-ups only
	sockets  map[string]*socket       // living sockets, by their ID
	origins  map[netip.Prefix]*origin // networks that have sockets or unsent events
	opened   uint64                   // how many sockets were ever opened
	readers  int                      // streams and polls that are being served
	draining bool                     // no new sockets are accepted
	arrivals map[Attachment]*arrival  // readers here whose attachments are on their way through the log
	writers  []*socket                // sockets whose readers here have written since Written was called
	ended    []*socket                // sockets that Run must forget; a socket is in it at most once
	changed  []*socket                // sockets that Run must look at; a socket is in it at most once
}

// NewHub returns a hub without sockets. Heartbeats and expiry need [Hub.Run] to run.
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
	if o.Now == nil {
		o.Now = d.Now
	}
	if o.NewState == nil {
		o.NewState = d.NewState
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
	if o.OnResume == nil {
		o.OnResume = d.OnResume
	}
	if o.OnDelivery == nil {
		o.OnDelivery = d.OnDelivery
	}
	if o.Logs == nil {
		o.Logs = d.Logs
	}
	o.Logger = cmp.Or(o.Logger, d.Logger)
	h := &Hub{
		options:  o,
		engine:   newEngine(),
		started:  time.Now(),
		wake:     make(chan struct{}, 1),
		stopping: make(chan struct{}),
		sockets:  make(map[string]*socket),
		origins:  make(map[netip.Prefix]*origin),
		arrivals: make(map[Attachment]*arrival),
	}
	// The server notices a dead link when a write times out. Then the client has the resume window.
	h.retention = h.untilNoticed() + o.WriteTimeout + o.ResumeWindow
	if h.options.Elapsed == nil {
		h.options.Elapsed = h.clock
	}
	return h
}

// untilNoticed is how long a client may take to notice a mute stream: three heartbeats.
func (h *Hub) untilNoticed() time.Duration { return 3 * h.options.HeartbeatInterval }

// HeartbeatInterval returns [Options].HeartbeatInterval.
func (h *Hub) HeartbeatInterval() time.Duration { return h.options.HeartbeatInterval }

// ResumeWindow returns [Options].ResumeWindow.
func (h *Hub) ResumeWindow() time.Duration { return h.options.ResumeWindow }

// MaxSockets returns [Options].MaxSockets.
func (h *Hub) MaxSockets() int { return h.options.MaxSockets }

// End ends a socket at once. If the reason is SlowConsumer or Kicked, the client
// receives the reason in disconnected. OnEnd has returned when End returns. End does
// nothing if the socket has ended already.
func (h *Hub) End(socketID string, reason Reason) {
	h.end(socketID, reason, "")
}

// Kick ends a socket on behalf of an operator. Its client receives the operator's
// explanation as the detail of disconnected. It returns false if the socket had ended
// already.
func (h *Hub) Kick(socketID, why string) bool { return h.end(socketID, Kicked, why) }

func (h *Hub) end(socketID string, reason Reason, detail string) bool {
	s := h.socket(socketID)
	if s == nil || !s.end(reason, detail) {
		return false
	}
	h.forget(s)
	h.Flush()
	return true
}

// Info describes one living socket. The second result is false if the socket has
// ended.
func (h *Hub) Info(socketID string) (Info, bool) {
	s := h.socket(socketID)
	if s == nil {
		return Info{}, false
	}
	return s.info(), true
}

// IsAway reports whether a socket has had no reader for a while but may still resume,
// and whether it lives. If the socket has ended, both results are false, even if OnEnd
// has not been called yet.
func (h *Hub) IsAway(socketID string) (away, lives bool) {
	s := h.socket(socketID)
	if s == nil {
		return false, false
	}
	return s.isAway()
}

// Counts returns how many sockets live, how many of them are away, and how many were
// ever opened.
func (h *Hub) Counts() (active, away int, total uint64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.sockets), int(h.away.Load()), h.opened
}

// clock returns the time since the hub was created. A Duration takes 8 bytes, a
// time.Time 24, and the time since a start is cheaper to read. What happens to the state of a
// socket is measured by [Options].Elapsed instead.
func (h *Hub) clock() time.Duration { return time.Since(h.started) }

// outlives reports whether the sockets live on when this process stops.
func (h *Hub) outlives() bool { return h.isReplicated() || h.options.HandsOver }

// socket returns the living socket with an ID, or nil.
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

// register adds a new socket that was opened from a network. The socket must have its reader
// already, so that nobody sees a socket without a transport. The argument charge charges for
// the socket's bytes, and returns false if the budget has no room for them.
func (h *Hub) register(s *socket, network netip.Prefix, charge func(bytes int) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	bound := h.options.MaxSocketsPerNetwork
	switch of := h.origins[network]; {
	case h.draining && !h.isReplicated():
		return ErrDraining
	case len(h.sockets) >= h.options.MaxSockets:
		return ErrAtCapacity
	case bound > 0 && of != nil && of.sockets >= bound:
		return ErrTooMany
	case !charge(socketBytes):
		return ErrOutOfBudget
	}
	s.origin = h.countSocket(network)
	h.sockets[s.id] = s
	h.opened++
	return nil
}
