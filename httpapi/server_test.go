package httpapi_test

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/httpapi"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/static"
)

// server is the whole API on a loopback port.
type server struct {
	*httptest.Server
	hub *sse.Hub
}

// setup says what a test's server is.
type setup struct {
	sse   sse.Options
	rooms rooms.Limits
	api   httpapi.Options
	http  func(*http.Server)

	enforcesExpiry bool // of permits
}

// newServer starts a server that ends with the test. What the usual setup does
// not say, others may.
func newServer(t testing.TB, options sse.Options, maxMembers int, others ...func(*setup)) *server {
	logger := cmp.Or(options.Logger, slog.New(slog.DiscardHandler))
	metrics := httpapi.NewMetrics()
	u := setup{
		sse:   options,
		rooms: rooms.Limits{Members: maxMembers},
		api: httpapi.Options{
			Logger:      logger,
			Metrics:     metrics,
			CORSOrigins: []string{"*"},
			Environment: "test",
			Port:        3002,
			Version:     signalingserver.Version,
			OpenAPI:     signalingserver.OpenAPI,
			Static:      static.Files,
		},
		http: func(*http.Server) {},
	}
	for _, other := range others {
		other(&u)
	}
	var members *rooms.Rooms
	var api *httpapi.API
	u.sse.OnEnd = func(socketID string, reason sse.Reason) {
		members.Remove(socketID, string(reason))
		api.Forget(socketID)
		metrics.SocketEnded(reason)
	}
	u.sse.OnRead, u.sse.OnDelivery = metrics.ReaderBegan, metrics.EventDelivered
	u.sse.ICEServers = httpapi.ICEServers(u.api.ICEServers)
	u.sse.OnPresence = func(socketID string) { members.Observe(socketID) }
	hub := sse.NewHub(u.sse)
	members = rooms.New(httpapi.Courier{Hub: hub}, u.rooms, logger)
	u.api.Hub, u.api.Rooms = hub, members
	api, err := httpapi.New(u.api)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { hub.Run(ctx) })
	if u.enforcesExpiry {
		running.Go(func() { members.Run(ctx) })
	}
	s := &server{httptest.NewUnstartedServer(api), hub}
	s.Config.ReadTimeout = time.Second
	s.Config.IdleTimeout = time.Minute
	u.http(s.Config)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		cancel()
		running.Wait()
	})
	return s
}
