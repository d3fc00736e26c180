// Package httpapitest gives tests of clients a whole server on a loopback port, and
// a proxy before it that does as those between client and server do.
package httpapitest

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

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/httpapi"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/static"
)

// Server is a server behind a proxy.
type Server struct {
	URL string // of the proxy
	Hub *sse.Hub

	// Cut cuts all connections to the proxy.
	Cut func()

	meddle atomic.Pointer[Meddler]
}

// Meddler may answer a request in the server's place, and says whether it did. It
// may change the request, too.
type Meddler func(w http.ResponseWriter, r *http.Request) bool

// Between puts a meddler between clients and server, in the place of the one
// before.
func (s *Server) Between(m Meddler) { s.meddle.Store(&m) }

// Start starts a server that ends with the test. Nobody's rates are limited.
func Start(t *testing.T, options sse.Options) *Server {
	var members *rooms.Rooms
	var api *httpapi.API
	options.OnEnd = func(socketID string, reason sse.Reason) {
		members.Remove(socketID, string(reason))
		api.Forget(socketID)
	}
	options.OnPresence = func(socketID string) { members.Observe(socketID) }
	s := &Server{Hub: sse.NewHub(options)}
	logger := slog.New(slog.DiscardHandler)
	members = rooms.New(httpapi.Courier{Hub: s.Hub}, rooms.Limits{Members: 100}, logger)
	api, err := httpapi.New(httpapi.Options{
		Hub:     s.Hub,
		Rooms:   members,
		Logger:  logger,
		Static:  static.Files,
		OpenAPI: signalingserver.OpenAPI,
		Version: signalingserver.Version,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Hub.Run(ctx) })
	behind := httptest.NewServer(api)
	t.Cleanup(func() {
		behind.CloseClientConnections()
		behind.Close()
		cancel()
		running.Wait()
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

// Proxy hands requests on to a server, and events back as they come.
func Proxy(t *testing.T, server string) http.Handler {
	address, err := url.Parse(server)
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
