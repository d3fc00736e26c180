// Package limits bounds what clients may ask of the server. Token buckets, for each
// network and each socket, bound how much they ask in a second. Counts for each network
// bound how many requests, and how many bytes of them, are under way at once.
package limits

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
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

	Tellings int // receivers of events to whole rooms; a large event counts as several: see [Limits.Tell]
}

// Burst is the time for which unused rate is saved up.
const Burst = 5 * time.Second

// Rates in a second, on average. They are not settings, because no honest client needs
// more.
const (
	guesses    = 2 // wrong secrets from one network
	iceServers = 2 // requests for ICE servers from one socket
)

// maxRemembered is how many networks, and how many sockets, have buckets. Beyond it the
// least recently seen starts afresh: an attacker's addresses are unlimited, memory is
// not.
const maxRemembered = 1 << 15

// Options say what the limits are. Zero means no limit.
type Options struct {
	PerAddress Rates // of one network: see clientip.Network
	PerSocket  Rates
	// MonitoringPerAddress is how many monitoring answers one network may get in a
	// second. A long list counts as several: see [Limits.Monitor].
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

// Limits counts what clients ask. Several goroutines may call its methods at once. Its
// methods return nil if something is allowed, and an [*Exceeded] if it is not.
type Limits struct {
	// Set once. What they point to guards itself.
	perAddress Rates
	perSocket  Rates
	networks   *lru.Cache[netip.Prefix, *buckets]
	sockets    *lru.Cache[string, *buckets]
	watchers   watchers
	underWay   underWay
	maxBytes   int

	mu    sync.Mutex           // guards bytes; held for look-ups only
	bytes map[netip.Prefix]int // bytes of the requests under way
}

// New returns limits against which nothing has been counted yet.
func New(o Options) *Limits {
	return &Limits{
		perAddress: o.PerAddress,
		perSocket:  o.PerSocket,
		networks:   newCache[netip.Prefix](),
		sockets:    newCache[string](),
		watchers:   newWatchers(o.MonitoringPerAddress),
		underWay:   newUnderWay(o),
		maxBytes:   o.BytesPerAddress,
		bytes:      make(map[netip.Prefix]int),
	}
}

func newCache[K comparable]() *lru.Cache[K, *buckets] {
	cache, err := lru.New[K, *buckets](maxRemembered)
	if err != nil {
		panic(err) // only if the size is not positive
	}
	return cache
}

// Exceeded is the error for a client that asked too much.
type Exceeded struct {
	Limit      Name
	RetryAfter time.Duration // until the same request would be allowed; 0 if that is unknown
}

// Error implements error.
func (e *Exceeded) Error() string { return fmt.Sprintf("limits: too many %s", e.Limit) }

// Open asks whether a network may have a new socket.
func (l *Limits) Open(network netip.Prefix) error {
	return l.ofNetwork(network).opens.take(1, OpensPerAddress)
}

// Resume asks whether a socket may be read once more.
func (l *Limits) Resume(socketID string) error {
	return l.ofSocket(socketID).opens.take(1, OpensPerSocket)
}

// Post asks whether a network may send a request with events, for any socket.
func (l *Limits) Post(network netip.Prefix) error {
	return l.ofNetwork(network).posts.take(1, PostsPerAddress)
}

// Send asks whether a socket may send this many events in one request from a network. If
// it returns an error, the caller must accept none of them.
func (l *Limits) Send(network netip.Prefix, socketID string, events int) error {
	socket := l.ofSocket(socketID)
	if err := socket.posts.take(1, PostsPerSocket); err != nil {
		return err
	}
	if err := socket.events.take(events, EventsPerSocket); err != nil {
		return err
	}
	return l.ofNetwork(network).events.take(events, EventsPerAddress)
}

// Guess asks whether a network may try a secret. Only a wrong secret counts. After too
// many wrong secrets, even the right secret is refused.
func (l *Limits) Guess(network netip.Prefix, isRight bool) error {
	return l.ofNetwork(network).guesses.ask(1, !isRight, GuessesPerAddress)
}

// IceServers asks whether a socket may receive its ICE servers.
func (l *Limits) IceServers(socketID string) error {
	return l.ofSocket(socketID).iceServers.take(1, IceServersPerSocket)
}

func (l *Limits) ofNetwork(network netip.Prefix) *buckets {
	return remembered(l.networks, network, l.perAddress)
}

func (l *Limits) ofSocket(socketID string) *buckets {
	return remembered(l.sockets, socketID, l.perSocket)
}

// remembered returns the buckets of a network or a socket, full if it is new.
func remembered[K comparable](cache *lru.Cache[K, *buckets], key K, rates Rates) *buckets {
	if b, ok := cache.Get(key); ok {
		return b
	}
	b := newBuckets(rates)
	if before, ok, _ := cache.PeekOrAdd(key, b); ok {
		return before // another request has just added it
	}
	return b
}

// buckets hold what one network or socket may still ask. They guard themselves.
type buckets struct{ opens, posts, events, guesses, iceServers, tellings bucket }

func newBuckets(r Rates) *buckets {
	return &buckets{newBucket(r.Opens), newBucket(r.Posts), newBucket(r.Events), newBucket(guesses), newBucket(iceServers), newBucket(r.Tellings)}
}

// bucket refills at a steady rate. The zero bucket never becomes empty.
type bucket struct{ limiter *rate.Limiter }

func newBucket(perSecond int) bucket {
	if perSecond == 0 {
		return bucket{}
	}
	return bucket{rate.NewLimiter(rate.Limit(perSecond), perSecond*int(Burst/time.Second))}
}

// take takes this many tokens. If a full bucket holds fewer, take takes a full bucket:
// otherwise the request would never be allowed.
func (b bucket) take(count int, limit Name) error { return b.ask(count, true, limit) }

// ask asks whether the bucket holds this many tokens, and takes them if take is true.
func (b bucket) ask(count int, take bool, limit Name) error {
	if b.limiter == nil {
		return nil
	}
	now := time.Now()
	reserved := b.limiter.ReserveN(now, min(count, b.limiter.Burst()))
	if wait := reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
		return &Exceeded{Limit: limit, RetryAfter: wait}
	}
	if !take {
		reserved.CancelAt(now)
	}
	return nil
}
