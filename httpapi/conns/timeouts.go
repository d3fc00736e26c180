package conns

import (
	"context"
	"sync"
	"time"
)

const (
	// few is how many connections one address may have without being a crowd.
	few = 64

	// The shortest timeouts. A handshake and a header take three round trips, and each
	// takes half a second on a bad link.
	minHeaderTimeout = 2 * time.Second
	minIdleTimeout   = time.Second

	lookEvery  = 250 * time.Millisecond // between two searches for overdue connections
	maxOverdue = 1024                   // connections that one search closes
)

// Run closes connections that wait for too long, puts idle connections to sleep, and watches
// those and the parked connections. It returns when ctx ends, and closes those that sleep.
// The owners of parked connections then hear that these are gone.
func (g *Guard) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	if l := g.openLot(); l != nil {
		watching.Go(func() { g.watch(l) })
		defer l.watcher.close()
	}
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
			g.putToSleep(sleepAfter)
		}
	}
}

// overdue returns the connections that have waited for too long, and stops counting them.
// It looks only at the oldest of all connections, and at the oldest of each crowd.
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

// room returns 1 while at most half of all connections are taken. From there it falls to
// 0, when all are taken.
func (g *Guard) room() float64 {
	if g.inAll <= 0 {
		return 1
	}
	return min(1, 2*(1-float64(g.total())/float64(g.inAll)))
}

// shortened returns a part of a timeout, but not less than least.
func shortened(base, least time.Duration, part float64) time.Duration {
	return max(time.Duration(float64(base)*part), min(base, least))
}
