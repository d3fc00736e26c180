package limits

import "net/netip"

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

// Begin counts a request of a network until [Network.End] is called with the same kind, or
// returns an [*Exceeded] and counts nothing. It returns how many requests of its kind the
// network has under way.
func (l *Limits) Begin(kind Kind, p netip.Prefix) (n *Network, count int, err error) {
	s := l.networks.shardOf(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	n = s.of(l, p)
	count = int(n.underWay[kind].Load())
	switch {
	case l.most[kind] == 0 || count < l.most[kind]:
		return n, int(n.underWay[kind].Add(1)), nil
	case kind == Reading:
		return n, count, &Exceeded{Limit: ReadingPerAddress}
	}
	return n, count, &Exceeded{Limit: RequestsPerAddress}
}

// End stops counting a request that Begin has counted.
func (n *Network) End(kind Kind) { n.underWay[kind].Add(-1) }

// Holding counts the bytes of one request's body against the bytes that its network may
// have under way. One goroutine owns it. The zero Holding has no bound.
type Holding struct {
	network *Network // set once; nil means no bound
	bytes   int64    // taken and not released
}

// Holding returns an empty Holding for a request of the network. Its Release must be
// called before the end of the request.
func (n *Network) Holding() Holding {
	if n.limits.maxBytes == 0 {
		return Holding{}
	}
	return Holding{network: n}
}

// Take takes this many more bytes. If the network would have too many, it takes none and
// returns an [*Exceeded].
func (h *Holding) Take(bytes int) error {
	if h.network == nil {
		return nil
	}
	if h.network.bytes.Add(int64(bytes)) > int64(h.network.limits.maxBytes) {
		h.network.bytes.Add(-int64(bytes))
		return &Exceeded{Limit: BytesPerAddress}
	}
	h.bytes += int64(bytes)
	return nil
}

// Release gives back all bytes that were taken. It may be called twice.
func (h *Holding) Release() {
	if h.bytes > 0 {
		h.network.bytes.Add(-h.bytes)
		h.bytes = 0
	}
}
