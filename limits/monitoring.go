package limits

import (
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxWatchers is how many networks have a bucket for monitoring. They are few:
// strangers are refused before they are counted here.
const maxWatchers = 1 << 12

// watchers are the networks that read the monitoring. They have buckets of their
// own, since all other networks need none.
type watchers struct {
	perSecond int
	networks  *lru.Cache[netip.Prefix, bucket]
}

func newWatchers(perSecond int) watchers {
	networks, err := lru.New[netip.Prefix, bucket](maxWatchers)
	if err != nil {
		panic(err) // only for a size that is not positive
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

// Monitor asks whether a network may have an answer of the monitoring that costs
// so much: one for a short answer, and more for a long list.
func (l *Limits) Monitor(network netip.Prefix, cost int) error {
	return l.watchers.bucketOf(network).take(cost, MonitoringPerAddress)
}
