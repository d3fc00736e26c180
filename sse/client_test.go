package sse_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
	"signaling-server/sse"
)

// client is one response of a hub, read without a network: what the hub has flushed has
// arrived. A test can make the connection stall, as if the peer read nothing.
type client struct {
	t        *testing.T
	hangUp   context.CancelFunc
	returned chan struct{} // closed when the hub has returned or, if it has parked the connection, when it has closed that
	err      error         // the hub's error; read it after returned is closed

	header   http.Header
	onHeader func() // called when the engine asks for the header, before it registers its reader

	mu              sync.Mutex // guards what follows
	status          int
	unflushed       []byte
	arrived         []byte
	flushes         int
	stalled         chan struct{} // writes wait until it is closed; nil: they do not wait
	deadline        time.Time
	deadlineChanged chan struct{}
	broken          error         // not nil: writes fail with it
	panics          any           // not nil: writes panic with it
	pace            time.Duration // how long each write takes
	isParked        bool
}

// takesTimeForAWrite makes each write take time, as over a slow link.
func (c *client) takesTimeForAWrite(pace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace = pace
}

// infos describes all living sockets.
func infos(hub *sse.Hub) (all []sse.Info) {
	for s := range hub.Sockets() {
		all = append(all, s.Info())
	}
	return all
}

// connect opens a stream, from a position or, if that is nil, as a new socket.
func connect(t *testing.T, hub *sse.Hub, position *sse.EventID) *client {
	return connectTo(t, hub, position, httptest.NewRequest(http.MethodGet, "/events", nil), func(*client) {})
}

// connectTo is connect with a request and a chance to prepare the client.
func connectTo(t *testing.T, hub *sse.Hub, position *sse.EventID, r *http.Request, prepare func(*client)) *client {
	return request(t, r, prepare, func(w http.ResponseWriter, r *http.Request) error {
		return hub.ServeStream(w, r, position, sse.Client{IP: "192.0.2.1", UserAgent: "test"})
	})
}

// request makes serve answer a request, and returns the client that reads the answer.
func request(t *testing.T, r *http.Request, prepare func(*client), serve func(http.ResponseWriter, *http.Request) error) *client {
	ctx, cancel := context.WithCancel(t.Context())
	c := &client{
		t:               t,
		hangUp:          cancel,
		returned:        make(chan struct{}),
		header:          http.Header{},
		deadlineChanged: make(chan struct{}, 1),
	}
	prepare(c)
	go func() { // ends with the response; disconnect waits for it
		defer func() {
			if !c.isParked {
				close(c.returned)
			}
		}()
		defer func() {
			if p := recover(); p != nil && p != c.panics {
				panic(p)
			}
		}()
		if err := serve(c, r.WithContext(ctx)); !c.isParked {
			c.err = err
		}
	}()
	return c
}

// disconnect drops the connection, and waits until the hub has noticed.
func (c *client) disconnect() {
	c.hangUp()
	<-c.returned
}

func (c *client) Header() http.Header {
	if c.onHeader != nil {
		c.onHeader()
	}
	return c.header
}

func (c *client) WriteHeader(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

func (c *client) Write(part []byte) (int, error) {
	c.mu.Lock()
	pace := c.pace
	c.mu.Unlock()
	time.Sleep(pace)
	for {
		c.mu.Lock()
		stalled, deadline := c.stalled, c.deadline
		if c.panics != nil {
			c.mu.Unlock()
			panic(c.panics)
		}
		if c.broken != nil || stalled == nil {
			defer c.mu.Unlock()
			c.unflushed = append(c.unflushed, part...)
			return len(part), c.broken
		}
		c.mu.Unlock()
		var expired <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-stalled:
			c.mu.Lock()
			c.stalled = nil
			c.mu.Unlock()
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-c.deadlineChanged:
		}
	}
}

func (c *client) FlushError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived = append(c.arrived, c.unflushed...)
	c.unflushed = nil
	c.flushes++
	return c.broken
}

func (c *client) SetWriteDeadline(deadline time.Time) error {
	c.mu.Lock()
	c.deadline = deadline
	c.mu.Unlock()
	select {
	case c.deadlineChanged <- struct{}{}:
	default:
	}
	return nil
}

// stall makes writes wait until the returned function is called.
func (c *client) stall() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stalled := make(chan struct{})
	c.stalled = stalled
	return func() { close(stalled) }
}

// received is one event as a client reads it.
type received struct{ ssetest.Event }

func (r received) member(name string) any {
	var object map[string]any
	if json.Unmarshal([]byte(r.Data), &object) != nil {
		return nil
	}
	return object[name]
}

// events returns the events that have arrived. Each frame must be whole.
func (c *client) events() []received {
	c.mu.Lock()
	text := string(c.arrived)
	c.mu.Unlock()
	return parse(c.t, text)
}

func parse(t *testing.T, text string) (all []received) {
	events, err := ssetest.ReadAll(strings.NewReader(text))
	require.NoError(t, err, "%q", text)
	for _, e := range events {
		all = append(all, received{e})
	}
	return all
}

// position returns the id of the last event that the client saw.
func (c *client) position() *sse.EventID {
	events := c.events()
	require.NotEmpty(c.t, events)
	id, ok := sse.ParseEventID(events[len(events)-1].ID)
	require.True(c.t, ok)
	return &id
}

// socketID returns the socket ID that connected named.
func (c *client) socketID() string {
	events := c.events()
	require.NotEmpty(c.t, events)
	require.Equal(c.t, "connected", events[0].Type)
	return events[0].member("socketId").(string)
}

// resumed reports whether connected says that the socket was resumed.
func (c *client) resumed() bool {
	events := c.events()
	require.NotEmpty(c.t, events)
	return events[0].member("resumed").(bool)
}

// heard returns the data of the delivered events, without the events that a stream adds
// itself.
func (c *client) heard() []string {
	var data []string
	for _, e := range c.events() {
		switch e.Type {
		case "connected", "heartbeat", "disconnected", "server-shutdown":
		default:
			data = append(data, e.Data)
		}
	}
	return data
}

// lastWord returns the type and reason of the last event.
func (c *client) lastWord() (kind string, reason any) {
	events := c.events()
	require.NotEmpty(c.t, events)
	last := events[len(events)-1]
	return last.Type, last.member("reason")
}
