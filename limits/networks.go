package limits

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shards is in how many parts the networks are kept. Each part has a lock of its own,
	// so that the requests of different networks rarely wait for each other.
	shards = 64
	// maxRemembered is how many networks are remembered. Beyond it, a network that asked for
	// little lately starts afresh: an attacker's addresses are unlimited, memory is not.
	maxRemembered = 1 << 15
	// candidates is how many networks are compared before one of them is forgotten.
	candidates = 8
)

// Network is what is counted for one network: see clientip.Network. It guards itself. It
// may be used while one of the network's requests is under way: see [Limits.Begin]. After
// that the limits may have forgotten it.
type Network struct {
	limits *Limits // set once

	opens, posts, events, guesses, tellings, monitoring bucket

	underWay [kinds]atomic.Int32 // requests by their kind; it grows only under the shard's lock
	bytes    atomic.Int64        // of the bodies of the requests under way
}

// isBusy reports whether the network has requests under way. If it has none and the
// shard's lock is held, it will not have one.
func (n *Network) isBusy() bool {
	for kind := range n.underWay {
		if n.underWay[kind].Load() > 0 {
			return true
		}
	}
	return false
}

// full returns when the last of the buckets will be full. From then on, the network is like
// one that has never asked for anything.
func (n *Network) full() (latest time.Duration) {
	for _, b := range []*bucket{&n.opens, &n.posts, &n.events, &n.guesses, &n.tellings, &n.monitoring} {
		latest = max(latest, time.Duration(b.full.Load()))
	}
	return latest
}

// networks holds what is counted for each network.
type networks struct {
	seed   maphash.Seed // set once
	shards [shards]shard
}

type shard struct {
	mu sync.Mutex // guards by; held for look-ups only
	by map[netip.Prefix]*Network
}

func newNetworks() *networks {
	ns := &networks{seed: maphash.MakeSeed()}
	for i := range ns.shards {
		ns.shards[i].by = make(map[netip.Prefix]*Network)
	}
	return ns
}

// shardOf returns the shard of a network.
func (ns *networks) shardOf(p netip.Prefix) *shard {
	return &ns.shards[maphash.Comparable(ns.seed, p)%shards]
}

// Network returns what is counted for a network.
func (l *Limits) Network(p netip.Prefix) *Network {
	s := l.networks.shardOf(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(l, p)
}

// of returns what is counted for a network. The lock must be held.
func (s *shard) of(l *Limits, p netip.Prefix) *Network {
	n := s.by[p]
	if n == nil {
		if len(s.by) >= maxRemembered/shards {
			s.forgetOne()
		}
		n = &Network{limits: l}
		s.by[p] = n
	}
	return n
}

// forgetOne forgets a network. It looks at a few that chance chooses, and takes the network
// whose buckets are full first. A network with requests under way is never forgotten: there
// are not more of these than connections. The lock must be held.
func (s *shard) forgetOne() {
	var goes netip.Prefix
	var earliest time.Duration
	seen := 0
	for p, n := range s.by { // Go begins at a place that chance chooses
		if n.isBusy() {
			continue
		}
		if full := n.full(); seen == 0 || full < earliest {
			goes, earliest = p, full
		}
		if seen++; seen == candidates {
			break
		}
	}
	if seen > 0 {
		delete(s.by, goes)
	}
}
