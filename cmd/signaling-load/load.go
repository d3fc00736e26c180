package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// leaving is the phase in which all clients leave.
const leaving = "leaving"

// load is one run against a server.
type load struct {
	settings
	protocol protocol
	meter    meter
	began    time.Time
	rooms    []*room
	clients  []*client

	connects, joins, deliveries *latencies
	connected, joined           atomic.Int64
	late                        atomic.Int64 // events that were sent later than they were due
	refusals                    atomic.Int64 // events that were refused or not answered
	overdue                     atomic.Int64 // events that a client no longer waits for
	strays                      atomic.Int64 // events that reached another room
	ended                       atomic.Int64 // sockets whose stream or polls failed
	parted                      atomic.Int64 // that a member heard of another that has left, though none did
	away                        atomic.Int64 // that a member heard of another that was away
	resumes                     resumes
	failures                    failures
	phase                       atomic.Pointer[phase]
}

func newLoad(s settings) *load {
	l := &load{settings: s, meter: newMeter(s), began: time.Now(), connects: newLatencies(), joins: newLatencies(), deliveries: newLatencies()}
	l.resumes.times = newLatencies()
	base := newAddress(s.nodes[0], s.asBrowser)
	l.protocol = signaling{base, s.accessSecret, s.resume}
	if s.floor {
		l.protocol = floor{base, new(atomic.Uint64)}
	}
	shared := make([]link, s.shared)
	for i := range shared {
		shared[i] = l.newLink(i, nil, false)
	}
	run := strings.ToLower(rand.Text()[:8])
	for i := range s.clients {
		if i%s.roomSize == 0 {
			l.rooms = append(l.rooms, &room{name: fmt.Sprintf("load-%s-%d", run, len(l.rooms))})
		}
		r := l.rooms[len(l.rooms)-1]
		c := &client{
			load: l, index: i, room: r, place: len(r.members), user: fmt.Sprintf("user-%d", i),
			joined: make(chan struct{}, 1), arrivals: make(chan struct{}, s.batch),
		}
		c.posts = l.newLink(i, c, s.poll && s.netHTTP)
		if c.incoming = c.posts; !s.netHTTP {
			c.incoming = l.newLink(i, c, s.poll)
		}
		if s.shared > 0 {
			c.posts, c.sharesPosts = shared[i%s.shared], true
		}
		r.members = append(r.members, c)
		l.clients = append(l.clients, c)
	}
	for _, c := range l.clients {
		if s.sends() {
			c.flows, c.numbers = make([]flow, len(c.room.members)), make([]int, len(c.room.members))
			c.refused = make([]map[int]struct{}, len(c.room.members))
		}
	}
	return l
}

// newLink returns a link to the server. If it has several nodes, links begin with each of them
// in turn. A client that can repeat a request waits less long for its answer, unless it polls.
func (l *load) newLink(i int, of *client, polls bool) link {
	within := patience
	if l.resume && !polls {
		within = repeatAfter
	}
	links := make([]link, len(l.nodes))
	for j, node := range l.nodes {
		if l.netHTTP {
			links[j] = newStandard(node, l.keepAlive, within)
		} else {
			links[j] = newPlain(node, l.keepAlive, within)
		}
	}
	if !l.resume {
		return links[0]
	}
	n := &nodes{links: links, repeated: &l.resumes.repeated, quit: func() bool { return false }}
	n.turn.Store(uint64(i))
	if of != nil {
		n.quit = of.isLeaving.Load
	}
	return n
}

// run connects all clients, lets them join and rest, send or be idle, and rest again.
// If ctx ends, it stops early with what it has measured.
func (l *load) run(ctx context.Context, p *progress) (*result, error) {
	if err := allowDescriptors(l.descriptors()); err != nil {
		return nil, err
	}
	before, err := l.meter.read()
	if err != nil {
		return nil, err
	}
	watching := l.watch(p)
	defer watching.stop()
	defer l.leaveAll()

	r := newResult(l)
	if r.Connecting, err = l.connectAll(ctx); err != nil {
		return nil, err
	}
	if r.Joining, err = l.joinAll(ctx); err != nil {
		return nil, err
	}
	l.enter("resting", l.settle)
	pass(ctx, l.settle)
	if r.Idle, err = l.atRest(before); err != nil {
		return nil, err
	}
	switch {
	case l.sends():
		r.Sending, err = l.send(ctx)
	case l.duration > 0:
		r.Heartbeats, err = l.beIdle(ctx)
	}
	if err != nil {
		return nil, err
	}
	if l.rest > 0 {
		l.enter("resting", l.rest)
		pass(ctx, l.rest)
		if r.Rest, err = l.atRest(before); err != nil {
			return nil, err
		}
	}
	l.enter(leaving, 0)
	l.leaveAll()
	r.Samples = watching.stop()
	r.judge(l)
	return r, nil
}

// descriptors returns how many file descriptors the clients need.
func (l *load) descriptors() int {
	n := len(l.clients) + l.connecting + 100
	switch {
	case l.shared > 0:
		n += l.shared * len(l.nodes)
	case l.keepAlive:
		n += len(l.clients) * len(l.nodes)
	}
	return n
}

// isSteady reports whether all clients stay.
func (l *load) isSteady() bool {
	phase := l.phase.Load()
	return l.churn == 0 && phase != nil && phase.name != leaving
}

func (l *load) now() int64 { return int64(time.Since(l.began)) }

func (l *load) received() (n int64) {
	return sum(l.clients, func(c *client) int64 { return c.received.Load() })
}
func (l *load) heartbeatsReceived() (n int64) {
	return sum(l.clients, func(c *client) int64 { return c.heartbeats.Load() })
}
func (l *load) accepted() (n int64) {
	return sum(l.rooms, func(r *room) int64 { return r.accepted.Load() })
}

func sum[T any](all []T, of func(T) int64) (n int64) {
	for _, each := range all {
		n += of(each)
	}
	return n
}
