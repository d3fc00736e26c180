package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/server"
	"signaling-server/sse"
)

// patience is how long a test waits for something that should happen at once.
const patience = 20 * time.Second

// run runs a server until the test has ended.
func run(t *testing.T, s *server.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// serve serves a server on a loopback port.
func serve(t *testing.T, web *httptest.Server) {
	web.Start()
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
}

func read(t *testing.T, web *httptest.Server, path string) string {
	response, err := web.Client().Get(web.URL + path)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", text)
	return string(text)
}

func TestTheZeroOptionsMakeAServerForDevelopment(t *testing.T) {
	s, err := server.New(server.Options{})
	require.NoError(t, err)
	run(t, s)
	web := httptest.NewUnstartedServer(s.Handler())
	serve(t, web)
	require.Contains(t, read(t, web, "/health"), `"environment":"development"`)
	require.Contains(t, read(t, web, "/rooms"), `"rooms":[]`, "everybody is an operator")
	used, limit := s.ClientMemory()
	require.Zero(t, used)
	require.Zero(t, limit)
}

// When a socket has ended, its room is gone, its memory is free, and the metrics count it.
func TestNothingIsLeftOfASocketThatHasEnded(t *testing.T) {
	s, err := server.New(server.Options{ClientMemory: 1 << 30})
	require.NoError(t, err)
	run(t, s)
	web := httptest.NewUnstartedServer(s.Handler())
	serve(t, web)
	c, err := client.Dial(t.Context(), web.URL)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Join(t.Context(), "algebra", "Ada"))
	used, limit := s.ClientMemory()
	require.Positive(t, used)
	require.EqualValues(t, 1<<30, limit)
	require.Contains(t, read(t, web, "/rooms"), `"algebra"`)

	s.Hub().End(c.SocketID(), sse.ClientDisconnect)
	require.Contains(t, read(t, web, "/rooms"), `"rooms":[]`)
	require.Contains(t, read(t, web, "/metrics"), `signaling_sockets_ended_total{reason="client disconnect"} 1`)
	require.Eventually(t, func() bool {
		runtime.GC() // a member is charged until it is garbage-collected
		used, _ := s.ClientMemory()
		return used == 0
	}, patience, time.Millisecond)
}

func TestAGuardChargesTheServersMemoryAndCountsInItsMetrics(t *testing.T) {
	s, err := server.New(server.Options{ClientMemory: 1 << 30})
	require.NoError(t, err)
	guard := s.Guard(conns.Options{PerAddress: 1, IdleTimeout: time.Minute})
	run(t, s)
	web := httptest.NewUnstartedServer(s.Handler())
	web.Listener = guard.Listen(web.Listener)
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	serve(t, web)

	require.Contains(t, read(t, web, "/metrics"), `signaling_connections{state="active"} 1`)
	used, _ := s.ClientMemory()
	require.EqualValues(t, conns.Cost, used)

	another := &http.Client{Transport: new(http.Transport)}
	defer another.CloseIdleConnections()
	var metrics []byte
	require.Eventually(t, func() bool { // until the first connection is idle and can be closed
		response, err := another.Get(web.URL + "/metrics")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		metrics, err = io.ReadAll(response.Body)
		return err == nil
	}, patience, time.Millisecond)
	require.Contains(t, string(metrics), `signaling_connections_closed_total{why="made room"} 1`)
}

func TestBrowsersInsistOnHTTPSForAsLongAsTheOptionsSay(t *testing.T) {
	for _, c := range []struct {
		environment     string
		strictTransport time.Duration
		want            string
	}{
		{"production", 0, "max-age=31536000"},
		{"production", 5 * time.Minute, "max-age=300"},
		{"production", -1, ""},
		{"development", 0, ""},
		{"development", time.Hour, "max-age=3600"},
	} {
		s, err := server.New(server.Options{
			Environment:     c.environment,
			StrictTransport: c.strictTransport,
			TrustedProxies:  clientip.Proxies{netip.MustParsePrefix("127.0.0.1/32")},
		})
		require.NoError(t, err)
		run(t, s)
		web := httptest.NewUnstartedServer(s.Handler())
		serve(t, web)
		request, err := http.NewRequest(http.MethodGet, web.URL+"/livez", nil)
		require.NoError(t, err)
		request.Header.Set("X-Forwarded-Proto", "https")
		response, err := web.Client().Do(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, c.want, response.Header.Get("Strict-Transport-Security"), "%+v", c)
	}
}
