package client_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/httpapi"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/static"
)

// patience is how long a test waits for what should be there at once.
const patience = 20 * time.Second

// server is a signaling server on a loopback port, behind a proxy that a test can
// make do as those between client and server do.
type server struct {
	URL string // of the proxy
	hub *sse.Hub
	cut func() // all connections to the proxy

	posts atomic.Int32 // requests that send events
	// meddle may answer a request in the server's place; it says whether it did.
	meddle atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newServer(t *testing.T, options sse.Options) *server {
	var members *rooms.Rooms
	var api *httpapi.API
	options.OnEnd = func(socketID string, reason sse.Reason) {
		members.Remove(socketID, string(reason))
		api.Forget(socketID)
	}
	options.OnPresence = func(socketID string) { members.Observe(socketID) }
	s := &server{hub: sse.NewHub(options)}
	logger := slog.New(slog.DiscardHandler)
	members = rooms.New(httpapi.Courier{Hub: s.hub}, rooms.Limits{Members: 100}, logger)
	api, err := httpapi.New(httpapi.Options{Hub: s.hub, Rooms: members, Logger: logger, Static: static.Files})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.hub.Run(ctx) })
	behind := httptest.NewServer(api)
	t.Cleanup(func() {
		behind.CloseClientConnections()
		behind.Close()
		cancel()
		running.Wait()
	})

	address, err := url.Parse(behind.URL)
	require.NoError(t, err)
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(address) },
		FlushInterval: -1,
		Transport:     transport,
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			s.posts.Add(1)
		}
		if meddle := s.meddle.Load(); meddle != nil && (*meddle)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		transport.CloseIdleConnections()
	})
	s.URL, s.cut = front.URL, front.CloseClientConnections
	return s
}

// between sets what the proxy does with requests.
func (s *server) between(meddle func(http.ResponseWriter, *http.Request) bool) {
	s.meddle.Store(&meddle)
}

// bot is a client that keeps what it hears until it is asked for.
type bot struct {
	*client.Client
	t      *testing.T
	events chan client.Event
	errs   chan error
}

// dial makes a bot that ends with the test.
func (s *server) dial(t *testing.T, options client.Options) *bot {
	t.Helper()
	c, err := options.Dial(t.Context(), s.URL)
	require.NoError(t, err)
	b := &bot{c, t, make(chan client.Event, 4096), make(chan error, 4096)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(b.events)
		for event, err := range c.Events() {
			if err != nil {
				b.errs <- err
				continue
			}
			b.events <- event
		}
	})
	t.Cleanup(func() {
		_ = c.Close() // the test may have done so, or have ended the socket
		reading.Wait()
	})
	next[client.ConnectedEvent](b)
	return b
}

func (b *bot) send(m client.Message) {
	b.t.Helper()
	require.NoError(b.t, b.Send(b.t.Context(), m))
}

func (b *bot) join(roomID, userID string) client.RoomJoinedEvent {
	b.t.Helper()
	require.NoError(b.t, b.Join(b.t.Context(), roomID, userID))
	return next[client.RoomJoinedEvent](b)
}

// next takes the bot's next event, which must be of this type.
func next[E client.Event](b *bot) E {
	b.t.Helper()
	select {
	case event, open := <-b.events:
		require.True(b.t, open, "the events have ended")
		require.IsType(b.t, *new(E), event)
		return event.(E)
	case <-time.After(patience):
		require.Fail(b.t, "no event")
		panic("unreachable")
	}
}

// ended makes sure that the bot hears no more.
func (b *bot) ended() {
	b.t.Helper()
	select {
	case event, open := <-b.events:
		require.False(b.t, open, "instead of the end: %v", event)
	case <-time.After(patience):
		require.Fail(b.t, "the events do not end")
	}
}
