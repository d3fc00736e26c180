package sse

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/internal/budget"
)

// modelOutbox does what an outbox must do, in the plainest and slowest way.
type modelOutbox struct {
	limits    OutboxLimits
	events    []*event        // all events that were ever put in; the first has the sequence 1
	at        []time.Duration // for each event: when it was put in or, later, written
	forgotten int             // how many of the events are no longer held
	written   int             // how many of them were written
	taken     int             // how many of them the reader has taken
}

func (m *modelOutbox) unsent() []*event { return m.events[m.written:] }

func (m *modelOutbox) tally(of func(*event) bool) (t tally) {
	for _, e := range m.unsent() {
		if of(e) {
			t.add(e)
		}
	}
	return t
}

func (m *modelOutbox) sameKey(e *event) int {
	if e.key == nil {
		return -1
	}
	for i := len(m.events) - 1; i >= max(m.written, m.taken); i-- {
		if m.events[i].barrier && !e.amends {
			return -1
		}
		if m.events[i].key == e.key {
			return i
		}
	}
	return -1
}

func (m *modelOutbox) isFull(e *event) bool {
	unsent := m.unsent()
	if len(unsent) == 0 {
		return false
	}
	waiting := 0
	for _, other := range unsent[1:] {
		waiting += int(other.size)
	}
	return len(unsent) >= m.limits.UnsentEvents || waiting+int(e.size) > m.limits.UnsentBytes
}

// admits counts everything anew each time, because that is simple.
func (m *modelOutbox) admits(e *event) bool {
	isWithin := func(t tally, numerator, denominator int) bool {
		return t.events == 0 || t.events < max(1, m.limits.UnsentEvents*numerator/denominator) &&
			t.bytes+int(e.size) <= m.limits.UnsentBytes*numerator/denominator
	}
	if m.sameKey(e) >= 0 {
		return true
	}
	offered := m.tally(func(other *event) bool { return other.from != "" })
	sender := m.tally(func(other *event) bool { return other.from == e.from })
	address := m.tally(func(other *event) bool { return other.origin == e.origin })
	switch {
	case offered.events == 0:
		return true
	case !isWithin(offered, 3, 4):
		return false
	case isWithin(offered, 1, 4): // then each sender is within its share, too
		return true
	}
	return isWithin(sender, 1, 4) && (e.origin == nil || isWithin(address, 1, 2))
}

// addition is text that is added to the text of an unsent event.
type addition struct{ Line }

func (a addition) Amend(unsent Data) Data {
	return addition{slices.Concat(unsent.(addition).Line, a.Line)}
}

// Events are put in, taken, written, confirmed and expired at random. The outbox always
// holds what the model says, and charges for exactly what it holds.
func TestAnOutboxAgreesWithItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const noLimit = 1 << 40
		account := budget.New(noLimit)
		limits := OutboxLimits{UnsentEvents: rapid.SampledFrom([]int{4, 16, 300}).Draw(t, "events"), UnsentBytes: 2000, RetainedEvents: 20, RetainedBytes: 1000}
		o, m := newOutbox(limits, account), &modelOutbox{limits: limits}
		origins := []*origin{nil, {}, {}}
		now := time.Duration(0)
		nobody := func(time.Duration) {}
		for n := range rapid.IntRange(1, 400).Draw(t, "steps") {
			now += time.Second
			switch rapid.SampledFrom([]string{"put", "put", "put", "put", "put", "take", "write", "confirm", "expire", "trim"}).Draw(t, "step") {
			case "put":
				e := &event{kind: "signal", line: Line(fmt.Sprint(n)), budget: account, size: rapid.SampledFrom([]int32{1, 20, 700}).Draw(t, "size")}
				e.from = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "from")
				e.origin = origins[map[string]int{"": 0, "a": 1, "b": 1, "c": 2}[e.from]]
				if key := rapid.IntRange(0, 6).Draw(t, "key"); key < 3 {
					e.key, e.amends = key, key == 0
				}
				if e.amends {
					e.line, e.data = nil, addition{Line(bytes.Repeat([]byte("x"), int(e.size)))}
				}
				e.barrier = (e.key == nil || e.amends) && rapid.IntRange(0, 3).Draw(t, "barrier") == 0
				require.Equal(t, m.admits(e), o.admits(e))
				at := m.sameKey(e)
				var before *event
				if at >= 0 {
					before = m.events[at]
				}
				isTaken := at >= 0 || !m.isFull(e)
				require.Equal(t, isTaken, o.put(e, now))
				switch {
				case at >= 0 && e.amends:
					m.events[at] = o.at(uint64(at + 1)).event
					require.Equal(t, addition{append(slices.Clone(before.data.(addition).Line), e.data.(addition).Line...)}, m.events[at].data)
					require.Equal(t, before.barrier, m.events[at].barrier)
				case at >= 0:
					m.events[at] = e
				case at < 0 && isTaken:
					m.events, m.at = append(m.events, e), append(m.at, now)
				}
			case "take":
				m.taken = max(m.written, rapid.IntRange(m.written, len(m.events)).Draw(t, "taken"))
				o.taken = uint64(m.taken)
			case "write":
				m.write(m.taken, now)
				o.wrote(uint64(m.taken), now, nobody)
			case "confirm":
				position := rapid.IntRange(m.forgotten, len(m.events)).Draw(t, "position")
				m.write(position, now)
				m.forgotten = max(m.forgotten, position)
				m.taken = position
				o.confirm(uint64(position), now, nobody)
				o.taken = uint64(position)
			case "expire":
				before := now - 20*time.Second
				for m.forgotten < m.written && m.at[m.forgotten] < before {
					m.forgotten++
				}
				o.expire(before)
			case "trim":
				for m.forgotten+1 < m.written && m.retained() > 100 {
					m.forgotten++
				}
				o.trim(100)
			}
			m.compare(t, &o, account, origins)
		}
		o.clear()
		require.Zero(t, account.Used(), "an outbox that has ended holds nothing")
		for _, of := range origins[1:] {
			require.Zero(t, of.unsent.Load())
		}
	})
}

func (m *modelOutbox) write(position int, now time.Duration) {
	for ; m.written < position; m.written++ {
		m.at[m.written] = now
	}
	for m.written > m.forgotten+1 && (m.written-m.forgotten > m.limits.RetainedEvents || m.retained() > m.limits.RetainedBytes) {
		m.forgotten++
	}
}

func (m *modelOutbox) retained() (bytes int) {
	for _, e := range m.events[m.forgotten:max(m.forgotten, m.written)] {
		bytes += int(e.size)
	}
	return bytes
}

func (m *modelOutbox) compare(t *rapid.T, o *outbox, account *budget.Budget, origins []*origin) {
	require.EqualValues(t, len(m.events), o.last())
	require.EqualValues(t, m.forgotten+1, o.first)
	for position := m.forgotten; position < len(m.events); position++ {
		e, there := o.after(uint64(position))
		require.True(t, there)
		require.Same(t, m.events[position], e)
	}
	held := m.events[m.forgotten:]
	charged := entryBytes * len(held)
	for _, e := range held {
		charged += int(e.size)
	}
	require.EqualValues(t, charged, account.Used())
	for _, of := range origins[1:] {
		mine := m.tally(func(e *event) bool { return e.origin == of })
		require.EqualValues(t, mine.bytes, of.unsent.Load())
	}
	require.Equal(t, m.tally(func(*event) bool { return true }), o.unsent)
	if o.crowd != nil {
		for from, counted := range o.crowd.senders {
			require.Equal(t, m.tally(func(e *event) bool { return e.from == from }), counted)
		}
	}
}

// The array that held a burst of events does not stay in memory after the burst.
func TestTheArrayOfABurstIsFreed(t *testing.T) {
	o := newOutbox(OutboxLimits{UnsentEvents: 5000, UnsentBytes: 1 << 20, RetainedEvents: 10, RetainedBytes: 1 << 20}, nil)
	for range 4000 {
		require.True(t, o.put(newEvent("signal", []byte(`{}`)), 0))
	}
	o.wrote(3990, 0, func(time.Duration) {})
	require.Len(t, o.entries, 20)
	require.Less(t, cap(o.entries), 100)
	o.confirm(4000, 0, func(time.Duration) {})
	require.Nil(t, o.entries)
}

// BenchmarkDelivering measures what an event to a room costs for each member that has no
// reader.
func BenchmarkDelivering(b *testing.B) {
	h := NewHub(Options{Outbox: OutboxLimits{UnsentEvents: 1 << 30, UnsentBytes: 1 << 30, RetainedEvents: 10, RetainedBytes: 1 << 20}})
	const members = 1000
	ids := make([]string, members)
	for i := range ids {
		s := newSocket(h, NewToken())
		require.NoError(b, h.register(s, networkOfTests, engineBytes))
		ids[i] = s.id
	}
	b.Run("told", func(b *testing.B) {
		for b.Loop() {
			m := Message{Kind: "signal", Data: Line(`{"type":"signal","data":1}`), From: ids[0]}
			require.NoError(b, h.Admit(slices.Values(ids), m))
			require.NoError(b, h.Tell(slices.Values(ids), m))
			for _, id := range ids { // as if every member had read it
				o := &h.socket(id).outbox
				o.confirm(o.last(), 0, func(time.Duration) {})
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
	})
	b.Run("merged", func(b *testing.B) {
		for b.Loop() {
			m := Message{Kind: "signal", Data: Line(`{"type":"signal","data":1}`), From: ids[0], Key: 1}
			require.NoError(b, h.Admit(slices.Values(ids), m))
			require.NoError(b, h.Tell(slices.Values(ids), m))
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
	})
}

var networkOfTests = netip.MustParsePrefix("192.0.2.1/32")
