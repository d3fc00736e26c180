// Package server is the whole signaling server as an [http.Handler]. It is the only
// place that joins the parts: sockets (package sse), rooms, the HTTP API, limits, access
// tokens, ICE servers and metrics.
//
// A program serves [Server.Handler], runs [Server.Run] beside it, and calls
// [Server.Drain] before it stops. The program opens the listener and handles signals and
// TLS, as cmd/signaling-server does.
package server

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	signalingserver "signaling-server"
	"signaling-server/browser"
	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/static"
	"signaling-server/webhooks"
)

// Server is a signaling server without a listener.
type Server struct {
	// set once
	hub     *sse.Hub
	rooms   *rooms.Rooms
	machine *machine.Machine
	node    *cluster.Node    // nil: the server is alone
	sender  *webhooks.Sender // nil: no webhooks are sent
	api     *httpapi.API
	metrics *httpapi.Metrics
	budget  *budget.Budget // nil: memory has no bound
	proxies clientip.Proxies
	observe func(socketID string) // nil: it is not called
	expires bool                  // members leave their rooms when their access tokens expire
	gate    *machine.Gate         // nil: no other process goes on with the state
	clock   clock                 // of a state that is handed over

	parking *httpapi.Parking // has no guard if the program has none
	logger  *slog.Logger

	mu         sync.Mutex   // guards what follows
	headerless []netip.Addr // proxies that sent no PROXY header; the log has warned of each
}

// maxHeaderless is how many proxies without a PROXY header are logged.
const maxHeaderless = 16

// New returns a server. The error says which of the embedded pages cannot be read, or which
// of CORSOrigins is not an origin.
func New(o Options) (*Server, error) { return Join(o.parts()) }

// Parts are the options of the packages that a [Server] joins. Tests use them for what
// [Options] cannot express.
//
// [Join] sets the fields that connect the parts: all functions of SSE, and Hub, Rooms,
// Machine, Webhooks and Metrics of API. It also sets Logger, Limits, Version, OpenAPI, Pages and
// Client of API, unless they are set already.
type Parts struct {
	SSE   sse.Options
	Rooms rooms.Options
	API   httpapi.Options

	// Cluster makes the server one of several nodes. Nil: it is alone.
	Cluster *cluster.Options
	// Webhooks and EnforceExpiry are as in [Options].
	Webhooks      *webhooks.Options
	EnforceExpiry bool
	// Observe is called with each socket that has ended, gone away or come back, before
	// the members of its room receive that event. Several goroutines may call it at
	// once. Nil: it is not called.
	Observe func(socketID string)
	// State wraps what applies the commands of clients and operators. Nil: it is not wrapped.
	State func(machine.State) machine.State
	// Courier wraps the courier that brings the events of rooms to sockets. Nil: it is
	// not wrapped.
	Courier func(rooms.Courier) rooms.Courier
}

// Join returns a server with the given parts. The error is as in [New].
func Join(p Parts) (*Server, error) {
	p.SSE.HandsOver = p.SSE.HandsOver && p.Cluster == nil // the log has the state of several nodes
	s := &Server{
		metrics: httpapi.NewMetrics(),
		budget:  p.SSE.Budget,
		proxies: p.API.TrustedProxies,
		observe: p.Observe,
		expires: p.EnforceExpiry,
		parking: new(httpapi.Parking),
	}
	p.API.Limits = cmp.Or(p.API.Limits, limits.New(limits.Options{}))
	p.API.Logger = cmp.Or(p.API.Logger, slog.New(slog.DiscardHandler))
	s.logger = p.API.Logger

	p.SSE.NewState = httpapi.NewSocketState
	p.SSE.MayOpen = func(network netip.Prefix) error { return p.API.Limits.Network(network).Open() }
	p.SSE.MayRead = func(r sse.Ref) error { return p.API.Limits.Resume(httpapi.LimitsOf(r)) }
	p.SSE.ICEServers = httpapi.ICEServers(p.API.ICEServers)
	p.SSE.OnEnd, p.SSE.OnPresence = s.socketEnded, s.presenceChanged
	p.SSE.OnRead, p.SSE.OnResume, p.SSE.OnDelivery = s.metrics.ReaderBegan, s.metrics.SocketResumed, s.metrics.EventDelivered
	p.SSE.Parking = cmp.Or(p.SSE.Parking, sse.Parking(s.parking))
	if p.Webhooks != nil {
		s.sender = webhooks.New(*p.Webhooks)
		p.Rooms.Changes, p.Rooms.OnChange, p.API.Webhooks = s.sender.Kept(), s.sender.Changed, s.sender
	}
	var replica *machine.Replica
	if p.Cluster != nil {
		replica = machine.NewReplica()
		p.Cluster.PermitsExpire, p.Cluster.Settings, p.Cluster.OnAppend = p.EnforceExpiry, settingsOf(p), s.metrics.RecordAppended
		node, err := cluster.New(*p.Cluster, replica)
		if err != nil {
			return nil, err
		}
		s.node = node
		p.SSE.Log, p.SSE.Node, p.SSE.Now, p.SSE.Elapsed = node, p.Cluster.Name, replica.Now, replica.Elapsed
		p.Rooms.Now, p.Rooms.NewID = replica.Now, replica.NewID
		p.SSE.Logs, p.Rooms.Logs = node.Decides, node.Decides
	}
	if p.SSE.HandsOver {
		s.clock.started, p.SSE.Elapsed = time.Now(), s.clock.elapsed
	}
	s.hub = sse.NewHub(p.SSE)

	var carrier rooms.Courier = courier{s.hub}
	if p.Courier != nil {
		carrier = p.Courier(carrier)
	}
	p.Rooms.Context = s.hub.Context
	s.rooms = rooms.New(carrier, p.Rooms, p.API.Logger)

	s.machine = &machine.Machine{Hub: s.hub, Rooms: s.rooms, Keys: httpapi.KeysOf, Budget: p.API.Budget}
	p.API.Hub, p.API.Rooms, p.API.Metrics, p.API.State = s.hub, s.rooms, s.metrics, machine.Alone{Machine: s.machine}
	switch {
	case s.node != nil:
		replica.Machine, p.API.State = s.machine, s.node
	case p.SSE.HandsOver:
		s.gate = &machine.Gate{State: p.API.State}
		p.API.State = s.gate
	}
	if p.State != nil {
		p.API.State = p.State(p.API.State)
	}
	if s.sender != nil {
		s.sender.Serve(s.rooms, p.API.State, s.sendsWebhooks)
	}
	p.API.Version = cmp.Or(p.API.Version, signalingserver.Version)
	if p.API.OpenAPI == nil {
		p.API.OpenAPI = signalingserver.OpenAPI
	}
	p.API.Pages = cmp.Or(p.API.Pages, fs.FS(static.Files))
	p.API.Client = cmp.Or(p.API.Client, fs.FS(browser.Files))
	var err error
	if s.api, err = httpapi.New(p.API); err != nil {
		return nil, err
	}
	return s, nil
}

// settingsOf returns a hash of all options by which a state decides that several nodes share.
func settingsOf(p Parts) uint64 {
	s, r := p.SSE, p.Rooms
	return xxhash.Sum64String(fmt.Sprint(
		s.HeartbeatInterval, s.ResumeWindow, s.AwayAfter, s.WriteTimeout, s.MaxSockets, s.MaxSocketsPerNetwork, s.UnsentPerNetwork, s.Outbox,
		r.Members, r.RosterBytes, r.Rooms, r.RoomsPerNetwork, r.Changes, p.EnforceExpiry,
	))
}

// socketEnded does all that must happen when a socket has ended. The hub calls it once
// for each socket, and has forgotten the socket by then: a later join fails, so the
// socket cannot get back into a room.
//
// The order is: first the room, because its members wait for user-disconnected. Then the
// keys that are remembered for repeated requests of the socket. Then the metrics, so that
// nothing is left of a socket that they count as ended.
func (s *Server) socketEnded(r sse.Ref, reason sse.Reason) {
	socketID := r.SocketID()
	if s.observe != nil {
		s.observe(socketID)
	}
	s.rooms.Remove(socketID, string(reason))
	s.machine.Forget(r)
	if s.node == nil || s.node.Decides() { // the sum over all nodes is right
		s.metrics.SocketEnded(reason)
	}
}

// sendsWebhooks reports whether this node sends the webhooks.
func (s *Server) sendsWebhooks() bool { return s.node == nil || s.node.IsFirst() }

// presenceChanged lets the members of a socket's room know that it went away or came back.
func (s *Server) presenceChanged(socketID string) {
	if s.observe != nil {
		s.observe(socketID)
	}
	s.rooms.Observe(socketID)
}

// Handler returns the handler of all requests.
//
// It answers every path, so a program needs more specific patterns for its own routes.
// Or it serves the handler below a path, with [http.StripPrefix]: all pages work there.
// A middleware may wrap the http.ResponseWriter if its type has the method Unwrap (see
// http.ResponseController): streams flush, and set deadlines.
func (s *Server) Handler() http.Handler { return s.api }

// Hub returns the register of all sockets. A program can use it to end a socket: see
// [sse.Hub.Kick].
func (s *Server) Hub() *sse.Hub { return s.hub }

// Guard returns a guard for the program's listener: it bounds how many connections there
// are, closes connections that wait for too long, and parks the connections of idle
// streams. Guard sets Budget, Exempt and OnClosed of the options.
//
// A program may do without a guard. If it uses a guard, it calls Guard once, before Run,
// and connects the guard with its listener and its http.Server: see package conns.
func (s *Server) Guard(o conns.Options) *conns.Guard {
	o.Budget, o.Exempt, o.OnClosed = s.budget, s.proxies, s.connectionClosed
	s.parking.Guard = conns.New(o)
	s.metrics.WatchConnections(s.parking.Guard)
	return s.parking.Guard
}

// WatchCertificate makes the metrics report when the certificate of the program's listener
// expires, as a function returns it; the zero time: there is none. Any goroutine may call that
// function. WatchCertificate is called at most once, before the first request.
func (s *Server) WatchCertificate(expires func() time.Time) { s.metrics.WatchCertificate(expires) }

// connectionClosed counts a connection that the guard has closed. A proxy that sends no
// PROXY header fails for all its clients, so the operator learns of each such proxy.
func (s *Server) connectionClosed(why conns.Reason, peer netip.Addr) {
	s.metrics.ConnectionClosed(why)
	if why == conns.NoProxyHeader && s.isNewHeaderless(peer) {
		s.logger.Warn("a connection from a trusted proxy had no PROXY header, so it was closed: let the proxy send the header, or unset PROXY_PROTOCOL",
			"proxy", clientip.Name(peer))
	}
}

// isNewHeaderless notes a proxy without a PROXY header, and reports whether it is the
// first time.
func (s *Server) isNewHeaderless(proxy netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.headerless) == maxHeaderless || slices.Contains(s.headerless, proxy) {
		return false
	}
	s.headerless = append(s.headerless, proxy)
	return true
}

// ClientMemory returns how many bytes are held for clients, and how many may be held: see
// [Options]. Without a limit the server does not count, and both are 0. Any goroutine may
// call it.
func (s *Server) ClientMemory() (used, limit int64) { return s.budget.Used(), s.budget.Limit() }

// Run does the work beside the handler until ctx is done. It sends heartbeats, ends
// sockets when their resume window is over, removes members whose access token has
// expired, sends webhooks, and closes overdue connections of the guard.
//
// Run is called once, before the first request. It returns when all goroutines that it
// started have ended. The error is a sentence that says why this node cannot be one of several
// any more: then the program must end.
func (s *Server) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.hub.Run(ctx) })
	if s.expires && s.node == nil {
		running.Go(func() { s.rooms.Run(ctx) })
	}
	if s.sender != nil {
		running.Go(func() { s.sender.Run(ctx) })
	}
	if guard := s.parking.Guard; guard != nil {
		running.Go(func() { guard.Run(ctx) })
	}
	if s.node == nil {
		<-ctx.Done()
		return nil
	}
	err = s.node.Run(ctx)
	cancel()
	return err
}

// Drain prepares the stop. It refuses new sockets and events, lets every client receive
// the events that were accepted for it, and ends all streams and polls. Other requests
// are answered as before. If ctx is done first, Drain returns the error of ctx, and some
// streams have not ended.
//
// If the sockets outlive the process, because there are several nodes or by Options.HandsOver,
// events are accepted as before.
//
// Drain is called once, while [Server.Run] runs. It must come before
// http.Server.Shutdown, which waits for streams but does not end them.
func (s *Server) Drain(ctx context.Context) error { return s.hub.Drain(ctx) }
