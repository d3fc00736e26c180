package limits

import (
	"net/netip"
	"sync"
)

// Kind is a kind of request. For each kind there is a limit of how many requests one
// network may have under way.
type Kind uint8

// The kinds.
const (
	Short    Kind = iota // requests that are answered at once
	Reading              // streams and polls
	Urgent               // requests of operators and probes, if Short has no place left
	Refusing             // requests that are being refused
	kinds
)

const (
	maxUrgent   = 16 // urgent requests of one network under way
	maxRefusing = 64 // refusals of one network under way
)

// underWay counts the requests under way, by their kind.
type underWay [kinds]*tally

func newUnderWay(o Options) underWay {
	return underWay{
		Short:    newTally(o.RequestsPerAddress),
		Reading:  newTally(o.ReadingPerAddress),
		Urgent:   newTally(maxUrgent),
		Refusing: newTally(maxRefusing),
	}
}

// Begin counts a request until End is called with the same arguments, or returns an
// [*Exceeded] and counts nothing. It returns how many requests of its kind the network
// has under way.
func (l *Limits) Begin(kind Kind, network netip.Prefix) (count int, err error) {
	count, ok := l.underWay[kind].add(network)
	switch {
	case ok:
		return count, nil
	case kind == Reading:
		return count, &Exceeded{Limit: ReadingPerAddress}
	}
	return count, &Exceeded{Limit: RequestsPerAddress}
}

// End stops counting a request that Begin has counted.
func (l *Limits) End(kind Kind, network netip.Prefix) { l.underWay[kind].remove(network) }

// tally counts the requests of each network, up to a limit. Every request changes it
// twice, so it must be cheap. [Places] is not cheap, because it allocates a closure.
type tally struct {
	most int // set once; 0 means no limit

	mu sync.Mutex // guards by; held for look-ups only
	by map[netip.Prefix]int
}

func newTally(most int) *tally { return &tally{most: most, by: make(map[netip.Prefix]int)} }

// add counts one more request of a network, unless the network has reached the limit.
// It returns how many the network has.
func (t *tally) add(network netip.Prefix) (count int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count = t.by[network]
	if t.most > 0 && count >= t.most {
		return count, false
	}
	t.by[network] = count + 1
	return count + 1, true
}

func (t *tally) remove(network netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if count := t.by[network] - 1; count > 0 {
		t.by[network] = count
	} else {
		delete(t.by, network)
	}
}
