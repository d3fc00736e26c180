// Package httpapitest gives tests a whole server: without a listener, or on a loopback
// port behind a proxy.
package httpapitest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi"
	"signaling-server/httpapi/conns"
	"signaling-server/server"
	"signaling-server/sse"
)

// Server is a server on a loopback port, behind a proxy.
type Server struct {
	URL string // of the proxy
	Hub *sse.Hub

	// Cut closes all connections of clients to the proxy.
	Cut func()

	meddle atomic.Pointer[Meddler]
}

// Meddler may change a request, or answer it instead of the server. It reports whether
// it answered.
type Meddler func(w http.ResponseWriter, r *http.Request) bool

// Between puts a meddler between the clients and the server. It replaces the previous
// meddler.
func (s *Server) Between(m Meddler) { s.meddle.Store(&m) }

// Run runs a server without a listener until the test ends. Cleanups that the test
// registers later run before the server stops.
func Run(t testing.TB, p server.Parts) *server.Server {
	s, err := server.Join(p)
	require.NoError(t, err)
	runUntilTheEnd(t, s)
	return s
}

// Serve runs a server until the test ends. It returns an HTTP server for it, which the caller
// must start and close.
func Serve(t testing.TB, p server.Parts) (*server.Server, *httptest.Server) {
	s, err := server.Join(p)
	require.NoError(t, err)
	web := httptest.NewUnstartedServer(s.Handler())
	if p.SSE.Budget != nil || linkOf(t) == Held { // a guard would charge the budget for connections
		runUntilTheEnd(t, s)
		return s, web
	}
	guard := s.Guard(conns.Options{})
	web.Listener = guard.ListenFor(web.Listener, web.Config, httpapi.PostTargets()...)
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	runUntilTheEnd(t, s)
	awaitParking(t, guard)
	return s, web
}

func runUntilTheEnd(t testing.TB, s *server.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// Start starts a server that stops with the test. Unless its parts say otherwise, a room
// may have 100 members, and no rate is limited.
func Start(t *testing.T, p server.Parts) *Server {
	p.Rooms.Members = cmp.Or(p.Rooms.Members, 100)
	signaling, behind := Serve(t, p)
	s := &Server{Hub: signaling.Hub()}
	behind.Start()
	t.Cleanup(func() {
		behind.CloseClientConnections()
		behind.Close()
	})

	proxy := Proxy(t, behind.URL)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if meddle := s.meddle.Load(); meddle != nil && (*meddle)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	s.URL, s.Cut = front.URL, front.CloseClientConnections
	return s
}

// Proxy forwards requests to a server, and flushes each part of an answer at once.
func Proxy(t *testing.T, target string) http.Handler {
	address, err := url.Parse(target)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(address) },
		FlushInterval: -1,
		Transport:     transport,
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}
