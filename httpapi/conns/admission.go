package conns

import (
	"net"
	"net/netip"

	"signaling-server/httpapi/clientip"
)

// owner is a network that has connections. All of it is guarded by the guard's mu.
type owner struct {
	network  netip.Prefix
	isExempt bool
	isCrowd  bool // it is among the guard's crowds
	queues   [states]queue
	count    int
}

// victim is a connection that is to be closed, and why.
type victim struct {
	conn   *conn
	reason Reason
}

// end closes the connection. The guard's mu must not be held.
func (v victim) end() {
	if v.reason == IdleTimeout {
		_ = v.conn.Conn.Close() // what is on its way to a slow client still arrives
	} else {
		reset(v.conn.Conn)
	}
	v.conn.guard.closed(v.reason)
}

// admit counts a new connection, for which others may have to go. It returns nil
// if there is no room, and the connection is closed.
func (g *Guard) admit(accepted net.Conn) net.Conn {
	c := &conn{Conn: accepted, guard: g}
	address := addressOf(accepted)
	c.network = clientip.Network(address)
	isExempt := g.options.Exempt.Trust(address)
	if isExempt {
		c.network = netip.PrefixFrom(address, address.BitLen()) // its neighbours are not exempt
	}
	g.mu.Lock()
	victims := g.place(c, isExempt)
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

// place finds a place for a new connection, and returns those that are to be
// closed for it: the new one itself if there is no place.
func (g *Guard) place(c *conn, isExempt bool) (victims []victim) {
	o := g.ownerOf(c.network, isExempt)
	defer g.tidy(o)
	goes, isWelcome := g.makeRoom(o)
	if !isWelcome {
		c.gone = true
		return []victim{{c, AddressFull}}
	}
	if goes.conn != nil {
		g.remove(goes.conn)
		g.owners[o.network] = o // it may have been its last one
		victims = []victim{goes}
	}
	if g.isFull() || !g.pays(o) {
		return append(victims, g.placeInReserve(c)...)
	}
	c.owner = o
	g.put(c, fresh)
	return victims
}

// makeRoom returns the connection that has to go for a new one of an owner, if
// there is no room without that, and whether the new one is welcome at all.
func (g *Guard) makeRoom(o *owner) (goes victim, isWelcome bool) {
	isBounded := g.perAddress > 0 && !o.isExempt
	switch {
	case isBounded && o.count >= g.perAddress:
		return victim{o.queues[idle].first, MadeRoom}, o.queues[idle].count > 0
	case isBounded && o.queues[fresh].count >= max(1, g.perAddress/2):
		return victim{o.queues[fresh].first, Unserved}, true // an honest client has been served by then
	case g.isFull():
		return victim{g.leastMissed(), MadeRoom}, true
	case g.isShortOfMemory():
		return victim{g.leastMissedOfCrowds(), MadeRoom}, true // an address with few pays for nobody's newcomers
	}
	return victim{}, true
}

// pays charges a connection to its owner, and reports whether the owner has a share of
// the budget left. A proxy's connections are those of many.
func (g *Guard) pays(o *owner) bool {
	if o.isExempt {
		return g.options.Budget.Take(g.cost)
	}
	return g.options.Budget.TakeFor(o.network, g.cost)
}

// isFull reports whether there is no room for one more, of any address.
func (g *Guard) isFull() bool { return g.inAll > 0 && g.total() >= g.inAll }

// isShortOfMemory reports whether the budget has no room for one more.
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

// leastMissed returns the connection that goes first if there are too many in
// all, or nil: the oldest idle one of the address that has the most connections.
// If no address has many, it is the oldest idle one.
func (g *Guard) leastMissed() *conn {
	if c := g.leastMissedOfCrowds(); c != nil {
		return c
	}
	return g.queues[idle].first
}

// leastMissedOfCrowds returns the oldest idle connection of the address that has the
// most, or nil if no address has many.
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

// placeInReserve does as place, with the reserve, of which one address has half
// at most.
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

// relieve closes an idle connection, because the process has no descriptor left.
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
