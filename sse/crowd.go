package sse

// fewUnsent is how many unsent events are looked through one by one.
const fewUnsent = 64

// tally counts events, and the bytes that are kept for them.
type tally struct{ events, bytes int }

func (t *tally) add(e *event) {
	t.events++
	t.bytes += int(e.size)
}

func (t *tally) remove(e *event) {
	t.events--
	t.bytes -= int(e.size)
}

// part returns a fraction of a tally that is a bound.
func (t tally) part(numerator, denominator int) tally {
	return tally{max(1, t.events*numerator/denominator), t.bytes * numerator / denominator}
}

// fits reports whether an event can be added without exceeding a bound. The first
// one always can.
func (t tally) fits(e *event, bound tally) bool {
	return t.events == 0 || t.events < bound.events && t.bytes+int(e.size) <= bound.bytes
}

// crowd counts what each sender and each address has unsent in one outbox. It is
// there only while much is unsent: a client that reads needs none.
type crowd struct {
	senders map[string]tally
	origins map[*origin]tally
	latest  map[any]uint64 // the sequence of the newest event with a key
}

func newCrowd() *crowd {
	return &crowd{make(map[string]tally), make(map[*origin]tally), make(map[any]uint64)}
}

func (c *crowd) admits(e *event, ofSender, ofOrigin tally) bool {
	return c.senders[e.from].fits(e, ofSender) && (e.origin == nil || c.origins[e.origin].fits(e, ofOrigin))
}

func (c *crowd) add(sequence uint64, e *event) {
	change(c.senders, e.from, e, (*tally).add)
	change(c.origins, e.origin, e, (*tally).add)
	if e.key != nil {
		c.latest[e.key] = sequence
	}
}

func (c *crowd) remove(sequence uint64, e *event) {
	change(c.senders, e.from, e, (*tally).remove)
	change(c.origins, e.origin, e, (*tally).remove)
	if e.key != nil && c.latest[e.key] == sequence {
		delete(c.latest, e.key)
	}
}

// change changes the tally of a key by an event, and forgets one that is empty.
func change[K comparable](tallies map[K]tally, key K, e *event, by func(*tally, *event)) {
	t := tallies[key]
	if by(&t, e); t.events == 0 {
		delete(tallies, key)
		return
	}
	tallies[key] = t
}
