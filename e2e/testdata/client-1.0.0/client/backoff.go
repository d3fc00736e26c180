package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait before another try: not at all, then half a second,
// and twice as long each time, up to half a minute, with a jitter so that all
// clients of a server that was gone do not come back at once.
type backoff struct{ tries int }

func (b *backoff) next() time.Duration {
	b.tries++
	if b.tries == 1 {
		return 0
	}
	full := min(500*time.Millisecond<<min(b.tries-2, 10), 30*time.Second)
	return full/2 + rand.N(full/2)
}

func (b *backoff) reset() { b.tries = 0 }

// sleep waits, and tells whether the context lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
