package conns

import (
	"net"
	"net/netip"

	"signaling-server/httpapi/clientip"
)

// owner is a network that has connections. The guard's mu guards all of it.
type owner struct {
	network  netip.Prefix
	isExempt bool // it is a trusted proxy
	isCrowd  bool // it is among the guard's crowds
	queues   [states]queue
	count    int // of connections in all queues
}

// victim is a connection to close, with the reason.
type victim struct {
	conn   *conn
	reason Reason
}

// end reports the reason and closes the connection, in this order: when a client sees
// that its connection is closed, the metrics already count it. The guard's mu must not be
// held.
func (v victim) end() {
	v.conn.guard.closed(v)
	if v.reason == IdleTimeout {
		_ = v.conn.Conn.Close() // a slow client still gets what is on its way
	} else {
		reset(v.conn.Conn)
	}
}

// admit counts a new connection of a listener, and closes others to make room for it. If
// there is still no room, it closes the new connection and returns nil.
func (g *Guard) admit(accepted net.Conn, home *listener) *conn {
	c := &conn{Conn: accepted, guard: g, home: home}
	address := addressOf(accepted.RemoteAddr())
	if g.options.ProxyProtocol && g.options.Exempt.Trust(address) {
		c.Conn = withProxyHeader(c)
	}
	g.mu.Lock()
	victims := g.place(c, address)
	isRefused := c.gone
	g.mu.Unlock()
	for _, v := range victims {
		v.end()
	}
	if isRefused {
		return nil
	}
	return c
}

// place finds a place for a new connection from an address, and returns the connections
// to close for it. If there is no place, it returns the new connection itself.
func (g *Guard) place(c *conn, address netip.Addr) (victims []victim) {
	c.network = clientip.Network(address)
	isExempt := g.options.Exempt.Trust(address)
	if isExempt {
		c.network = netip.PrefixFrom(address, address.BitLen()) // its neighbours are not exempt
	}
	o := g.ownerOf(c.network, isExempt)
	defer g.tidy(o)
	goes, isWelcome := g.makeRoom(o)
	if !isWelcome {
		c.gone = true
		return []victim{{c, AddressFull}}
	}
	if goes.conn != nil {
		g.remove(goes.conn)
		g.owners[o.network] = o // remove forgets an owner that has lost its last connection
		victims = []victim{goes}
	}
	victims = append(victims, g.makeMemory()...)
	if g.isFull() || !g.pays(o, g.cost) {
		return append(victims, g.placeInReserve(c)...)
	}
	c.owner = o
	g.put(c, fresh)
	return victims
}

// makeRoom returns the connection that must be closed before an owner can have a new
// connection, if any. isWelcome reports whether the owner may have a new connection at
// all.
func (g *Guard) makeRoom(o *owner) (goes victim, isWelcome bool) {
	isBounded := g.perAddress > 0 && !o.isExempt
	switch {
	case isBounded && o.count >= g.perAddress:
		return victim{o.queues[idle].first, MadeRoom}, o.queues[idle].count > 0
	case isBounded && o.queues[fresh].count >= max(1, g.perAddress/2):
		return victim{o.queues[fresh].first, Unserved}, true // an honest client has been served by then
	case g.isFull():
		return victim{g.leastMissed(), MadeRoom}, true
	}
	return victim{}, true
}

// makeMemory returns the connections to close before the budget has room for another one, and
// stops counting them. An address with few connections loses none because of it. A connection
// that sleeps gives back little, so there may have to be several.
func (g *Guard) makeMemory() (victims []victim) {
	for range 1 + g.cost/sleepingCost {
		if !g.isShortOfMemory() {
			break
		}
		goes := g.leastMissedOfCrowds()
		if goes == nil {
			break
		}
		g.remove(goes)
		victims = append(victims, victim{goes, MadeRoom})
	}
	return victims
}

// pays charges bytes of a connection to the budget, and reports whether there was room
// for them in the owner's share. For a proxy only the whole budget counts: it serves many
// clients. A connection in the reserve has no owner, and the reserve is small.
func (g *Guard) pays(o *owner, bytes int) bool {
	switch {
	case o == nil:
		g.options.Budget.Charge(bytes)
		return true
	case o.isExempt:
		return g.options.Budget.Take(bytes)
	}
	return g.options.Budget.TakeFor(o.network, bytes)
}

// isFull reports whether there is no room for another connection from any address.
func (g *Guard) isFull() bool { return g.inAll > 0 && g.total() >= g.inAll }

// isShortOfMemory reports whether the budget has no room for another connection.
func (g *Guard) isShortOfMemory() bool {
	limit := g.options.Budget.Limit()
	return limit > 0 && g.options.Budget.Used()+int64(g.cost) > limit
}

func (g *Guard) total() (count int) {
	for s := range g.queues {
		count += g.queues[s].count
	}
	return count
}

// leastMissed returns the connection to close first if there are too many in all, or nil.
// It is the oldest idle connection of the address with the most connections. If no
// address has many, it is the oldest idle connection of all.
func (g *Guard) leastMissed() *conn {
	if c := g.leastMissedOfCrowds(); c != nil {
		return c
	}
	return g.queues[idle].first
}

// leastMissedOfCrowds returns the oldest idle connection of the address that has the most
// connections, or nil if no address has many.
func (g *Guard) leastMissedOfCrowds() *conn {
	var most *owner
	for o := range g.crowds {
		if o.queues[idle].count > 0 && (most == nil || o.count > most.count) {
			most = o
		}
	}
	if most == nil {
		return nil
	}
	return most.queues[idle].first
}

// placeInReserve does what place does, in the reserve. One address may have at most half
// of the reserve.
func (g *Guard) placeInReserve(c *conn) (victims []victim) {
	counts := make(map[netip.Prefix]int)
	for other := g.reserve.first; other != nil; other = other.links[amongAll].after {
		counts[other.network]++
	}
	var goes *conn
	isAtShare := counts[c.network] >= max(1, g.reserved/2)
	if isAtShare || g.reserve.count >= g.reserved {
		for other := g.reserve.first; other != nil; other = other.links[amongAll].after {
			if other.state == active || isAtShare && other.network != c.network {
				continue
			}
			if goes == nil || counts[other.network] > counts[goes.network] {
				goes = other
			}
		}
		if goes == nil {
			c.gone = true
			return []victim{{c, ReserveFull}}
		}
		g.remove(goes)
		victims = []victim{{goes, ReserveFull}}
	}
	g.options.Budget.Charge(g.cost)
	c.state, c.since = fresh, g.now()
	g.reserve.push(c)
	return victims
}

// relieve closes an idle connection. It is called if the process has no file descriptor
// left.
func (g *Guard) relieve() {
	g.mu.Lock()
	goes := g.leastMissed()
	if goes != nil {
		g.remove(goes)
	}
	g.mu.Unlock()
	if goes != nil {
		victim{goes, MadeRoom}.end()
	}
}
