package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

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
	failures                    failures
	phase                       atomic.Pointer[phase]
}

func newLoad(s settings) *load {
	l := &load{settings: s, meter: newMeter(s), began: time.Now(), connects: newLatencies(), joins: newLatencies(), deliveries: newLatencies()}
	base := newAddress(s.url, s.asBrowser)
	l.protocol = signaling{base, s.accessSecret}
	if s.floor {
		l.protocol = floor{base, new(atomic.Uint64)}
	}
	shared := make([]link, s.shared)
	for i := range shared {
		shared[i] = newPlain(s)
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
		if s.netHTTP {
			c.posts = newStandard(s)
			c.incoming = c.posts
		} else {
			c.posts, c.incoming = newPlain(s), newPlain(s)
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
	l.enter("leaving", 0)
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
		n += l.shared
	case l.keepAlive:
		n += len(l.clients)
	}
	return n
}

// pass lets time pass.
func pass(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// each calls do for all clients, for some at once, until one fails.
func (l *load) each(ctx context.Context, do func(*client) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *client)
	var doing sync.WaitGroup
	for range l.connecting {
		doing.Go(func() {
			for c := range next {
				if err := do(c); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, c := range l.clients {
		select {
		case next <- c:
		case <-ctx.Done():
		}
	}
	close(next)
	doing.Wait()
	return context.Cause(ctx)
}

func (l *load) connectAll(ctx context.Context) (storm, error) {
	l.enter("connecting", 0)
	s, err := l.measure()
	if err != nil {
		return storm{}, err
	}
	if err := l.each(ctx, (*client).connect); err != nil {
		return storm{}, fmt.Errorf("%d of %d clients have connected. Then: %w%s", l.connected.Load(), len(l.clients), err, advice(err))
	}
	spent, err := s.end(time.Now())
	return newStorm(len(l.clients), spent, l.connects), err
}

func (l *load) joinAll(ctx context.Context) (storm, error) {
	l.enter("joining", 0)
	s, err := l.measure()
	if err != nil {
		return storm{}, err
	}
	if err := l.each(ctx, (*client).join); err != nil {
		return storm{}, fmt.Errorf("%d of %d clients have joined. Then: %w%s", l.joined.Load(), len(l.clients), err, advice(err))
	}
	spent, err := s.end(l.awaitAcquaintance())
	return newStorm(len(l.clients), spent, l.joins), err
}

// awaitAcquaintance waits until all members have heard of each other, or no news came
// for a second. It returns when the last news came.
func (l *load) awaitAcquaintance() time.Time {
	changed, last := time.Now(), -1
	for time.Since(changed) < time.Second {
		unknown := l.unacquainted()
		if unknown == 0 {
			break
		}
		if unknown != last {
			changed, last = time.Now(), unknown
		}
		time.Sleep(time.Millisecond)
	}
	return changed
}

// unacquainted returns of how many other members clients have not heard.
func (l *load) unacquainted() (n int) {
	for _, c := range l.clients {
		n += max(0, len(c.room.members)-1-int(c.acquainted.Load()))
	}
	return n
}

// send lets all clients send, and measures after the warm-up.
func (l *load) send(ctx context.Context) (*sending, error) {
	l.enter("warming up", l.warmup)
	end := time.Now().Add(l.warmup + l.duration)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var busy sync.WaitGroup
	defer busy.Wait()
	for _, c := range l.clients {
		if len(c.room.members) > 1 {
			busy.Go(func() { c.send(ctx) })
		}
	}
	churned := l.churnAlong(ctx, &busy)
	pass(ctx, l.warmup)
	l.enter("measuring", l.duration)
	l.deliveries.restart()
	received := l.received()
	s, err := l.measure()
	<-ctx.Done()
	if err != nil {
		return nil, err
	}
	spent, err := s.end(time.Now())
	r := newSending(l, l.received()-received, spent)
	busy.Wait()
	r.Churned = churned.Load()
	l.enter("draining", 0)
	l.drain()
	return r, err
}

// drain waits until all accepted events have arrived, or none has for two seconds.
func (l *load) drain() {
	changed, last := time.Now(), int64(-1)
	for time.Since(changed) < 2*time.Second {
		n := l.received()
		if n >= l.accepted() {
			break
		}
		if n != last {
			changed, last = time.Now(), n
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// beIdle measures what heartbeats cost.
func (l *load) beIdle(ctx context.Context) (*heartbeats, error) {
	l.enter("idle", l.duration)
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	var busy sync.WaitGroup
	defer busy.Wait()
	l.churnAlong(ctx, &busy)
	before := l.heartbeatsReceived()
	s, err := l.measure()
	if err != nil {
		return nil, err
	}
	<-ctx.Done()
	spent, err := s.end(time.Now())
	return newHeartbeats(l.heartbeatsReceived()-before, spent), err
}

func (l *load) leaveAll() {
	if l.phase.Swap(nil) == nil {
		return // has been done
	}
	_ = l.each(context.Background(), func(c *client) error { c.leave(); return nil })
	for _, c := range l.clients {
		c.posts.close() // also those that are shared
	}
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

func (l *load) fail(err error) { l.failures.add(err) }

// failures counts errors by their text. Its zero value is empty.
type failures struct {
	mu    sync.Mutex
	texts map[string]int
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.texts == nil {
		f.texts = make(map[string]int)
	}
	text := err.Error()
	if _, isKnown := f.texts[text]; !isKnown && len(f.texts) >= 100 {
		text = "other errors"
	}
	f.texts[text]++
}
