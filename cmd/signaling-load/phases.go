package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

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
		time.Sleep(5 * time.Millisecond)
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

// drain waits until all accepted events have arrived, or none has for two seconds. While a
// client is coming back it has more patience.
func (l *load) drain() {
	changed, last := time.Now(), int64(-1)
	for n := l.received(); n < l.accepted(); n = l.received() {
		if n != last {
			changed, last = time.Now(), n
		}
		longest := 2 * time.Second
		if l.resumes.returning.Load() > 0 {
			longest = patience
		}
		if time.Since(changed) >= longest {
			return
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
