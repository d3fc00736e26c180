package conns

import (
	"context"
	"time"
)

const (
	// few is how many connections of one address are no crowd.
	few = 64

	// The shortest that time-outs become. A handshake and a header take three round
	// trips, of which a bad link needs half a second each.
	minHeaderTimeout = 2 * time.Second
	minIdleTimeout   = time.Second

	// lookEvery is how often overdue connections are looked for, and maxOverdue how
	// many are closed at once.
	lookEvery  = 250 * time.Millisecond
	maxOverdue = 1024
)

// Run closes connections that wait for too long, until the context is done.
func (g *Guard) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, overdue := range g.overdue() {
				overdue.end()
			}
		}
	}
}

// overdue stops counting connections that have waited for too long, and returns
// them. It looks at the oldest of each crowd, and at the oldest of all.
func (g *Guard) overdue() (all []victim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, room := g.now(), g.room()
	for _, t := range []struct {
		state       state
		base, least time.Duration
		reason      Reason
	}{
		{fresh, g.options.HeaderTimeout, minHeaderTimeout, HeaderTimeout},
		{idle, g.options.IdleTimeout, minIdleTimeout, IdleTimeout},
	} {
		if t.base <= 0 {
			continue
		}
		late := func(q *queue, timeout time.Duration) {
			for c := q.first; c != nil && now-c.since >= timeout && len(all) < maxOverdue; c = q.first {
				g.remove(c)
				all = append(all, victim{c, t.reason})
			}
		}
		late(&g.queues[t.state], shortened(t.base, t.least, room))
		for o := range g.crowds {
			q := &o.queues[t.state]
			late(q, shortened(t.base, t.least, room*min(1, float64(g.few)/float64(max(1, q.count)))))
		}
	}
	for c := g.reserve.first; c != nil; {
		next := c.links[amongAll].after
		if c.state != active && now-c.since >= minHeaderTimeout {
			g.remove(c)
			all = append(all, victim{c, IdleTimeout})
		}
		c = next
	}
	return all
}

// room is 1 while at most half of all connections are taken, and sinks to 0 as
// they fill up.
func (g *Guard) room() float64 {
	if g.inAll <= 0 {
		return 1
	}
	return min(1, 2*(1-float64(g.total())/float64(g.inAll)))
}

// shortened shortens a time-out to a part of it, though not below the least.
func shortened(base, least time.Duration, part float64) time.Duration {
	return max(time.Duration(float64(base)*part), min(base, least))
}
