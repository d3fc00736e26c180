package limits

import (
	"net/netip"
	"sync"
)

// Places bound how many lasting things, for example slow answers, exist at once.
// One network may have only a share of them, so that it cannot keep all others out.
// Several goroutines may call the methods at once.
type Places struct {
	// Set once.
	inAll, share     int
	allTaken, itsOwn Name

	mu    sync.Mutex // guards what follows; held for look-ups only
	taken int
	by    map[netip.Prefix]int // how many places each network has; a network without places is not in it
}

// NewPlaces returns places: inAll of them, and at most share for one network. A refusal
// names allTaken if no place is left, and itsOwn if the network has its share.
func NewPlaces(inAll, share int, allTaken, itsOwn Name) *Places {
	return &Places{inAll: inAll, share: share, allTaken: allTaken, itsOwn: itsOwn, by: make(map[netip.Prefix]int)}
}

// Take takes a place for a network, or returns an [*Exceeded]. The caller must call
// release exactly once if there is no error.
func (p *Places) Take(network netip.Prefix) (release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.by[network] >= p.share:
		return nil, &Exceeded{Limit: p.itsOwn}
	case p.taken >= p.inAll:
		return nil, &Exceeded{Limit: p.allTaken}
	}
	p.taken++
	p.by[network]++
	return func() { p.release(network) }, nil
}

func (p *Places) release(network netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[network]--; p.by[network] == 0 {
		delete(p.by, network)
	}
}
