package limits

import (
	"net/netip"
	"sync"
)

// Places are a number of places for something that lasts. One network may have a
// share of them, so that it cannot keep all others out. Any goroutine may call the
// methods.
type Places struct {
	// set once
	inAll, share     int
	allTaken, itsOwn Name

	mu    sync.Mutex // guards what follows; held for look-ups only
	taken int
	by    map[netip.Prefix]int // only networks that have a place
}

// NewPlaces makes so many places, and gives one network a share of them. A refusal
// names allTaken if there is no place left, and itsOwn if the network has its share.
func NewPlaces(inAll, share int, allTaken, itsOwn Name) *Places {
	return &Places{inAll: inAll, share: share, allTaken: allTaken, itsOwn: itsOwn, by: make(map[netip.Prefix]int)}
}

// Take takes a place for a network. If there is no error, release must be called
// once.
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
