package limits

import (
	"net/netip"
	"sync"
)

// Kind is a kind of request, of which one network may have a number under way.
type Kind uint8

// The kinds.
const (
	Short    Kind = iota // all that are answered at once
	Reading              // streams and polls
	Urgent               // those of operators and probes, if there is no place among the others
	Refusing             // those that are being refused
	kinds
)

const (
	// maxUrgent and maxRefusing are how many of these kinds one network may have
	// under way.
	maxUrgent   = 16
	maxRefusing = 64
)

// underWay are the requests under way, by their kind.
type underWay [kinds]*tally

func newUnderWay(o Options) underWay {
	return underWay{
		Short:    newTally(o.RequestsPerAddress),
		Reading:  newTally(o.ReadingPerAddress),
		Urgent:   newTally(maxUrgent),
		Refusing: newTally(maxRefusing),
	}
}

// Begin counts a request until End is called with the same arguments, if there is
// no error. It returns how many of its kind the network has under way.
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

// End counts a request no more.
func (l *Limits) End(kind Kind, network netip.Prefix) { l.underWay[kind].remove(network) }

// tally counts what each network has, up to a number. A request changes it twice,
// so that it must be cheap: [Places] returns a closure.
type tally struct {
	most int // set once; 0: no limit

	mu sync.Mutex // guards what follows, and is held for look-ups only
	by map[netip.Prefix]int
}

func newTally(most int) *tally { return &tally{most: most, by: make(map[netip.Prefix]int)} }

// add counts one more of a network, unless it has the most that it may have, and
// returns how many it has.
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
