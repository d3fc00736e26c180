package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// load is one run.
type load struct {
	s         settings
	protocol  protocol
	began     time.Time
	clients   []*client
	rooms     []*room
	latencies *latencies

	connected, joined                                     atomic.Int64
	refusals, unanswered, overdue, late, strays, failures atomic.Int64

	mu     sync.Mutex
	errors map[string]int // how often each came
}

func newLoad(s settings) *load {
	l := &load{s: s, began: time.Now(), latencies: newLatencies(), errors: make(map[string]int)}
	if s.floor {
		l.protocol = floor{s.url}
	} else {
		l.protocol = signaling{s.url}
	}
	run := fmt.Sprintf("load-%d", os.Getpid())
	for i := range s.clients {
		if i%s.roomSize == 0 {
			l.rooms = append(l.rooms, &room{name: fmt.Sprintf("%s-%d", run, len(l.rooms))})
		}
		r := l.rooms[len(l.rooms)-1]
		c := &client{
			load: l, index: i, place: len(r.members), room: r, user: fmt.Sprintf("user-%d", i),
			joined: make(chan struct{}, 1), arrivals: make(chan struct{}, max(64, s.batch)),
		}
		if s.floor {
			c.id = fmt.Sprintf("%011d%011d", os.Getpid(), i) // as long as a socket ID
		}
		if s.netHTTP {
			c.link = newStandard(s.url)
			c.incoming = c.link
		} else {
			c.link, c.incoming = newPlain(s.url), newPlain(s.url)
		}
		r.members = append(r.members, c)
		l.clients = append(l.clients, c)
	}
	for _, c := range l.clients {
		c.flows = make([]flow, len(c.room.members))
		c.numbers = make([]int, len(c.room.members))
		c.refused = make([]map[int]struct{}, len(c.room.members))
	}
	return l
}

func (l *load) now() int64 { return int64(time.Since(l.began)) }

// fail counts an error. Only the first hundred different ones are kept.
func (l *load) fail(err error) {
	l.failures.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if text := err.Error(); len(l.errors) < 100 || l.errors[text] > 0 {
		l.errors[text]++
	}
}

// usage reads what the server has used; nothing if the process is not known.
func (l *load) usage() (usage, error) {
	if l.s.pid == 0 {
		return usage{}, nil
	}
	return usageOf(l.s.pid)
}

// run connects all clients, lets them rest, lets them send, and counts.
func (l *load) run() (*result, error) {
	r := &result{URL: l.s.url.String(), Clients: l.s.clients, RoomSize: l.s.roomSize, Batch: l.s.batch, Rate: l.s.rate}
	var receiving sync.WaitGroup
	defer receiving.Wait()
	defer func() {
		for _, c := range l.clients {
			c.close()
		}
	}()

	before, err := l.usage()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := l.connectAll(&receiving); err != nil {
		return nil, err
	}
	r.storm(l, time.Since(start), before)

	time.Sleep(l.s.settle)
	r.idle(l, before)
	if l.s.duration > 0 {
		l.sendAll(r)
	}
	r.count(l)
	return r, nil
}

// connectAll connects all clients, some at once.
func (l *load) connectAll(receiving *sync.WaitGroup) error {
	var connecting sync.WaitGroup
	next := make(chan *client)
	failed := make(chan error, l.s.connecting)
	for range l.s.connecting {
		connecting.Go(func() {
			for c := range next {
				if err := c.connectAndJoin(receiving); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	var err error
give:
	for _, c := range l.clients {
		select {
		case next <- c:
		case err = <-failed:
			break give
		}
	}
	close(next)
	connecting.Wait()
	select {
	case err = <-failed:
	default:
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%d of %d clients have joined, then: %w%s", l.joined.Load(), len(l.clients), err, advice(err))
}

// advice says what to do about an error.
func advice(err error) string {
	var r refusal
	if !errors.As(err, &r) {
		return ""
	}
	switch r.status {
	case 429:
		return "\nThe server limits this machine. Start it with OPENS_PER_ADDRESS=0 POSTS_PER_ADDRESS=0 and so on, or use fewer -clients and a -rate."
	case 503:
		return "\nThe server is full: raise MAX_CONNECTIONS or MEMORY_LIMIT, or use fewer -clients."
	case 404:
		return "\nIs -url the server's address? The path /events is added to it."
	}
	return ""
}

// sendAll lets all clients send, and measures after the warm-up.
func (l *load) sendAll(r *result) {
	var sending sync.WaitGroup
	warm := time.Now().Add(l.s.warmup)
	until := warm.Add(l.s.duration)
	for _, c := range l.clients {
		if len(c.room.members) > 1 {
			sending.Go(func() { c.sendAll(until) })
		}
	}
	time.Sleep(time.Until(warm))
	l.latencies.cut(false)
	start, before, count := time.Now(), must(l.usage()), l.received()
	own := must(usageOf(os.Getpid()))
	time.Sleep(time.Until(until))
	r.sent(l, time.Since(start), before, l.received()-count, own)
	sending.Wait()
	l.drain()
}

// must returns what a process has used, zero if it has ended.
func must(u usage, _ error) usage { return u }

func (l *load) received() (n int64) {
	for _, c := range l.clients {
		n += c.received.Load()
	}
	return n
}

// drain waits until all events have arrived, or none has for two seconds.
func (l *load) drain() {
	for last, idle := int64(-1), 0; idle < 20; idle++ {
		time.Sleep(100 * time.Millisecond)
		if n := l.received(); n != last {
			last, idle = n, 0
		}
	}
}
