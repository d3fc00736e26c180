package conns

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"signaling-server/httpapi/clientip"
	"signaling-server/internal/budget"
)

// What one connection is taken to hold, in bytes: its buffers, its goroutines and
// its entries here. Measured are, of the process's resident memory, 19 KB for an
// idle one of HTTP/1 and 30 KB for HTTP/2; with TLS 39 KB and 47 KB.
const (
	Cost    = 24 << 10
	TLSCost = 48 << 10
)

// Reason is why the guard closed a connection.
type Reason string

// The reasons.
const (
	AddressFull   Reason = "address full"   // a new one: all others of its address are in use
	ReserveFull   Reason = "reserve full"   // in the reserve, to make room for a newer one, or a new one
	MadeRoom      Reason = "made room"      // idle, to make room for a newer one
	Unserved      Reason = "unserved"       // before its first request, to make room for a newer one of its address
	HeaderTimeout Reason = "header timeout" // its first request did not arrive in time
	IdleTimeout   Reason = "idle timeout"   // its next request did not arrive in time
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{AddressFull, ReserveFull, MadeRoom, Unserved, HeaderTimeout, IdleTimeout}
}

// Options say how many connections there may be. Zero: no limit.
type Options struct {
	// PerAddress is how many one network (see clientip.Network) may have. It is at
	// most half of InAll, and no more than a quarter of the budget has room for.
	PerAddress int
	// InAll is how many there may be, without those in the reserve.
	InAll int
	// Reserve is how many there may be beyond InAll. They are for operators and
	// probes: see [InReserve].
	Reserve int
	// Exempt are proxies, for whose addresses PerAddress is no limit.
	Exempt clientip.Proxies

	// HeaderTimeout is how long the TLS handshake and the first request's header
	// may take together, and IdleTimeout how long the next request may take. Both
	// are shorter in a crowd.
	HeaderTimeout, IdleTimeout time.Duration

	// Budget is charged with Cost bytes for each connection; nil: nothing is. A
	// Cost of 0 is the constant [Cost].
	Budget *budget.Budget
	Cost   int

	// OnClosed is called for each connection that the guard closes. It must not
	// block. Nil: it is not called.
	OnClosed func(Reason)
}

// Guard counts connections. Any goroutine may call its methods at once.
type Guard struct {
	// set once
	perAddress int
	inAll      int
	reserved   int
	cost       int
	few        int // an address with more connections is a crowd
	options    Options
	started    time.Time

	mu      sync.Mutex // guards what follows, and is held for look-ups only
	owners  map[netip.Prefix]*owner
	crowds  map[*owner]struct{} // those that have more than a few in a state that is crowded
	queues  [states]queue       // all connections but those of the reserve
	reserve queue
}

// New returns a guard that has counted nothing yet.
func New(o Options) *Guard {
	g := &Guard{
		perAddress: o.PerAddress,
		inAll:      o.InAll,
		reserved:   o.Reserve,
		cost:       cmp.Or(o.Cost, Cost),
		few:        few,
		options:    o,
		started:    time.Now(),
		owners:     make(map[netip.Prefix]*owner),
		crowds:     make(map[*owner]struct{}),
		reserve:    queue{link: amongAll},
	}
	for s := range g.queues {
		g.queues[s].link = amongAll
	}
	if o.InAll > 0 {
		g.few = min(few, max(1, o.InAll/16))
	}
	if g.perAddress > 0 {
		g.perAddress = atMost(g.perAddress, o.InAll/2)
		g.perAddress = atMost(g.perAddress, int(o.Budget.Limit()/4)/g.cost)
	}
	return g
}

// atMost applies a bound, if there is one, that leaves at least one.
func atMost(count, bound int) int {
	if bound <= 0 {
		return count
	}
	return max(1, min(count, bound))
}

// PerAddress returns how many connections one address may have, 0 if there is no
// limit.
func (g *Guard) PerAddress() int { return g.perAddress }

// Listen returns a listener whose connections are counted.
func (g *Guard) Listen(l net.Listener) net.Listener { return listener{l, g} }

// ConnState is for the field of that name of http.Server.
func (g *Guard) ConnState(connection net.Conn, state http.ConnState) {
	c := ours(connection)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		g.enter(c, active)
	case http.StateIdle:
		g.enter(c, idle)
	case http.StateClosed:
		g.forget(c)
	}
}

type contextKey struct{}

// ConnContext is for the field of that name of http.Server. It lets handlers ask
// for [InReserve] and [IsWriting].
func (g *Guard) ConnContext(ctx context.Context, connection net.Conn) context.Context {
	if c := ours(connection); c != nil {
		return context.WithValue(ctx, contextKey{}, c)
	}
	return ctx
}

// InReserve reports whether a request came over a connection of the reserve: it
// is answered only if it is an operator's or a probe's.
func InReserve(ctx context.Context) bool {
	c, ok := ctx.Value(contextKey{}).(*conn)
	return ok && c.owner == nil
}

// NetworkOf returns the network that the connection of a request comes from, and
// reports false if no guard counts that connection.
func NetworkOf(ctx context.Context) (network netip.Prefix, ok bool) {
	if c, ok := ctx.Value(contextKey{}).(*conn); ok {
		return c.network, true
	}
	return netip.Prefix{}, false
}

// IsWriting reports whether something is being written to the connection of a
// request at this moment, which may mean that its client does not read.
func IsWriting(ctx context.Context) bool {
	c, ok := ctx.Value(contextKey{}).(*conn)
	return ok && c.writing.Load()
}

// Counts are how many connections there are.
type Counts struct {
	New     int // in the TLS handshake, or in the header of the first request
	Active  int // with a request under way
	Idle    int // waiting for the next request
	Reserve int // in the reserve, whatever they do
}

// Counts counts the connections.
func (g *Guard) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Counts{g.queues[fresh].count, g.queues[active].count, g.queues[idle].count, g.reserve.count}
}

func (g *Guard) now() time.Duration { return time.Since(g.started) }

// closed reports a connection that the guard closed.
func (g *Guard) closed(why Reason) {
	if g.options.OnClosed != nil {
		g.options.OnClosed(why)
	}
}
