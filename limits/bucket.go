package limits

import (
	"sync/atomic"
	"time"
)

// bucket bounds a rate. It holds what a client may still ask for, and refills at a steady
// rate up to what [Burst] allows. It is kept as one number: the time at which it will be
// full, as a Duration since the limits were made. The zero bucket is full.
//
// This is the generic cell rate algorithm (ITU-T I.371, A.1). The usual package
// golang.org/x/time/rate keeps 80 bytes with a lock. A socket has five buckets, and an
// event asks four.
type bucket struct{ full atomic.Int64 }

// take takes this many tokens. The bucket gets perSecond of them in a second; 0 means no
// limit. If a full bucket holds fewer than count, take takes a full bucket: otherwise the
// request would never be allowed.
func (b *bucket) take(count, perSecond int, now time.Duration, limit Name) error {
	if perSecond == 0 {
		return nil
	}
	cost := costOf(count, perSecond)
	for {
		before := b.full.Load()
		after := max(time.Duration(before), now) + cost
		if wait := after - now - Burst; wait > 0 {
			return &Exceeded{Limit: limit, RetryAfter: wait}
		}
		if b.full.CompareAndSwap(before, int64(after)) {
			return nil
		}
	}
}

// has asks whether the bucket holds a token, and takes none.
func (b *bucket) has(perSecond int, now time.Duration, limit Name) error {
	wait := max(time.Duration(b.full.Load()), now) + costOf(1, perSecond) - now - Burst
	if wait > 0 {
		return &Exceeded{Limit: limit, RetryAfter: wait}
	}
	return nil
}

// costOf is how long a bucket takes to get this many tokens, or until it is full.
func costOf(count, perSecond int) time.Duration {
	refill := time.Duration(perSecond)
	return min(time.Duration(count), refill*Burst/time.Second) * time.Second / refill
}
