package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff counts failed tries, and says how long to wait before the next one.
type backoff struct{ tries int }

// next returns no wait at first, then about half a second, then twice as long each
// time, up to half a minute. The jitter spreads the clients of a server that was
// gone, so that they do not come back all at once.
func (b *backoff) next() time.Duration {
	b.tries++
	if b.tries == 1 {
		return 0
	}
	full := min(500*time.Millisecond<<min(b.tries-2, 10), 30*time.Second)
	return full/2 + rand.N(full/2)
}

func (b *backoff) reset() { b.tries = 0 }

// sleep waits for d. It returns false if ctx ends first.
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
