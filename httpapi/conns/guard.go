package conns

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/httpapi/clientip"
	"signaling-server/internal/budget"
)

// What one connection costs the budget, in bytes: its buffers, its goroutines and its
// entries here. An idle connection was measured to hold 19 KB of resident memory with
// HTTP/1 and 30 KB with HTTP/2. With TLS it holds 39 KB and 47 KB.
const (
	Cost    = 24 << 10
	TLSCost = 48 << 10
)

// Reason is why the guard closed a connection.
type Reason string

// The reasons. In their comments “it” is the connection that the guard closed.
const (
	AddressFull   Reason = "address full"    // it was new, and all other connections of its address were in use
	ReserveFull   Reason = "reserve full"    // the reserve had no room for it, or needed its place
	MadeRoom      Reason = "made room"       // it was idle, and made room for a new connection
	Unserved      Reason = "unserved"        // it had no request yet, and made room for a new connection of its address
	HeaderTimeout Reason = "header timeout"  // its first request did not arrive in time
	IdleTimeout   Reason = "idle timeout"    // its next request did not arrive in time
	NoProxyHeader Reason = "no proxy header" // it came from a proxy, without a PROXY header in time
	HeaderMemory  Reason = "header memory"   // its header was not complete, and the budget had no room for it
	TooManyFields Reason = "too many fields" // its header had more fields than MaxFields
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{AddressFull, ReserveFull, MadeRoom, Unserved, HeaderTimeout, IdleTimeout, NoProxyHeader, HeaderMemory, TooManyFields}
}

// Options say how many connections there may be. Zero means no limit.
type Options struct {
	// PerAddress is how many connections one network (see clientip.Network) may have. It
	// is lowered to half of InAll, and to what a quarter of the budget has room for.
	PerAddress int
	// InAll is how many connections there may be, not counting the reserve.
	InAll int
	// Reserve is how many connections there may be beyond InAll. They are for operators
	// and probes: see [InReserve].
	Reserve int
	// Exempt are proxies. PerAddress does not apply to their addresses.
	Exempt clientip.Proxies
	// ProxyProtocol demands a PROXY header (versions 1 and 2) of each connection from a
	// proxy in Exempt. The connection then counts as that of the client that the header
	// names. Connections from other addresses are served without such a header.
	ProxyProtocol bool

	// HeaderTimeout is how long the TLS handshake and the header of the first request
	// may take together. It is shorter in a crowd.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. It is shorter
	// in a crowd.
	IdleTimeout time.Duration

	// Budget is charged with Cost bytes for each connection. It may be nil.
	Budget *budget.Budget
	// Cost is what a connection costs, in bytes. Zero means the constant [Cost]. A header
	// that is not complete costs more.
	Cost int
	// MaxHeader is how many bytes the header of a request over HTTP/2 may have.
	MaxHeader int

	// OnClosed is called for each connection that the guard closes, by any goroutine, with
	// the address of the other end: the client's or, if there is one, the proxy's. The
	// address is zero on a Unix socket. OnClosed must not block. It may be nil.
	OnClosed func(why Reason, peer netip.Addr)
}

// Guard counts connections. Several goroutines may call its methods at once.
type Guard struct {
	// Set once.
	perAddress int
	inAll      int
	reserved   int
	cost       int
	few        int // an address with more connections than this is a crowd
	options    Options
	started    time.Time

	lot atomic.Pointer[lot] // nil: nothing is parked, because Run does not run or the system cannot

	mu      sync.Mutex // guards what follows; held for look-ups only
	owners  map[netip.Prefix]*owner
	crowds  map[*owner]struct{} // the owners with more fresh connections, or more idle connections, than few
	queues  [states]queue       // all connections outside the reserve
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

// atMost bounds a count, but leaves at least 1. A bound of 0 or less is not a bound.
func atMost(count, bound int) int {
	if bound <= 0 {
		return count
	}
	return max(1, min(count, bound))
}

// PerAddress returns how many connections one address may have, or 0 if there is no
// limit.
func (g *Guard) PerAddress() int { return g.perAddress }

// Listen returns a listener whose connections are counted. It accepts from now on, so it must
// be closed.
func (g *Guard) Listen(l net.Listener) net.Listener { return g.listen(l, nil) }

func (g *Guard) listen(l net.Listener, plain *plainServer) net.Listener {
	guarded := &listener{Listener: l, guard: g, plain: plain, accepted: make(chan accepted), closed: make(chan struct{}), awoke: make(chan struct{}, 1)}
	guarded.accepting.Go(guarded.acceptNew)
	return guarded
}

// ConnState is the value for the field ConnState of http.Server.
func (g *Guard) ConnState(connection net.Conn, state http.ConnState) {
	c := ours(connection)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		c.header.begin()
		g.enter(c, active)
		if !c.header.isHTTP2.Load() && isHTTP2(connection) {
			g.payForHTTP2(c)
		}
	case http.StateIdle:
		g.enter(c, idle)
		c.header.end()
		if c.isHTTP1(connection) {
			c.sleep.stage.Store(answered)
		}
	case http.StateClosed:
		if c.isAsleep() {
			g.fallAsleep(c)
		} else {
			g.forget(c)
		}
	}
}

type contextKey struct{}

// ConnContext is the value for the field ConnContext of http.Server. Handlers need it for
// [InReserve], [NetworkOf], [WasEncrypted], [IsWriting] and [Guard.CanPark].
func (g *Guard) ConnContext(ctx context.Context, connection net.Conn) context.Context {
	if c := ours(connection); c != nil {
		c.isCovered = connection != net.Conn(c)
		return context.WithValue(ctx, contextKey{}, c)
	}
	return ctx
}

// InReserve reports whether a request came over a connection of the reserve. Such a
// request is answered only if it comes from an operator or a probe.
func InReserve(ctx context.Context) bool {
	c, ok := ctx.Value(contextKey{}).(*conn)
	return ok && c.owner == nil
}

// NetworkOf returns the network that the connection of a request comes from. It returns
// false if no guard counts that connection.
func NetworkOf(ctx context.Context) (network netip.Prefix, ok bool) {
	if c, ok := ctx.Value(contextKey{}).(*conn); ok {
		return c.network, true
	}
	return netip.Prefix{}, false
}

// WasEncrypted reports whether a proxy received the connection of a request by TLS, as
// the PROXY header says.
func WasEncrypted(ctx context.Context) bool {
	c, ok := ctx.Value(contextKey{}).(*conn)
	return ok && c.wasEncrypted
}

// IsWriting reports whether something is being written to the connection of a request at
// this moment. That may mean that the client does not read.
func IsWriting(ctx context.Context) bool {
	c, ok := ctx.Value(contextKey{}).(*conn)
	return ok && c.writing.Load()
}

// Counts says how many connections there are.
type Counts struct {
	New     int // in the TLS handshake, or in the header of the first request
	Active  int // with a request under way
	Idle    int // waiting for the next request
	Reserve int // in the reserve, in any state
}

// Counts returns how many connections there are now.
func (g *Guard) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Counts{g.queues[fresh].count, g.queues[active].count, g.queues[idle].count, g.reserve.count}
}

// now returns the time since the guard was made. A Duration is smaller than a time.Time.
func (g *Guard) now() time.Duration { return time.Since(g.started) }

// closed reports a connection that the guard closed.
func (g *Guard) closed(v victim) {
	if g.options.OnClosed != nil {
		g.options.OnClosed(v.reason, addressOf(bare(v.conn.Conn).RemoteAddr()))
	}
}
