package server

import (
	"cmp"
	"log/slog"
	"time"

	"signaling-server/access"
	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
	"signaling-server/iceservers"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Options configure a [Server]. The zero Options make one for development: it is open
// to everybody, within the limits of [DefaultOptions].
type Options struct {
	// HeartbeatInterval is how long a stream may be silent. 0: the default.
	HeartbeatInterval time.Duration
	// ResumeWindow is how long a socket outlives a dropped stream. 0: the default.
	ResumeWindow time.Duration
	// AwayAfter is how long a socket may have neither stream nor poll before its room
	// hears that it is away. 0: the default.
	AwayAfter time.Duration

	// Limits bound what clients may do and hold. The zero Limits: the default.
	Limits Limits
	// ClientMemory is how many bytes may be held for all clients together. At the limit
	// newcomers are refused, and the sockets that hold the most unread end. 0: no limit.
	ClientMemory int64

	// Access checks the access token that join-room then needs. The caller closes it
	// after the server. Nil: every client may join every room.
	Access *access.Verifier
	// EnforceExpiry takes members out of their rooms when their access tokens expire.
	// Otherwise they may stay.
	EnforceExpiry bool
	// AdminToken is the token by which operators are known. Empty: in production
	// nobody is an operator, elsewhere everybody is.
	AdminToken string

	// ICEServers are the STUN and TURN servers that clients receive. Zero: none.
	ICEServers iceservers.Provider

	// CORSOrigins are the origins whose pages may use the server, "*" for all. Nil: the
	// default.
	CORSOrigins []string
	// TrustedProxies are the proxies whose X-Forwarded-For or Forwarded header is
	// trusted. Nil: none.
	TrustedProxies clientip.Proxies

	// Environment is the name of the environment, which the monitoring endpoints show.
	// In [httpapi.Production] they need AdminToken. Empty: the default.
	Environment string
	// Port is the TCP port that the monitoring endpoints show. The server does not
	// listen on it.
	Port int
	// Logger receives what happens to sockets and rooms, and what fails. Nil: nothing is
	// logged.
	Logger *slog.Logger
}

// Limits bound what clients may do and hold. Rates are per second, on the average over
// [limits.Burst]. An address is an IPv4 address or an IPv6 /64. A limit of 0 is no limit
// unless its comment says otherwise.
type Limits struct {
	MaxSockets           int // sockets at once; 0: the default
	MaxSocketsPerAddress int // of them, from one address
	OpensPerAddress      int // rate of new sockets
	OpensPerSocket       int // rate of streams and polls
	PostsPerAddress      int // rate of requests that send events
	PostsPerSocket       int
	EventsPerAddress     int // rate of events in these requests
	EventsPerSocket      int
	ReceiversPerAddress  int // rate of receivers of what members send to their whole room; an event counts once more for each 4 KiB
	ReceiversPerSocket   int
	MonitoringPerAddress int // rate of requests that read the monitoring; a list counts once more for each 1000 entries

	MaxRoomMembers     int // members of one room; 0: the default
	RoomBytes          int // bytes of one room's list of members, with their metadata
	MaxRooms           int // rooms at once
	MaxRoomsPerAddress int // of them, made by one address

	MaxBody                int // bytes of a request's body; the least is 64 KiB
	RequestBytesPerAddress int // bytes of the bodies of all requests under way
	MaxBatch               int // events of one batch; the least is 64
	RequestsPerAddress     int // requests under way, without streams and polls

	// OutboxEvents and OutboxBytes are how many events, and bytes of them, may wait for
	// one client. As many events, and a quarter of the bytes, are kept for it to resume
	// after they were written. 0: the default.
	OutboxEvents, OutboxBytes int
	// OutboxBytesPerAddress is how many bytes of events from one address may wait for
	// all clients together. At most, and if it is 0, it is a quarter of
	// [Options].ClientMemory.
	OutboxBytesPerAddress int
}

// DefaultOptions returns the defaults, which are those of the command's settings too.
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

// withDefaults fills in the defaults.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	o.Limits = cmp.Or(o.Limits, d.Limits)
	o.Limits.MaxSockets = cmp.Or(o.Limits.MaxSockets, d.Limits.MaxSockets)
	o.Limits.MaxRoomMembers = cmp.Or(o.Limits.MaxRoomMembers, d.Limits.MaxRoomMembers)
	o.Limits.OutboxEvents = cmp.Or(o.Limits.OutboxEvents, d.Limits.OutboxEvents)
	o.Limits.OutboxBytes = cmp.Or(o.Limits.OutboxBytes, d.Limits.OutboxBytes)
	o.Environment = cmp.Or(o.Environment, d.Environment)
	if o.CORSOrigins == nil {
		o.CORSOrigins = d.CORSOrigins
	}
	return o // package sse has the defaults of durations
}

// parts returns the options of each part.
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
			UnsentPerNetwork:     o.Limits.outboxBytesPerAddress(o.ClientMemory),
			Logger:               o.Logger,
		},
		Rooms: rooms.Limits{
			Members:         o.Limits.MaxRoomMembers,
			RosterBytes:     o.Limits.RoomBytes,
			Rooms:           o.Limits.MaxRooms,
			RoomsPerNetwork: o.Limits.MaxRoomsPerAddress,
		},
		API: httpapi.Options{
			Logger:         o.Logger,
			Access:         o.Access,
			Limits:         limits.New(o.Limits.rates()),
			TrustedProxies: o.TrustedProxies,
			MaxBody:        o.Limits.MaxBody,
			MaxBatch:       o.Limits.MaxBatch,
			ICEServers:     o.ICEServers,
			AdminToken:     o.AdminToken,
			CORSOrigins:    o.CORSOrigins,
			Environment:    o.Environment,
			Port:           o.Port,
		},
		EnforceExpiry: o.EnforceExpiry,
	}
	if o.ClientMemory > 0 {
		memory := budget.New(o.ClientMemory)
		p.SSE.Budget, p.Rooms.Account, p.API.Budget = memory, memory, memory
	}
	return p
}

// outbox bounds one socket's outbox. What is kept for a resume is little: it has been
// written, and most of it has arrived.
func (l Limits) outbox() sse.OutboxLimits {
	return sse.OutboxLimits{
		UnsentEvents: l.OutboxEvents, UnsentBytes: l.OutboxBytes,
		RetainedEvents: l.OutboxEvents, RetainedBytes: l.OutboxBytes / 4,
	}
}

// outboxBytesPerAddress applies the bound of a quarter of the memory for clients.
func (l Limits) outboxBytesPerAddress(memory int64) int {
	quarter := int(memory / 4)
	if quarter == 0 || l.OutboxBytesPerAddress == 0 {
		return max(quarter, l.OutboxBytesPerAddress)
	}
	return min(quarter, l.OutboxBytesPerAddress)
}

func (l Limits) rates() limits.Options {
	return limits.Options{
		PerAddress: limits.Rates{Opens: l.OpensPerAddress, Posts: l.PostsPerAddress, Events: l.EventsPerAddress, Tellings: l.ReceiversPerAddress},
		PerSocket:  limits.Rates{Opens: l.OpensPerSocket, Posts: l.PostsPerSocket, Events: l.EventsPerSocket, Tellings: l.ReceiversPerSocket},

		MonitoringPerAddress: l.MonitoringPerAddress,
		RequestsPerAddress:   l.RequestsPerAddress,
		ReadingPerAddress:    2 * l.MaxSocketsPerAddress, // during a take-over a socket has two readers for a moment
		BytesPerAddress:      l.RequestBytesPerAddress,
	}
}
