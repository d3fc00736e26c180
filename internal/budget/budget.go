// Package budget counts the memory that the server keeps for its clients, against one
// bound for the whole process.
//
// A holder of memory charges what it keeps, and gives the charge back when it frees the
// memory. Holders are outboxes, rosters, remembered keys, connections and requests
// under way. The sum estimates the live heap and the stacks. It is not measured: the
// garbage collector's figures come late, and the sum is right at once.
package budget

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Budget is the memory that all holders together may take, in bytes. The nil Budget has no
// bound and counts nothing. Any goroutine may call its methods at once, and none of them
// blocks.
type Budget struct {
	// set once
	limit    int64
	exceeded chan struct{} // holds a value when the limit was exceeded

	used atomic.Int64

	mu     sync.Mutex             // guards what follows; held for look-ups only
	shares map[netip.Prefix]int64 // bytes that are held for each network
}

// New returns a budget of limit bytes.
func New(limit int64) *Budget {
	return &Budget{limit: limit, exceeded: make(chan struct{}, 1), shares: make(map[netip.Prefix]int64)}
}

// Charge counts bytes that are held now, even if they exceed the limit. A negative number
// gives them back. If the limit is exceeded, [Budget.Exceeded] receives a value.
func (b *Budget) Charge(bytes int) {
	if b == nil || bytes == 0 {
		return
	}
	if used := b.used.Add(int64(bytes)); bytes > 0 && used > b.limit {
		select {
		case b.exceeded <- struct{}{}:
		default: // a value waits for the listener already
		}
	}
}

// Take charges bytes and returns true. If they do not fit, it charges nothing and returns
// false.
func (b *Budget) Take(bytes int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(bytes)) > b.limit {
		b.used.Add(-int64(bytes))
		return false
	}
	return true
}

// Fits reports whether bytes fit now. It charges nothing, so others may take the place.
func (b *Budget) Fits(bytes int) bool {
	return b == nil || b.used.Load()+int64(bytes) <= b.limit
}

// ChargeFor is [Budget.Charge] for bytes that are held for one network. They count
// against the network's share as well.
func (b *Budget) ChargeFor(network netip.Prefix, bytes int) {
	if b == nil || bytes == 0 {
		return
	}
	b.mu.Lock()
	b.count(network, bytes)
	b.mu.Unlock()
	b.Charge(bytes)
}

// TakeFor is [Budget.Take] for bytes that are held for one network. A network may have
// half of the budget.
func (b *Budget) TakeFor(network netip.Prefix, bytes int) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shares[network]+int64(bytes) > b.limit/2 || !b.Take(bytes) {
		return false
	}
	b.count(network, bytes)
	return true
}

// HasShare reports whether a network holds less than half of the budget.
func (b *Budget) HasShare(network netip.Prefix) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shares[network] < b.limit/2
}

// count changes how many bytes a network holds. The lock must be held.
func (b *Budget) count(network netip.Prefix, bytes int) {
	if b.shares[network] += int64(bytes); b.shares[network] == 0 {
		delete(b.shares, network)
	}
}

// IsFull reports whether the limit is reached, so that nothing more fits.
func (b *Budget) IsFull() bool { return b != nil && b.used.Load() >= b.limit }

// Used returns how many bytes are held now.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Limit returns how many bytes may be held. It is 0 for the nil Budget.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Exceeded returns a channel that receives a value after a charge has exceeded the limit.
// One goroutine should listen, and make holders free memory.
func (b *Budget) Exceeded() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.exceeded
}
