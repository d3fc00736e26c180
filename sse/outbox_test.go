package sse

import (
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
	events    []modelEntry // all events that were put in and not replaced; the first has the sequence 1
	forgotten int          // the sequence up to which nothing is held
	written   int          // the sequence up to which all was written
	handed    int          // the sequence up to which all is on its way
}

type modelEntry struct {
	event *event
	at    time.Duration // when it was put in or, later, written
}

// held returns the events that are held with sequences after one and up to another.
func (m *modelOutbox) held(after, upTo int) (held []*event) {
	for _, e := range m.events[max(after, m.forgotten):max(after, m.forgotten, upTo)] {
		held = append(held, e.event)
	}
	return held
}

func (m *modelOutbox) unsent() []*event { return m.held(m.written, len(m.events)) }

func (m *modelOutbox) kept() []*event { return m.held(m.forgotten, m.written) }

func (m *modelOutbox) tally(of func(*event) bool) (t tally) {
	for _, e := range m.unsent() {
		if of(e) {
			t.add(e)
		}
	}
	return t
}

// sameKey returns the place of the event that e replaces, or -1.
func (m *modelOutbox) sameKey(e *event) int {
	for i := len(m.events) - 1; i >= max(m.written, m.handed) && e.key != 0; i-- {
		if m.events[i].event.key == e.key {
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
	return len(unsent) >= m.limits.UnsentEvents || sizeOf(unsent[1:])+int(e.size) > m.limits.UnsentBytes
}

func sizeOf(events []*event) (bytes int) {
	for _, e := range events {
		bytes += int(e.size)
	}
	return bytes
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
		for n := range rapid.IntRange(1, 400).Draw(t, "steps") {
			now += time.Second
			switch rapid.SampledFrom([]string{"put", "put", "put", "put", "put", "take", "write", "confirm", "expire", "trim"}).Draw(t, "step") {
			case "put":
				e := &event{kind: "signal", line: Line(fmt.Sprint(n)), budget: account, size: rapid.SampledFrom([]int32{1, 20, 700}).Draw(t, "size")}
				e.from = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "from")
				e.origin = origins[map[string]int{"": 0, "a": 1, "b": 1, "c": 2}[e.from]]
				e.key = uint64(max(0, rapid.IntRange(-4, 3).Draw(t, "key")))
				require.Equal(t, m.admits(e), o.admits(e))
				at := m.sameKey(e)
				isTaken := at >= 0 || !m.isFull(e)
				require.Equal(t, isTaken, o.put(e, now))
				if at >= 0 {
					m.events = slices.Delete(m.events, at, at+1)
				}
				if isTaken {
					m.events = append(m.events, modelEntry{event: e, at: now})
				}
			case "take":
				m.handed = max(m.handed, rapid.IntRange(m.written, len(m.events)).Draw(t, "handed"))
				o.hand(uint64(m.handed))
			case "write":
				m.write(m.handed, now)
				o.wrote(uint64(m.handed), now)
			case "confirm":
				position := rapid.IntRange(m.forgotten, len(m.events)).Draw(t, "position")
				m.write(position, now)
				m.forgotten = max(m.forgotten, position)
				m.handed = position
				o.confirm(uint64(position), now)
				o.handed = uint64(position)
			case "expire":
				before := now - 20*time.Second
				for len(m.kept()) > 0 && m.events[m.forgotten].at < before {
					m.forgotten++
				}
				o.expire(before)
			case "trim":
				for len(m.kept()) > 1 && sizeOf(m.kept()) > 100 {
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
	for i := m.written; i < position; i++ {
		m.events[i].at = now
	}
	m.written = max(m.written, position)
	for len(m.kept()) > 1 && (len(m.kept()) > m.limits.RetainedEvents || sizeOf(m.kept()) > m.limits.RetainedBytes) {
		m.forgotten++
	}
}

func (m *modelOutbox) compare(t *rapid.T, o *outbox, account *budget.Budget, origins []*origin) {
	require.EqualValues(t, len(m.events), o.last)
	require.True(t, o.holds(uint64(m.forgotten)))
	require.False(t, m.forgotten > 0 && o.holds(uint64(m.forgotten-1)))
	position := uint64(m.forgotten)
	for i := m.forgotten; i < len(m.events); i++ {
		e, sequence, there := o.after(position)
		require.True(t, there)
		require.EqualValues(t, i+1, sequence)
		require.Same(t, m.events[i].event, e)
		position = sequence
	}
	_, _, there := o.after(position)
	require.False(t, there)
	held := m.held(0, len(m.events))
	require.EqualValues(t, entryBytes*len(held)+sizeOf(held), account.Used())
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
	o.wrote(3990, 0)
	require.Len(t, o.entries, 20)
	require.Less(t, cap(o.entries), 100)
	o.confirm(4000, 0)
	require.Nil(t, o.entries)
}

// BenchmarkDelivering measures what an event to a room costs for each member that has no
// reader.
func BenchmarkDelivering(b *testing.B) {
	h := NewHub(Options{Outbox: OutboxLimits{UnsentEvents: 1 << 30, UnsentBytes: 1 << 30, RetainedEvents: 10, RetainedBytes: 1 << 20}})
	const members = 1000
	ids := make([]string, members)
	for i := range ids {
		s := newSocket(h, NewToken().SocketID())
		require.NoError(b, h.register(s, networkOfTests, unbounded))
		ids[i] = s.id
	}
	b.Run("told", func(b *testing.B) {
		for b.Loop() {
			m := Message{Kind: "signal", Data: Line(`{"type":"signal","data":1}`), From: ids[0]}
			require.NoError(b, h.Admit(slices.Values(ids), m))
			require.NoError(b, h.Tell(slices.Values(ids), m))
			for _, id := range ids { // as if every member had read it
				o := &h.socket(id).outbox
				o.confirm(o.last, 0)
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

// unbounded is the charge to a budget that has no bound.
func unbounded(int) bool { return true }
