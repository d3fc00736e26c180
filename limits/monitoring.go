package limits

import (
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxWatchers is how many networks have a bucket for monitoring. Few are enough: the
// requests of strangers are refused before they count here.
const maxWatchers = 1 << 12

// watchers are the buckets of the networks that read the monitoring. These buckets are
// separate, because most networks never need one. Both fields are set once.
type watchers struct {
	perSecond int
	networks  *lru.Cache[netip.Prefix, bucket]
}

func newWatchers(perSecond int) watchers {
	networks, err := lru.New[netip.Prefix, bucket](maxWatchers)
	if err != nil {
		panic(err) // only if the size is not positive
	}
	return watchers{perSecond, networks}
}

func (w watchers) bucketOf(network netip.Prefix) bucket {
	if b, ok := w.networks.Get(network); ok {
		return b
	}
	b := newBucket(w.perSecond)
	if before, ok, _ := w.networks.PeekOrAdd(network, b); ok {
		return before // another request has just added it
	}
	return b
}

// Monitor asks whether a network may get a monitoring answer. Its cost is 1 for a short
// answer, and more for a long list.
func (l *Limits) Monitor(network netip.Prefix, cost int) error {
	return l.watchers.bucketOf(network).take(cost, MonitoringPerAddress)
}
