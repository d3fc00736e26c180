package server

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"signaling-server/access"
	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/operators"
	"signaling-server/iceservers"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/webhooks"
)

// Options configure a [Server]. With the zero Options it is a server for development: it
// is open to everybody, within the limits of [DefaultOptions].
type Options struct {
	// HeartbeatInterval is how long a stream may be silent. 0: the default.
	HeartbeatInterval time.Duration
	// ResumeWindow is how long a socket outlives a dropped stream. 0: the default.
	ResumeWindow time.Duration
	// AwayAfter is how long a socket may have neither stream nor poll before its room
	// receives user-away. 0: the default.
	AwayAfter time.Duration

	// Limits bound what clients may do and hold. The zero Limits: the default.
	Limits Limits
	// ClientMemory is how many bytes may be held for all clients together. At the limit
	// newcomers are refused, and the sockets with the most unread events are ended. 0:
	// no limit.
	ClientMemory int64

	// Access checks access tokens. With it, join-room needs an access token. The caller
	// closes it after Run has returned. Nil: every client may join every room.
	Access *access.Verifier
	// EnforceExpiry takes members out of their rooms when their access tokens expire. If
	// false, they may stay.
	EnforceExpiry bool
	// AdminToken is the token of the operator that may do everything, and Operators are others.
	// If there are none: in production nobody is an operator, elsewhere everybody is.
	AdminToken string
	Operators  []operators.Operator

	// Cluster makes the server one of several nodes. Nil: it is alone.
	Cluster *cluster.Options

	// HandsOver says that another process goes on with the state when this one stops: see
	// [Server.State]. It means nothing together with Cluster.
	HandsOver bool

	// Webhooks tells a back end who is in which room. Several nodes must have the same: only one of
	// them sends. The caller closes its Journal after Run has returned. Nil: none are sent.
	Webhooks *webhooks.Options

	// ICEServers are the STUN and TURN servers that clients receive. Zero: none.
	ICEServers iceservers.Provider

	// CORSOrigins are the origins whose pages may use the server, as
	// [signaling-server/httpapi/origins.Parse] takes them; "*" stands for all. Empty: the default.
	CORSOrigins []string
	// TrustedProxies are the proxies that may say who the client is, and whether it used
	// https: see [clientip.Proxies]. Nil: none.
	TrustedProxies clientip.Proxies

	// StrictTransport is how long browsers insist on https after an answer over https
	// (RFC 6797, 6.1.1). 0: the default. Negative: they do not.
	StrictTransport time.Duration

	// Environment is the name of the environment, which the monitoring endpoints show. If
	// it is [httpapi.Production], they need AdminToken. Empty: the default.
	Environment string
	// Port is the TCP port that the monitoring endpoints show. The server does not
	// listen on it.
	Port int
	// MaxHeader is how many bytes the header of a request may have. MaxHeaderBytes of the
	// program's http.Server should be larger: its refusals are not problems. 0: as many
	// as the http.Server allows.
	MaxHeader int
	// Logger logs what happens to sockets and rooms, and what fails. Nil: the server does
	// not log.
	Logger *slog.Logger

	// Tracer makes a span of each request, and of each event that is posted. Nil: nothing is
	// traced.
	Tracer trace.Tracer
	// Collectors are metrics of the program that GET /metrics reports, too.
	Collectors []prometheus.Collector
}

// Limits bound what clients may do and hold. A rate is per second. What a client leaves
// unused is saved up for [limits.Burst], and may then be used at once. An address is an
// IPv4 address or an IPv6 /64. 0 means that there is no limit, unless the field's comment
// says something else.
type Limits struct {
	MaxSockets           int // sockets at once; 0: the default
	MaxSocketsPerAddress int // sockets at once from one address
	OpensPerAddress      int // rate of new sockets
	OpensPerSocket       int // rate of streams and polls
	PostsPerAddress      int // rate of requests that send events
	PostsPerSocket       int // rate of requests that send events
	EventsPerAddress     int // rate of events in these requests
	EventsPerSocket      int // rate of events in these requests
	ReceiversPerAddress  int // rate of receivers of events to whole rooms; an event of 4 KiB counts twice, of 8 KiB three times
	ReceiversPerSocket   int // rate of receivers of events to the whole room, counted in the same way
	MonitoringPerAddress int // rate of monitoring requests; a list of 1000 entries counts twice, of 2000 three times

	MaxRoomMembers     int // members of one room; 0: the default
	RoomBytes          int // bytes of one room's list of members, with their metadata
	MaxRooms           int // rooms at once
	MaxRoomsPerAddress int // rooms at once that one address has created

	MaxBody                int // bytes of a request's body; less than 64 KiB counts as 64 KiB
	RequestBytesPerAddress int // bytes of the bodies of all requests under way together
	MaxBatch               int // events in one batch; less than 64 counts as 64
	RequestsPerAddress     int // requests under way at once, without streams and polls

	// OutboxEvents is how many events may wait for one client. The server also keeps up
	// to this many sent events, from which the client can resume. 0: the default.
	OutboxEvents int
	// OutboxBytes is the maximum size in bytes of the events that wait for one client.
	// The server also keeps up to a quarter of this in sent events, from which the
	// client can resume. 0: the default.
	OutboxBytes int
	// OutboxBytesPerAddress is the maximum size in bytes of the events from one address
	// that wait for all clients together. It is never more than a quarter of
	// [Options].ClientMemory. 0: that quarter.
	OutboxBytesPerAddress int
}

// DefaultOptions returns the defaults. The settings of cmd/signaling-server have the same
// defaults.
func DefaultOptions() Options {
	sockets := sse.DefaultOptions()
	return Options{
		HeartbeatInterval: sockets.HeartbeatInterval,
		ResumeWindow:      sockets.ResumeWindow,
		AwayAfter:         sockets.AwayAfter,
		CORSOrigins:       []string{"*"},
		Environment:       "development",
		Limits: Limits{
			MaxSockets:           sockets.MaxSockets,
			MaxSocketsPerAddress: 2000,
			OpensPerAddress:      50,
			OpensPerSocket:       50,
			PostsPerAddress:      1000,
			PostsPerSocket:       100,
			EventsPerAddress:     4000,
			EventsPerSocket:      200,
			ReceiversPerAddress:  100_000,
			ReceiversPerSocket:   10_000,
			MonitoringPerAddress: 20,

			MaxRoomMembers:     1000,
			RoomBytes:          2 << 20,
			MaxRooms:           20_000,
			MaxRoomsPerAddress: 2000,

			MaxBody:                64 << 10,
			RequestBytesPerAddress: 4 << 20,
			MaxBatch:               64,
			RequestsPerAddress:     512,

			OutboxEvents:          sockets.Outbox.UnsentEvents,
			OutboxBytes:           sockets.Outbox.UnsentBytes,
			OutboxBytesPerAddress: 64 << 20,
		},
	}
}

// withDefaults returns the options with defaults in the fields that are not set.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	o.Limits = cmp.Or(o.Limits, d.Limits)
	o.Limits.MaxSockets = cmp.Or(o.Limits.MaxSockets, d.Limits.MaxSockets)
	o.Limits.MaxRoomMembers = cmp.Or(o.Limits.MaxRoomMembers, d.Limits.MaxRoomMembers)
	o.Limits.OutboxEvents = cmp.Or(o.Limits.OutboxEvents, d.Limits.OutboxEvents)
	o.Limits.OutboxBytes = cmp.Or(o.Limits.OutboxBytes, d.Limits.OutboxBytes)
	o.Environment = cmp.Or(o.Environment, d.Environment)
	o.StrictTransport = cmp.Or(o.StrictTransport, defaultStrictTransport(o.Environment))
	if len(o.CORSOrigins) == 0 {
		o.CORSOrigins = d.CORSOrigins
	}
	return o // package sse sets the durations
}

// defaultStrictTransport is a year in production. On a developer's localhost there are many
// servers, not all with https.
func defaultStrictTransport(environment string) time.Duration {
	if environment == httpapi.Production {
		return 365 * 24 * time.Hour
	}
	return 0
}

// parts returns the options of all parts.
func (o Options) parts() Parts {
	o = o.withDefaults()
	p := Parts{
		SSE: sse.Options{
			HeartbeatInterval:    o.HeartbeatInterval,
			ResumeWindow:         o.ResumeWindow,
			AwayAfter:            o.AwayAfter,
			MaxSockets:           o.Limits.MaxSockets,
			MaxSocketsPerNetwork: o.Limits.MaxSocketsPerAddress,
			Outbox:               o.Limits.outbox(),
			UnsentPerNetwork:     o.outboxBytesPerAddress(),
			HandsOver:            o.HandsOver,
			Logger:               o.Logger,
		},
		Rooms: rooms.Options{
			Members:         o.Limits.MaxRoomMembers,
			RosterBytes:     o.Limits.RoomBytes,
			Rooms:           o.Limits.MaxRooms,
			RoomsPerNetwork: o.Limits.MaxRoomsPerAddress,
		},
		API: httpapi.Options{
			Logger:          o.Logger,
			Access:          o.Access,
			Limits:          limits.New(o.Limits.rates()),
			TrustedProxies:  o.TrustedProxies,
			MaxBody:         o.Limits.MaxBody,
			MaxBatch:        o.Limits.MaxBatch,
			MaxHeader:       o.MaxHeader,
			ICEServers:      o.ICEServers,
			AdminToken:      o.AdminToken,
			Operators:       o.Operators,
			CORSOrigins:     o.CORSOrigins,
			StrictTransport: max(0, o.StrictTransport),
			Environment:     o.Environment,
			Port:            o.Port,
			Tracer:          o.Tracer,
			Collectors:      o.Collectors,
		},
		EnforceExpiry: o.EnforceExpiry,
		Cluster:       o.Cluster,
		Webhooks:      o.Webhooks,
	}
	if o.ClientMemory > 0 {
		memory := budget.New(o.ClientMemory)
		p.SSE.Budget, p.Rooms.Charge, p.API.Budget = memory, memory.Charge, memory
	}
	return p
}

// outbox returns the limits of one socket's outbox. What is kept for a resume needs
// less room than what waits: it was sent already, and most of it has arrived.
func (l Limits) outbox() sse.OutboxLimits {
	return sse.OutboxLimits{
		UnsentEvents: l.OutboxEvents, UnsentBytes: l.OutboxBytes,
		RetainedEvents: l.OutboxEvents, RetainedBytes: l.OutboxBytes / 4,
	}
}

// outboxBytesPerAddress returns the limit for one address, or 0 if nothing bounds it. Several nodes
// must have the same limit, whatever the memory of each, so there a quarter of that does not bound it.
func (o Options) outboxBytesPerAddress() int {
	quarter, limit := int(o.ClientMemory/4), o.Limits.OutboxBytesPerAddress
	switch {
	case o.Cluster != nil:
		return cmp.Or(limit, DefaultOptions().Limits.OutboxBytesPerAddress)
	case quarter == 0 || limit == 0:
		return max(quarter, limit)
	}
	return min(quarter, limit)
}

// rates returns the limits of requests.
func (l Limits) rates() limits.Options {
	return limits.Options{
		PerAddress: limits.Rates{Opens: l.OpensPerAddress, Posts: l.PostsPerAddress, Events: l.EventsPerAddress, Tellings: l.ReceiversPerAddress},
		PerSocket:  limits.Rates{Opens: l.OpensPerSocket, Posts: l.PostsPerSocket, Events: l.EventsPerSocket, Tellings: l.ReceiversPerSocket},

		MonitoringPerAddress: l.MonitoringPerAddress,
		RequestsPerAddress:   l.RequestsPerAddress,
		ReadingPerAddress:    2 * l.MaxSocketsPerAddress, // a socket that is being taken over has two readers
		BytesPerAddress:      l.RequestBytesPerAddress,
	}
}
