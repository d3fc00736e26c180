package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// churnAlong lets rooms leave and come back until ctx ends, if the flag demands it. It
// counts the clients that came back.
func (l *load) churnAlong(ctx context.Context, busy *sync.WaitGroup) *atomic.Int64 {
	churned := new(atomic.Int64)
	if l.churn == 0 {
		return churned
	}
	pause := time.Duration(float64(l.roomSize) / l.churn * float64(time.Second))
	busy.Go(func() {
		slots := make(chan struct{}, l.connecting)
		var churning sync.WaitGroup
		defer churning.Wait()
		for i := 0; ; i++ {
			pass(ctx, pause)
			select {
			case <-ctx.Done():
				return
			case slots <- struct{}{}:
			}
			r := l.rooms[i%len(l.rooms)]
			churning.Go(func() {
				if err := r.comeBack(); err != nil {
					l.fail(fmt.Errorf("coming back: %w", err))
				} else {
					churned.Add(int64(len(r.members)))
				}
				<-slots
			})
		}
	})
	return churned
}

// comeBack lets all members leave and join again, as when one call ends and the next
// begins. They leave when no event is under way, so that none is lost.
func (r *room) comeBack() error {
	r.calm.Lock()
	defer r.calm.Unlock()
	for end := time.Now().Add(5 * time.Second); r.received() < r.accepted.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for _, c := range r.members {
		c.leave()
	}
	for _, c := range r.members {
		if err := c.connect(); err != nil {
			return err
		}
		if err := c.join(); err != nil {
			return err
		}
	}
	return nil
}

func (r *room) received() int64 {
	return sum(r.members, func(c *client) int64 { return c.received.Load() })
}
