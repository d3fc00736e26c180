// Package limits bounds what clients may ask of the server. Token buckets, for each
// network and each socket, bound how much they ask in a second. Counts for each network
// bound how many requests, and how many bytes of them, are under way at once.
//
// What is counted for a network is a [Network], which [Limits] finds. What is counted for
// a socket is a [Socket], which the socket itself keeps. No lock is common to all requests.
package limits

import (
	"fmt"
	"time"
)

// Name names a limit. Metrics count refusals by it.
type Name string

// The limits.
const (
	OpensPerAddress     Name = "opens per address"
	OpensPerSocket      Name = "opens per socket"
	PostsPerAddress     Name = "posts per address"
	PostsPerSocket      Name = "posts per socket"
	EventsPerAddress    Name = "events per address"
	EventsPerSocket     Name = "events per socket"
	GuessesPerAddress   Name = "guesses per address"
	IceServersPerSocket Name = "ICE servers per socket"
	BytesPerAddress     Name = "request bytes per address"

	// An event to a whole room costs the server something for each receiver.
	TellingsPerAddress Name = "receivers per address"
	TellingsPerSocket  Name = "receivers per socket"

	MonitoringPerAddress Name = "monitoring per address"
	SilencesPerAddress   Name = "silent streams per address"
	SilencesInAll        Name = "silent streams"
	RequestsPerAddress   Name = "requests per address"
	ReadingPerAddress    Name = "reading requests per address"
)

// Names returns the names of all limits.
func Names() []Name {
	return []Name{
		OpensPerAddress, OpensPerSocket, PostsPerAddress, PostsPerSocket, EventsPerAddress, EventsPerSocket, GuessesPerAddress, IceServersPerSocket, TellingsPerAddress, TellingsPerSocket,
		MonitoringPerAddress, SilencesPerAddress, SilencesInAll,
		RequestsPerAddress, ReadingPerAddress,
		BytesPerAddress,
	}
}

// Rates say how often a client may do each thing in a second, on average. Unused rate
// is saved up for at most [Burst], so a short burst may be faster. Zero means no limit.
type Rates struct {
	Opens  int // streams and polls that begin
	Posts  int // requests that send events
	Events int // events in those requests

	Tellings int // receivers of events to whole rooms; a large event counts as several: see [Network.Tell]
}

// Burst is the time for which unused rate is saved up.
const Burst = 5 * time.Second

// Rates in a second, on average. They are not settings, because no honest client needs
// more.
const (
	guesses    = 2 // wrong secrets from one network
	iceServers = 2 // requests for ICE servers from one socket
)

// Options say what the limits are. Zero means no limit.
type Options struct {
	PerAddress Rates // of one network: see clientip.Network
	PerSocket  Rates
	// MonitoringPerAddress is how many monitoring answers one network may get in a
	// second. A long list counts as several: see [Network.Monitor].
	MonitoringPerAddress int
	// RequestsPerAddress is how many requests one network may have under way, without
	// streams and polls.
	RequestsPerAddress int
	// ReadingPerAddress is how many streams and polls one network may have under way,
	// including those that are being refused or taken over.
	ReadingPerAddress int
	// BytesPerAddress is how many bytes the bodies of one network's requests under way
	// may have together.
	BytesPerAddress int
}

// Limits counts what clients ask. Several goroutines may call its methods at once, and
// those of its networks and sockets. They return nil if something is allowed, and an
// [*Exceeded] if it is not.
type Limits struct {
	// Set once. What they point to guards itself.
	perAddress Rates
	perSocket  Rates
	monitoring int
	most       [kinds]int // requests of one network under way
	maxBytes   int
	started    time.Time
	networks   *networks
}

// New returns limits against which nothing has been counted yet.
func New(o Options) *Limits {
	return &Limits{
		perAddress: o.PerAddress,
		perSocket:  o.PerSocket,
		monitoring: o.MonitoringPerAddress,
		most:       [kinds]int{Short: o.RequestsPerAddress, Reading: o.ReadingPerAddress, Urgent: maxUrgent, Refusing: maxRefusing},
		maxBytes:   o.BytesPerAddress,
		started:    time.Now(),
		networks:   newNetworks(),
	}
}

// now returns the time since the limits were made.
func (l *Limits) now() time.Duration { return time.Since(l.started) }

// Exceeded is the error for a client that asked too much.
type Exceeded struct {
	Limit      Name
	RetryAfter time.Duration // until the same request would be allowed; 0 if that is unknown
}

// Error implements error.
func (e *Exceeded) Error() string { return fmt.Sprintf("limits: too many %s", e.Limit) }

// Socket is what one socket may still ask for. The zero Socket has not asked for anything
// yet. It is kept with the socket, and must not be copied.
type Socket struct{ opens, posts, events, iceServers, tellings bucket }

// Resume asks whether a socket may be read once more.
func (l *Limits) Resume(s *Socket) error {
	return s.opens.take(1, l.perSocket.Opens, l.now(), OpensPerSocket)
}

// IceServers asks whether a socket may receive its ICE servers.
func (l *Limits) IceServers(s *Socket) error {
	return s.iceServers.take(1, iceServers, l.now(), IceServersPerSocket)
}

// Open asks whether a network may have a new socket.
func (n *Network) Open() error {
	return n.opens.take(1, n.limits.perAddress.Opens, n.limits.now(), OpensPerAddress)
}

// Post asks whether a network may send a request with events, for any socket.
func (n *Network) Post() error {
	return n.posts.take(1, n.limits.perAddress.Posts, n.limits.now(), PostsPerAddress)
}

// Send asks whether a socket may send this many events in one request from a network. If
// it returns an error, the caller must accept none of them.
func (n *Network) Send(s *Socket, events int) error {
	now := n.limits.now()
	if err := s.posts.take(1, n.limits.perSocket.Posts, now, PostsPerSocket); err != nil {
		return err
	}
	if err := s.events.take(events, n.limits.perSocket.Events, now, EventsPerSocket); err != nil {
		return err
	}
	return n.events.take(events, n.limits.perAddress.Events, now, EventsPerAddress)
}

// Tell asks whether a socket of a network may send an event to this many receivers. A
// caller counts a large event as several receivers.
func (n *Network) Tell(s *Socket, receivers int) error {
	now := n.limits.now()
	if err := s.tellings.take(receivers, n.limits.perSocket.Tellings, now, TellingsPerSocket); err != nil {
		return err
	}
	return n.tellings.take(receivers, n.limits.perAddress.Tellings, now, TellingsPerAddress)
}

// Guess asks whether a network may try a secret. Only a wrong secret counts. After too
// many wrong secrets, even the right secret is refused.
func (n *Network) Guess(isRight bool) error {
	if isRight {
		return n.guesses.has(guesses, n.limits.now(), GuessesPerAddress)
	}
	return n.guesses.take(1, guesses, n.limits.now(), GuessesPerAddress)
}

// Monitor asks whether a network may get a monitoring answer. Its cost is 1 for a short
// answer, and more for a long list.
func (n *Network) Monitor(cost int) error {
	return n.monitoring.take(cost, n.limits.monitoring, n.limits.now(), MonitoringPerAddress)
}
