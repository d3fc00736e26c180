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

// newServer starts a server that ends with the test.
func newServer(t testing.TB, options sse.Options, maxMembers int) *server {
	return newServerFor(t, options, maxMembers, "*")
}

// newServerFor starts a server that the pages of some origins may use.
func newServerFor(t testing.TB, options sse.Options, maxMembers int, origins ...string) *server {
	return startServer(t, options, maxMembers, origins, func(*http.Server) {})
}

// newServerWith starts a server with settings of net/http's.
func newServerWith(t testing.TB, options sse.Options, set func(*http.Server)) *server {
	return startServer(t, options, 100, []string{"*"}, set)
}

func startServer(t testing.TB, options sse.Options, maxMembers int, origins []string, set func(*http.Server)) *server {
	logger := cmp.Or(options.Logger, slog.New(slog.DiscardHandler))
	var members *rooms.Rooms
	var api *httpapi.API
	metrics := httpapi.NewMetrics()
	options.OnEnd = func(socketID string, reason sse.Reason) {
		members.Remove(socketID, string(reason))
		api.Forget(socketID)
		metrics.SocketEnded(reason)
	}
	options.OnRead, options.OnDelivery = metrics.ReaderBegan, metrics.EventDelivered
	options.OnPresence = func(socketID string) { members.Observe(socketID) }
	hub := sse.NewHub(options)
	members = rooms.New(httpapi.Courier{Hub: hub}, rooms.Limits{Members: maxMembers}, logger)
	var err error
	api, err = httpapi.New(httpapi.Options{
		Hub:         hub,
		Rooms:       members,
		Logger:      logger,
		Metrics:     metrics,
		CORSOrigins: origins,
		Environment: "test",
		Port:        3002,
		Version:     signalingserver.Version,
		OpenAPI:     signalingserver.OpenAPI,
		Static:      static.Files,
	})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { hub.Run(ctx) })
	s := &server{httptest.NewUnstartedServer(api), hub}
	s.Config.ReadTimeout = time.Second
	s.Config.IdleTimeout = time.Minute
	set(s.Config)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		cancel()
		running.Wait()
	})
	return s
}
