// Package httpapitest gives tests of clients a whole server on a loopback port, and
// a proxy before it that does as those between client and server do.
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

	signalingserver "signaling-server"
	"signaling-server/browser"
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

// Parts say what a server is. Of the API's options, those that name other parts are
// filled in.
type Parts struct {
	SSE   sse.Options
	Rooms rooms.Limits
	API   httpapi.Options

	EnforcesExpiry bool // of permits
}

// Run puts the parts of a server together as the command does, and runs them until
// the test and what it has begun since have ended.
func Run(t testing.TB, p Parts) (*httpapi.API, *sse.Hub) {
	var members *rooms.Rooms
	var api *httpapi.API
	p.API.Metrics = cmp.Or(p.API.Metrics, httpapi.NewMetrics())
	p.API.Logger = cmp.Or(p.API.Logger, slog.New(slog.DiscardHandler))
	p.SSE.OnEnd = func(socketID string, reason sse.Reason) {
		members.Remove(socketID, string(reason))
		api.Forget(socketID)
		p.API.Metrics.SocketEnded(reason)
	}
	p.SSE.OnRead, p.SSE.OnDelivery = p.API.Metrics.ReaderBegan, p.API.Metrics.EventDelivered
	p.SSE.OnPresence = func(socketID string) { members.Observe(socketID) }
	p.SSE.ICEServers = httpapi.ICEServers(p.API.ICEServers)
	if l := p.API.Limits; l != nil {
		p.SSE.MayOpen, p.SSE.MayRead, p.Rooms.MayTell = l.Open, l.Resume, l.Tell
	}
	hub := sse.NewHub(p.SSE)
	members = rooms.New(httpapi.Courier{Hub: hub}, p.Rooms, p.API.Logger)
	p.API.Hub, p.API.Rooms = hub, members
	p.API.OpenAPI, p.API.Version = signalingserver.OpenAPI, signalingserver.Version
	p.API.Pages, p.API.Client = static.Files, browser.Files
	api, err := httpapi.New(p.API)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { hub.Run(ctx) })
	if p.EnforcesExpiry {
		running.Go(func() { members.Run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return api, hub
}

// Start starts a server that ends with the test. Where its parts do not say so,
// nobody's rates are limited.
func Start(t *testing.T, p Parts) *Server {
	p.Rooms.Members = cmp.Or(p.Rooms.Members, 100)
	api, hub := Run(t, p)
	s := &Server{Hub: hub}
	behind := httptest.NewServer(api)
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
