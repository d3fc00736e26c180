// Package budget counts the memory that the server's holders keep for clients,
// against one bound for the whole process.
//
// A holder charges what it keeps and gives it back when it lets go: outboxes,
// rosters, remembered answers, connections, requests under way. The sum is an
// estimate of the live heap and the stacks, not a reading: it is right at once,
// where the garbage collector's figures are late.
package budget

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Budget is the memory that all holders together may take. The nil Budget has no
// bound and counts nothing. Any goroutine may call the methods at once; none of
// them blocks.
type Budget struct {
	// set once
	limit    int64
	exceeded chan struct{} // holds a token when the limit was passed

	used atomic.Int64

	mu     sync.Mutex             // guards what follows; held for look-ups only
	shares map[netip.Prefix]int64 // what is held for each network
}

// New returns a budget of so many bytes.
func New(limit int64) *Budget {
	return &Budget{limit: limit, exceeded: make(chan struct{}, 1), shares: make(map[netip.Prefix]int64)}
}

// Charge counts bytes that are held now, whatever the limit; a negative number
// gives them back. Passing the limit is signalled by [Budget.Exceeded].
func (b *Budget) Charge(bytes int) {
	if b == nil || bytes == 0 {
		return
	}
	if used := b.used.Add(int64(bytes)); bytes > 0 && used > b.limit {
		select {
		case b.exceeded <- struct{}{}:
		default: // the listener has a signal already
		}
	}
}

// Take charges bytes and reports true, or charges nothing and reports false
// because they do not fit.
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

// ChargeFor is [Budget.Charge] for what is held for one network, of which its share
// is reckoned.
func (b *Budget) ChargeFor(network netip.Prefix, bytes int) {
	if b == nil || bytes == 0 {
		return
	}
	b.mu.Lock()
	b.count(network, bytes)
	b.mu.Unlock()
	b.Charge(bytes)
}

// TakeFor is [Budget.Take] for one network, which may have half of the budget.
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

// HasShare reports whether a network holds less than the half that it may have.
func (b *Budget) HasShare(network netip.Prefix) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shares[network] < b.limit/2
}

// count changes what a network holds. The lock must be held.
func (b *Budget) count(network netip.Prefix, bytes int) {
	if b.shares[network] += int64(bytes); b.shares[network] == 0 {
		delete(b.shares, network)
	}
}

// IsFull reports whether nothing more fits.
func (b *Budget) IsFull() bool { return b != nil && b.used.Load() >= b.limit }

// Used returns how many bytes are held.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Limit returns how many bytes may be held, 0 if there is no bound.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Exceeded receives a value after a charge has passed the limit. One goroutine
// should listen, and make holders let go.
func (b *Budget) Exceeded() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.exceeded
}
