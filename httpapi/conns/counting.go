package conns

import "net/netip"

// These methods count connections. The guard's mu must be held, except for enter and
// forget, which lock it.

// enter notes that a connection enters a state.
func (g *Guard) enter(c *conn, s state) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.gone {
		return
	}
	if c.held > 0 && !c.header.isHTTP2.Load() {
		g.giveBack(c, c.held)
		c.held = 0
	}
	if c.owner == nil {
		g.reserve.drop(c)
		c.state, c.since = s, g.now()
		g.reserve.push(c)
		return
	}
	g.take(c)
	g.put(c, s)
}

// forget stops counting a closed connection.
func (g *Guard) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.gone {
		g.remove(c)
	}
}

// remove stops counting a connection, for good.
func (g *Guard) remove(c *conn) {
	c.gone = true
	if l := g.lot.Load(); l != nil && c.sleepID != 0 {
		l.forgetSleeper(c.sleepID)
	}
	g.giveBack(c, g.cost+c.held)
	c.held = 0
	if c.owner == nil {
		g.reserve.drop(c)
		return
	}
	g.take(c)
	g.tidy(c.owner)
}

// giveBack undoes a charge for a connection.
func (g *Guard) giveBack(c *conn, bytes int) {
	if c.owner == nil || c.owner.isExempt {
		g.options.Budget.Charge(-bytes)
	} else {
		g.options.Budget.ChargeFor(c.owner.network, -bytes)
	}
}

// put counts a connection of an owner in a state.
func (g *Guard) put(c *conn, s state) {
	c.state, c.since = s, g.now()
	g.queues[s].push(c)
	c.owner.queues[s].push(c)
	c.owner.count++
	g.noteCrowd(c.owner)
}

// take undoes put.
func (g *Guard) take(c *conn) {
	g.queues[c.state].drop(c)
	c.owner.queues[c.state].drop(c)
	c.owner.count--
	g.noteCrowd(c.owner)
}

// noteCrowd updates the set of crowds after the owner's count has changed.
func (g *Guard) noteCrowd(o *owner) {
	isCrowd := !o.isExempt && max(o.queues[fresh].count, o.queues[idle].count) > g.few
	if isCrowd == o.isCrowd {
		return
	}
	if o.isCrowd = isCrowd; isCrowd {
		g.crowds[o] = struct{}{}
	} else {
		delete(g.crowds, o)
	}
}

// ownerOf returns the owner for a network, which it makes if there is none.
func (g *Guard) ownerOf(network netip.Prefix, isExempt bool) *owner {
	o := g.owners[network]
	if o == nil {
		o = &owner{network: network, isExempt: isExempt}
		for s := range o.queues {
			o.queues[s].link = amongOwn
		}
		g.owners[network] = o
	}
	return o
}

// tidy forgets an owner without connections.
func (g *Guard) tidy(o *owner) {
	if o.count == 0 {
		delete(g.owners, o.network)
	}
}
