// Package server is the whole signaling server as one [http.Handler]. It is the only
// place where the parts are joined: sockets (package sse), rooms, the HTTP API,
// limits, access tokens, ICE servers and metrics.
//
// A program serves [Server.Handler], runs [Server.Run] beside it, and calls
// [Server.Drain] before it stops. Listeners, TLS and signals are the program's:
// cmd/signaling-server is one such program.
package server

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"

	signalingserver "signaling-server"
	"signaling-server/browser"
	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/static"
)

// Server is a signaling server without a listener.
type Server struct {
	// set once
	hub     *sse.Hub
	rooms   *rooms.Rooms
	api     *httpapi.API
	metrics *httpapi.Metrics
	budget  *budget.Budget // nil: no bound
	proxies clientip.Proxies
	observe func(socketID string)
	expires bool // memberships end with their access tokens

	guard *conns.Guard // nil: there is none; set before Run
}

// New makes a server. The error is about the files that it serves.
func New(o Options) (*Server, error) { return Join(o.parts()) }

// Parts are the options of the packages that a [Server] joins. Tests use them for
// what [Options] cannot say.
//
// Join sets all functions of SSE and Rooms, API.Hub, API.Rooms and API.Metrics. In
// API it fills in Logger, Limits, Version, OpenAPI, Pages and Client if they are not
// set.
type Parts struct {
	SSE   sse.Options
	Rooms rooms.Limits
	API   httpapi.Options

	// EnforceExpiry is as in [Options].
	EnforceExpiry bool
	// Observe is called with each socket that has ended, gone away or come back,
	// before its room hears of it. Several goroutines may call it at once. Nil: it is
	// not called.
	Observe func(socketID string)
	// Courier returns the courier that the rooms use instead of the given one. Nil:
	// they use the given one.
	Courier func(rooms.Courier) rooms.Courier
}

// Join makes a server of its parts. The error is about the files that it serves.
func Join(p Parts) (*Server, error) {
	s := &Server{
		metrics: httpapi.NewMetrics(),
		budget:  p.SSE.Budget,
		proxies: p.API.TrustedProxies,
		observe: p.Observe,
		expires: p.EnforceExpiry,
	}
	p.API.Limits = cmp.Or(p.API.Limits, limits.New(limits.Options{}))
	p.API.Logger = cmp.Or(p.API.Logger, slog.New(slog.DiscardHandler))

	p.SSE.MayOpen, p.SSE.MayRead = p.API.Limits.Open, p.API.Limits.Resume
	p.SSE.ICEServers = httpapi.ICEServers(p.API.ICEServers)
	p.SSE.OnEnd, p.SSE.OnPresence = s.socketEnded, s.presenceChanged
	p.SSE.OnRead, p.SSE.OnDelivery = s.metrics.ReaderBegan, s.metrics.EventDelivered
	s.hub = sse.NewHub(p.SSE)

	var carrier rooms.Courier = courier{s.hub}
	if p.Courier != nil {
		carrier = p.Courier(carrier)
	}
	p.Rooms.MayTell = p.API.Limits.Tell
	s.rooms = rooms.New(carrier, p.Rooms, p.API.Logger)

	p.API.Hub, p.API.Rooms, p.API.Metrics = s.hub, s.rooms, s.metrics
	p.API.Version = cmp.Or(p.API.Version, signalingserver.Version)
	if p.API.OpenAPI == nil {
		p.API.OpenAPI = signalingserver.OpenAPI
	}
	p.API.Pages = cmp.Or(p.API.Pages, fs.FS(static.Files))
	p.API.Client = cmp.Or(p.API.Client, fs.FS(browser.Files))
	var err error
	s.api, err = httpapi.New(p.API)
	return s, err
}

// socketEnded does what must happen when a socket has ended. The hub calls it once
// for each socket, after it has forgotten the socket: a join that comes later fails,
// and so cannot bring the socket back into a room.
//
// The order is: first the room, because its members wait for user-disconnected; then
// the answers that are kept for the socket's repeated requests; and last the metrics,
// which count only what is done.
func (s *Server) socketEnded(socketID string, reason sse.Reason) {
	if s.observe != nil {
		s.observe(socketID)
	}
	s.rooms.Remove(socketID, string(reason))
	s.api.Forget(socketID)
	s.metrics.SocketEnded(reason)
}

// presenceChanged tells a socket's room that the socket went away or came back.
func (s *Server) presenceChanged(socketID string) {
	if s.observe != nil {
		s.observe(socketID)
	}
	s.rooms.Observe(socketID)
}

// Handler returns the handler of all requests. It answers every path, so a program
// gives its own routes more specific patterns. Links in the pages and in problems
// begin at the root: the handler cannot stand below a prefix. A middleware that wraps
// the http.ResponseWriter must have Unwrap, because streams flush and set deadlines.
func (s *Server) Handler() http.Handler { return s.api }

// Hub returns the register of all sockets, for example to end one: see [sse.Hub.Kick].
func (s *Server) Hub() *sse.Hub { return s.hub }

// Guard returns a guard of the server's connections: it bounds how many there are and
// closes those that wait for too long. The server fills in Budget, Exempt and OnClosed.
//
// A program may do without a guard. One that wants a guard calls Guard once, before
// Run, and gives the guard's methods to its listener and its http.Server: see package
// conns.
func (s *Server) Guard(o conns.Options) *conns.Guard {
	o.Budget, o.Exempt, o.OnClosed = s.budget, s.proxies, s.metrics.ConnectionClosed
	s.guard = conns.New(o)
	s.metrics.WatchConnections(s.guard)
	return s.guard
}

// ClientMemory returns how many bytes are held for clients, and how many may be: see
// [Options]. Without a bound nothing is counted, and both are 0. Any goroutine may
// call it.
func (s *Server) ClientMemory() (used, limit int64) { return s.budget.Used(), s.budget.Limit() }

// Run does what must happen beside the handler until ctx is done: it sends heartbeats,
// ends sockets whose resume window is over and memberships whose access token has
// expired, and closes overdue connections of the guard. It is called once, and returns
// when all of that has ended. The handler needs it from the first request on.
func (s *Server) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.hub.Run(ctx) })
	if s.expires {
		running.Go(func() { s.rooms.Run(ctx) })
	}
	if s.guard != nil {
		running.Go(func() { s.guard.Run(ctx) })
	}
}

// Drain refuses new sockets and events, lets every client have the events that were
// accepted for it, and ends all streams and polls. All other requests are answered as
// before. Drain is called once, while [Server.Run] runs and before http.Server.Shutdown,
// which would wait for the streams. The error is that of ctx, if ctx is done first:
// some streams have not ended then.
func (s *Server) Drain(ctx context.Context) error { return s.hub.Drain(ctx) }
