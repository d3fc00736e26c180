package sse

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
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
	// WriteTimeout bounds each write to a connection.
	WriteTimeout time.Duration
	// MaxSockets bounds the sockets that live at once.
	MaxSockets int
	// Outbox bounds what each socket holds.
	Outbox OutboxLimits
	// OnEnd is told of each socket that has ended, and why: once, when nothing
	// more can be delivered to it, with none of the hub's locks held. It may be
	// called by several goroutines at once.
	OnEnd func(socketID string, reason Reason)
	// Logger is told of sockets that come and go.
	Logger *slog.Logger
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options {
	return Options{
		HeartbeatInterval: 10 * time.Second,
		ResumeWindow:      10 * time.Second,
		WriteTimeout:      8 * time.Second,
		MaxSockets:        20_000,
		Outbox: OutboxLimits{
			UnsentEvents:   4096,
			UnsentBytes:    4 << 20,
			RetainedEvents: 4096,
			RetainedBytes:  1 << 20,
		},
		OnEnd:  func(string, Reason) {},
		Logger: slog.New(slog.DiscardHandler),
	}
}

// Hub holds all sockets. Its methods may be called by any goroutine.
type Hub struct {
	// set once
	options Options
	engine  *engine
	started time.Time
	wake    chan struct{} // there is something in ending

	mu       sync.RWMutex // guards what follows; held for look-ups only
	sockets  map[string]*socket
	opened   uint64        // sockets ever
	streams  int           // streams being served
	draining bool          // no new streams
	drained  chan struct{} // closed when draining and the last stream is gone
	ending   []*socket     // ended, OnEnd not yet told; at most one entry a socket
}

// NewHub makes a hub. [Hub.Run] must run for its heartbeats and expiry.
func NewHub(o Options) *Hub {
	d := DefaultOptions()
	o.HeartbeatInterval = orDefault(o.HeartbeatInterval, d.HeartbeatInterval)
	o.ResumeWindow = orDefault(o.ResumeWindow, d.ResumeWindow)
	o.WriteTimeout = orDefault(o.WriteTimeout, d.WriteTimeout)
	o.MaxSockets = orDefault(o.MaxSockets, d.MaxSockets)
	o.Outbox = orDefault(o.Outbox, d.Outbox)
	if o.OnEnd == nil {
		o.OnEnd = d.OnEnd
	}
	o.Logger = orDefault(o.Logger, d.Logger)
	return &Hub{
		options: o,
		engine:  newEngine(),
		started: time.Now(),
		wake:    make(chan struct{}, 1),
		sockets: make(map[string]*socket),
		drained: make(chan struct{}),
	}
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

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
	return s.deliver(event{kind: kind, data: data})
}

// Pong answers a socket's ping: it puts an event with the server's time into
// the socket's outbox. The errors are those of [Hub.Deliver].
func (h *Hub) Pong(socketID string) error {
	s := h.socket(socketID)
	if s == nil {
		return ErrGone
	}
	return s.deliver(newPong())
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
	if s := h.socket(socketID); s != nil && s.end(reason) {
		h.bury(s)
	}
}

// Info describes one living socket.
func (h *Hub) Info(socketID string) (Info, bool) {
	s := h.socket(socketID)
	if s == nil {
		return Info{}, false
	}
	return s.info(), true
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

// Counts tells how many sockets live, and how many there ever were.
func (h *Hub) Counts() (active int, total uint64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.sockets), h.opened
}

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

// open makes a new socket.
func (h *Hub) open() (*socket, error) {
	s := newSocket(h, NewToken())
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.draining:
		return nil, ErrDraining
	case len(h.sockets) >= h.options.MaxSockets:
		return nil, ErrAtCapacity
	}
	h.sockets[s.id] = s
	h.opened++
	return s, nil
}

// bury forgets a socket that has ended, and tells of it. Why it ended is written
// once, before this is called.
func (h *Hub) bury(s *socket) {
	h.mu.Lock()
	delete(h.sockets, s.id)
	h.mu.Unlock()
	h.options.Logger.Info("socket disconnected", "socketId", s.id, "reason", string(s.ended), "after", time.Since(s.connectedAt).Round(time.Millisecond))
	h.options.OnEnd(s.id, s.ended)
}

// endLater leaves the burial of a socket that has just ended to Run: whoever
// overflowed its outbox may hold locks that OnEnd needs.
func (h *Hub) endLater(s *socket) {
	h.mu.Lock()
	h.ending = append(h.ending, s)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default: // Run has been woken already
	}
}

// Run sends heartbeats and ends the sockets whose resume window has run out,
// until ctx is done.
func (h *Hub) Run(ctx context.Context) {
	ticker := time.NewTicker(h.tickInterval())
	defer ticker.Stop()
	var sockets []*socket
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			h.buryEnding()
		case now := <-ticker.C:
			sockets = h.snapshot(sockets[:0])
			for _, s := range sockets {
				if s.beatOrExpire(now) {
					h.bury(s)
				}
			}
			clear(sockets)
		}
	}
}

// tickInterval is how often all sockets are looked at: often enough that what
// is due is late by a tenth at most.
func (h *Hub) tickInterval() time.Duration {
	finest := min(h.options.HeartbeatInterval, h.options.ResumeWindow) / 10
	return min(max(finest, time.Millisecond), time.Second)
}

func (h *Hub) buryEnding() {
	h.mu.Lock()
	ending := h.ending
	h.ending = nil
	h.mu.Unlock()
	for _, s := range ending {
		h.bury(s)
	}
}

// ServeStream serves one stream: of the socket that position names, or of a
// new one where position is nil or cannot be gone on from. It returns when the
// stream has ended. With [ErrDraining] or [ErrAtCapacity] nothing was written.
// While it runs the request has no header.
func (h *Hub) ServeStream(w http.ResponseWriter, r *http.Request, position *EventID, c Client) error {
	st, err := h.openStream(w, r, position, c)
	if err != nil {
		return err
	}
	defer h.closeStream(st)
	r.Header = nil // up to 2 KB that nobody reads while the stream lives
	st.lane.serve(st.writer, st.request)
	if p := st.writer.panicked; p != nil {
		panic(p)
	}
	return nil
}

// openStream attaches a stream to its socket, and waits until the one before it
// has ended: two streams of one socket never both deliver.
func (h *Hub) openStream(w http.ResponseWriter, r *http.Request, position *EventID, c Client) (*stream, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	st, before, err := h.attach(w, r, position, c)
	if err != nil {
		h.leave()
		return nil, err
	}
	if before != nil {
		<-before.done
	}
	return st, nil
}

// closeStream ends a stream's stay. Only when the engine has let go of it is it
// done, and only then is its socket away.
func (h *Hub) closeStream(st *stream) {
	st.close()
	st.socket.detach(st)
	h.leave()
}

// attach finds or makes the socket for a stream.
func (h *Hub) attach(w http.ResponseWriter, r *http.Request, position *EventID, c Client) (st, before *stream, err error) {
	if position != nil {
		if s := h.socket(position.Token.SocketID()); s != nil {
			st = newStream(s, w, r)
			st.open(true)
			if before, ok := s.attach(st, position.Sequence, c); ok {
				h.options.Logger.Info("stream resumed", "socketId", s.id, "ip", c.IP)
				return st, before, nil
			}
			st.close()
			h.End(s.id, TransportClose) // it could not be resumed: no ghost of it stays
		}
	}
	s, err := h.open()
	if err != nil {
		return nil, nil, err
	}
	st = newStream(s, w, r)
	st.open(false)
	if _, ok := s.attach(st, 0, c); !ok {
		st.close()
		return nil, nil, ErrDraining // nothing else can end a socket whose token nobody knows
	}
	h.options.Logger.Info("socket connected", "socketId", s.id, "ip", c.IP)
	return st, nil, nil
}

func (h *Hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return ErrDraining
	}
	h.streams++
	return nil
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	if h.draining && h.streams == 0 {
		close(h.drained)
	}
}

// Draining tells whether [Hub.Drain] was called.
func (h *Hub) Draining() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.draining
}

// Drain refuses new streams and events from now on. Every stream writes what
// was accepted, then server-shutdown with a time of its own to come back
// after, and ends. Drain returns when the last is gone, or with the context's
// error when that is done first. It is called once.
func (h *Hub) Drain(ctx context.Context) error {
	h.mu.Lock()
	h.draining = true
	if h.streams == 0 {
		close(h.drained)
	}
	h.mu.Unlock()

	within := h.options.WriteTimeout
	if deadline, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(deadline))
	}
	for _, s := range h.snapshot(nil) {
		s.seal(newServerShutdown(ReconnectAfter()), within)
	}
	select {
	case <-h.drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReconnectAfter draws how long a client that was sent away is to wait: 1 to 6
// seconds, so that not all come back at once.
func ReconnectAfter() time.Duration {
	return time.Second + rand.N(5*time.Second)
}
