package limits

import (
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxWatchers is how many networks have a bucket for monitoring. Few are enough:
// requests of strangers are refused before they count here.
const maxWatchers = 1 << 12

// watchers are the buckets of the networks that read the monitoring. They are separate
// because no other network needs this bucket. Both fields are set once.
type watchers struct {
	perSecond int
	networks  *lru.Cache[netip.Prefix, bucket]
}

func newWatchers(perSecond int) watchers {
	networks, err := lru.New[netip.Prefix, bucket](maxWatchers)
	if err != nil {
		panic(err) // the size is not positive
	}
	return watchers{perSecond, networks}
}

func (w watchers) bucketOf(network netip.Prefix) bucket {
	if b, ok := w.networks.Get(network); ok {
		return b
	}
	b := newBucket(w.perSecond)
	if before, ok, _ := w.networks.PeekOrAdd(network, b); ok {
		return before // another request was faster
	}
	return b
}

// Monitor asks whether a network may have an answer of the monitoring at this cost: 1 for
// a short answer, more for a long list.
func (l *Limits) Monitor(network netip.Prefix, cost int) error {
	return l.watchers.bucketOf(network).take(cost, MonitoringPerAddress)
}
