package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"signaling-server/httpapi"
	"signaling-server/httpapi/httpapitest"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// server is the whole API on a loopback port.
type server struct {
	*httptest.Server
	hub *sse.Hub
}

// setup describes a test's server.
type setup struct {
	signaling.Parts
	http    func(*http.Server)
	witness *witness // judges the server's traffic; nil for a new witness
	unheard bool     // there is no witness
}

// unheard starts a server without a witness. It is for tests with too much traffic for a
// witness, or with traffic that a witness cannot read.
func unheard(u *setup) { u.unheard = true }

// hasty gives a server a short ReadTimeout, for tests in which a request must outlast the
// timeout. Other servers have a long timeout, which ends no request even on a busy machine.
func hasty(u *setup) { u.http = func(server *http.Server) { server.ReadTimeout = time.Second } }

// newServer starts a server that stops with the test. The functions in others may change
// its setup.
func newServer(t testing.TB, options sse.Options, maxMembers int, others ...func(*setup)) *server {
	u := setup{
		Parts: signaling.Parts{
			SSE:   options,
			Rooms: rooms.Options{Members: maxMembers},
			API: httpapi.Options{
				Logger:      options.Logger,
				CORSOrigins: []string{"*"},
				Environment: "test",
				Port:        3002,
			},
		},
		http: func(*http.Server) {},
	}
	for _, other := range others {
		other(&u)
	}
	w := u.witness
	if w == nil && !u.unheard {
		w = newListener(t)
	}
	joined, web := httpapitest.Serve(t, u.Parts)
	s := &server{web, joined.Hub()}
	s.Config.ReadTimeout = patience
	s.Config.IdleTimeout = time.Minute
	u.http(s.Config)
	s.Start()
	w.listenTo(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}
