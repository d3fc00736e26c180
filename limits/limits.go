// Package limits bounds how much anyone may ask of the server in a second, by token
// buckets for each network and for each socket.
package limits

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Name names a limit, for those who count refusals.
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

// Names lists all limits.
func Names() []Name {
	return []Name{
		OpensPerAddress, OpensPerSocket, PostsPerAddress, PostsPerSocket, EventsPerAddress, EventsPerSocket, GuessesPerAddress, IceServersPerSocket, TellingsPerAddress, TellingsPerSocket,
		MonitoringPerAddress, SilencesPerAddress, SilencesInAll,
		RequestsPerAddress, ReadingPerAddress,
		BytesPerAddress,
	}
}

// Rates are how often each thing may be done in a second, on the average. For a
// short while it may be done more often: what may be done in [Burst]. Zero: as
// often as anyone likes.
type Rates struct {
	Opens  int // streams and polls that begin
	Posts  int // requests that send events
	Events int // events in them

	Tellings int // receivers of what is told to whole rooms
}

// Burst is how much of what was not used may be done at once.
const Burst = 5 * time.Second

// What nobody needs to do often, and so is no setting: in a second, on the
// average.
const (
	guesses    = 2 // wrong secrets, from one network
	iceServers = 2 // requests for ICE servers, of one socket
)

// maxRemembered is how many networks, and how many sockets, are remembered. Of
// the one that was not seen for the longest a new start is granted: memory has an
// end, and how many addresses an attacker may have has none.
const maxRemembered = 1 << 15

// Options say what the limits are. Zero: none.
type Options struct {
	PerAddress Rates // of one network: see clientip.Network
	PerSocket  Rates
	// MonitoringPerAddress is how much one network may ask of the monitoring in a
	// second: see [Limits.Monitor].
	MonitoringPerAddress int
	// RequestsPerAddress is how many requests one network may have under way that are
	// neither streams nor polls, and ReadingPerAddress how many of those, with those
	// that are being refused or taken over.
	RequestsPerAddress, ReadingPerAddress int
	// BytesPerAddress is how many bytes the bodies of one network's requests under way
	// may take together.
	BytesPerAddress int
}

// Limits counts what is asked. Any goroutine may call its methods at once.
type Limits struct {
	perAddress Rates
	perSocket  Rates
	networks   *lru.Cache[netip.Prefix, *buckets]
	sockets    *lru.Cache[string, *buckets]
	watchers   watchers
	underWay   underWay
	maxBytes   int

	mu    sync.Mutex           // guards what follows; held for look-ups only
	bytes map[netip.Prefix]int // of requests under way
}

// New makes limits that nothing counts against yet.
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
		panic(err) // only for a size that is not positive
	}
	return cache
}

// Exceeded is the error of whoever asked too much.
type Exceeded struct {
	Limit      Name
	RetryAfter time.Duration // until it would be granted
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

// Post asks whether a network may send a request with events, whoever it is for.
func (l *Limits) Post(network netip.Prefix) error {
	return l.ofNetwork(network).posts.take(1, PostsPerAddress)
}

// Send asks whether a socket may send so many events, in one request from a
// network. None of them is to be accepted where the error says no.
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

// Guess asks whether a network may try a secret. Only one that is not right costs
// it anything; when it has tried too many, a right one is not heard either.
func (l *Limits) Guess(network netip.Prefix, isRight bool) error {
	return l.ofNetwork(network).guesses.ask(1, !isRight, GuessesPerAddress)
}

// IceServers asks whether a socket may be told its ICE servers.
func (l *Limits) IceServers(socketID string) error {
	return l.ofSocket(socketID).iceServers.take(1, IceServersPerSocket)
}

func (l *Limits) ofNetwork(network netip.Prefix) *buckets {
	return remembered(l.networks, network, l.perAddress)
}

func (l *Limits) ofSocket(socketID string) *buckets {
	return remembered(l.sockets, socketID, l.perSocket)
}

func remembered[K comparable](cache *lru.Cache[K, *buckets], key K, rates Rates) *buckets {
	if b, ok := cache.Get(key); ok {
		return b
	}
	b := newBuckets(rates)
	if before, ok, _ := cache.PeekOrAdd(key, b); ok {
		return before // another request was faster
	}
	return b
}

// buckets are what one network or socket may still ask.
type buckets struct{ opens, posts, events, guesses, iceServers, tellings bucket }

func newBuckets(r Rates) *buckets {
	return &buckets{newBucket(r.Opens), newBucket(r.Posts), newBucket(r.Events), newBucket(guesses), newBucket(iceServers), newBucket(r.Tellings)}
}

// bucket refills steadily. The zero one never empties.
type bucket struct{ limiter *rate.Limiter }

func newBucket(perSecond int) bucket {
	if perSecond == 0 {
		return bucket{}
	}
	return bucket{rate.NewLimiter(rate.Limit(perSecond), perSecond*int(Burst/time.Second))}
}

// take takes so many tokens, or all that a full bucket holds, which is the most
// that can be asked.
func (b bucket) take(count int, limit Name) error { return b.ask(count, true, limit) }

// ask asks whether the bucket holds so many tokens, and takes them if it is to.
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
