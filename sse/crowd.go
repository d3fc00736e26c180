package sse

// fewUnsent is the largest number of unsent events that are searched one by one for a
// key. If more are unsent, a crowd is made, which has an index.
const fewUnsent = 64

// tally counts events, and the bytes that are kept for them. A tally that is a bound
// says how many of both are allowed.
type tally struct{ events, bytes int }

func (t *tally) add(e *event) {
	t.events++
	t.bytes += int(e.size)
}

func (t *tally) remove(e *event) {
	t.events--
	t.bytes -= int(e.size)
}

// part returns a fraction of a bound. It allows at least one event.
func (t tally) part(numerator, denominator int) tally {
	return tally{max(1, t.events*numerator/denominator), t.bytes * numerator / denominator}
}

// fits reports whether one more event stays within a bound. The first event always does.
func (t tally) fits(e *event, bound tally) bool {
	return t.events == 0 || t.events < bound.events && t.bytes+int(e.size) <= bound.bytes
}

// crowd counts what each sender and each network has unsent in one outbox. An outbox
// has a crowd only while much is unsent in it. While its client reads, little is
// unsent, and a crowd would only cost memory. The socket's lock guards it.
type crowd struct {
	senders map[string]tally  // by socket ID; empty: the server
	origins map[*origin]tally // by network; nil: the server
	latest  map[uint64]uint64 // by key: the sequence of the newest unsent event with it
}

func newCrowd() *crowd {
	return &crowd{make(map[string]tally), make(map[*origin]tally), make(map[uint64]uint64)}
}

// admits reports whether the event's sender, and the sender's network, have a share left.
func (c *crowd) admits(e *event, ofSender, ofOrigin tally) bool {
	return c.senders[e.from].fits(e, ofSender) && (e.origin == nil || c.origins[e.origin].fits(e, ofOrigin))
}

func (c *crowd) add(added entry) {
	e := added.event
	change(c.senders, e.from, e, (*tally).add)
	change(c.origins, e.origin, e, (*tally).add)
	if e.key != 0 {
		c.latest[e.key] = added.sequence
	}
}

func (c *crowd) remove(removed entry) {
	e := removed.event
	change(c.senders, e.from, e, (*tally).remove)
	change(c.origins, e.origin, e, (*tally).remove)
	if e.key != 0 && c.latest[e.key] == removed.sequence {
		delete(c.latest, e.key)
	}
}

// moveUp notes that the events after a sequence have the sequences before theirs now.
func (c *crowd) moveUp(sequence uint64) {
	for key, latest := range c.latest {
		if latest > sequence {
			c.latest[key] = latest - 1
		}
	}
}

// change adds an event to the tally of a key, or removes it from the tally, as by does.
// It deletes a tally that is then empty.
func change[K comparable](tallies map[K]tally, key K, e *event, by func(*tally, *event)) {
	t := tallies[key]
	if by(&t, e); t.events == 0 {
		delete(tallies, key)
		return
	}
	tallies[key] = t
}
