package rooms_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/rooms"
)

// ledger is a courier that writes down what it is asked, with the whole text of each event.
// Its answers depend on nothing but the calls of the test.
type ledger struct {
	lines []string
	away  map[string]bool // by socket ID
	gone  map[string]bool // sockets that have ended
	full  map[string]bool // sockets with no share left for any sender
}

func newLedger() *ledger {
	return &ledger{away: make(map[string]bool), gone: make(map[string]bool), full: make(map[string]bool)}
}

func (l *ledger) note(how, socketID string, e rooms.Event) {
	var text bytes.Buffer
	_, _ = e.Data.WriteTo(&text)
	l.lines = append(l.lines, fmt.Sprintf("%s %s: %s from %q key %d, %d of %d bytes: %s", how, socketID, e.Kind, e.From, e.Key, e.Data.Held(), e.Data.Len(), &text))
}

func (l *ledger) Deliver(socketID string, e rooms.Event) error {
	if l.gone[socketID] {
		return rooms.ErrGone
	}
	l.note("deliver", socketID, e)
	return nil
}

func (l *ledger) Send(socketID string, e rooms.Event) error {
	switch {
	case l.gone[socketID]:
		return rooms.ErrGone
	case l.full[socketID]:
		return rooms.ErrOverflow
	}
	l.note("send", socketID, e)
	return nil
}

func (l *ledger) Admit(to iter.Seq[string], e rooms.Event) error {
	for id := range to {
		l.note("admit", id, e)
		if l.full[id] {
			return rooms.ErrOverflow
		}
	}
	return nil
}

func (l *ledger) Tell(to iter.Seq[string], e rooms.Event) error {
	for id := range to {
		l.note("tell", id, e)
	}
	return nil
}

func (l *ledger) IsAway(socketID string) (away, lives bool) {
	return l.away[socketID], !l.gone[socketID]
}

func (l *ledger) Flush() {}

// replica is a register whose times and IDs come from the test.
type replica struct {
	*rooms.Rooms
	courier *ledger
	options rooms.Options
	now     time.Time
	ids     int
}

func newReplica() *replica {
	r := &replica{courier: newLedger()}
	r.options = rooms.Options{
		Members: 6, RosterBytes: 2000, Rooms: 4, RoomsPerNetwork: 2, Changes: 9,
		Now: func() time.Time { return r.now },
		NewID: func() string {
			r.ids++
			return fmt.Sprint("message ", r.ids)
		},
	}
	r.renew()
	return r
}

// renew replaces the register by an empty one.
func (r *replica) renew() { r.Rooms = rooms.New(r.courier, r.options, slog.New(slog.DiscardHandler)) }

// operation is one operation on a register, at a time.
type operation struct {
	at   time.Time
	name string
	do   func(*replica) any // the result, which can be compared
}

func (o operation) on(r *replica) string {
	r.now = o.at
	return fmt.Sprint(o.name, " ", o.do(r))
}

var (
	networks = []netip.Prefix{{}, netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/64")}
	start    = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
)

// anyOperation draws an operation at a time.
func anyOperation(t *rapid.T, at time.Time) operation {
	one := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	socket := func() string { return one("socket", "a", "b", "c", "d", "e", "f", "g", "h") }
	roomID := func() string { return one("room", "tea", "coffee", "größer", "", "x") }
	text := func() string { return one("text", "", "hello", `"<&>`, strings.Repeat("\x01", 900)) }
	is := func(what string) bool { return rapid.Bool().Draw(t, what) }
	id := socket()
	relay := rooms.Relay{Kind: "signal", Members: []byte(`"data":` + one("data", "1", `{"x":[]}`))}
	kind := one("operation", "join", "join", "join", "join again", "leave", "remove", "observe", "signal", "signal all", "chat", "typing",
		"announce", "lock", "close", "expire", "end", "fill", "delivered", "delivered", "replay")
	o := operation{at: at, name: kind}
	switch kind {
	case "join", "join again":
		request := rooms.JoinRequest{RoomID: roomID(), UserID: one("user", "Ada", "Bob", "\"é\u2028"), RequestID: text()}
		if is("metadata") {
			request.Metadata = json.RawMessage(one("metadata", `{"color":"<red>"}`, `{}`, `{"x":"`+strings.Repeat("x", 700)+`"}`))
		}
		request.Permit = rooms.Permit{NoSignals: is("no signals"), NoChat: is("no chat"), MaxMembers: rapid.IntRange(0, 5).Draw(t, "most"),
			Network: rapid.SampledFrom(networks).Draw(t, "network")}
		if is("expires") {
			request.Permit.Expires = at.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "expires")) * time.Second).In(time.FixedZone("east", 3600))
		}
		o.do = func(r *replica) any {
			if kind == "join again" {
				request.RoomID, request.UserID, _ = r.Place(id)
			}
			weight, bytes := r.JoinCost(id, request)
			return fmt.Sprint(weight, bytes, r.Join(id, request))
		}
	case "leave":
		requestID := text()
		o.do = func(r *replica) any { return r.Leave(id, requestID) }
	case "remove":
		o.do = func(r *replica) any { r.Remove(id, "transport close"); return nil }
	case "observe":
		away := is("away")
		o.do = func(r *replica) any { r.courier.away[id] = away; r.Observe(id); return nil }
	case "signal":
		target := socket()
		o.do = func(r *replica) any { return r.Signal(id, target, relay) }
	case "signal all":
		o.do = func(r *replica) any { return fmt.Sprint(r.SignalAllWeight(id, relay), r.SignalAll(id, relay)) }
	case "chat":
		message := text()
		o.do = func(r *replica) any { return fmt.Sprint(r.ChatWeight(id, message), r.Chat(id, message)) }
	case "typing":
		isTyping := is("typing")
		o.do = func(r *replica) any { return fmt.Sprint(r.TypingWeight(id), r.Typing(id, isTyping)) }
	case "announce":
		name := roomID()
		o.do = func(r *replica) any { return r.Announce(name, json.RawMessage(`{"n":1.0}`)) }
	case "lock":
		name, locked := roomID(), is("locked")
		o.do = func(r *replica) any { return r.SetLocked(name, locked) }
	case "close":
		name := roomID()
		o.do = func(r *replica) any { return r.Close(name) }
	case "expire":
		o.do = func(r *replica) any {
			expired := r.Expired(r.now)
			for _, stay := range expired {
				r.Expire(stay)
			}
			return expired
		}
	case "delivered":
		round, sequences := uint64(rapid.IntRange(0, 2).Draw(t, "round")), rapid.SliceOf(rapid.Uint64Range(0, 40)).Draw(t, "sequences")
		o.do = func(r *replica) any { r.Delivered(round, sequences); return nil }
	case "replay":
		since := at.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "since")) * time.Second)
		o.do = func(r *replica) any { r.Replay(since); return nil }
	case "end":
		gone := is("gone")
		o.do = func(r *replica) any { r.courier.gone[id] = gone; return nil }
	case "fill":
		full := is("full")
		o.do = func(r *replica) any { r.courier.full[id] = full; return nil }
	}
	return o
}

// described is what operators see of a register.
func described(r *replica) (all []any) {
	active, members, total := r.Counts()
	all = append(all, active, members, total)
	for _, id := range []string{"tea", "coffee", "größer", "", "x"} {
		info, ok := r.Room(id)
		all = append(all, info, ok)
	}
	return all
}

// A register that was restored from a snapshot, at any time, has the same results, the same
// events and the same bytes as one that lives on.
func TestARestoredRegisterGoesOnAsIfNothingHadHappened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, copied := newReplica(), newReplica()
		now := start
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 5_000_000_000).Draw(t, "later")))
			o := anyOperation(t, now)
			require.Equal(t, o.on(original), o.on(copied))
			require.Equal(t, original.courier.lines, copied.courier.lines, o.name)
			original.courier.lines, copied.courier.lines = nil, nil
			snapshot := original.AppendSnapshot(nil)
			require.Equal(t, snapshot, copied.AppendSnapshot(nil), o.name)
			if rapid.IntRange(0, 3).Draw(t, "restore") == 0 {
				copied.renew()
				require.NoError(t, copied.Restore(snapshot))
				require.Equal(t, snapshot, copied.AppendSnapshot(nil))
			}
			require.Equal(t, described(original), described(copied))
		}
	})
}

// Neither the clock nor chance nor the order of a map decides anything: the same operations
// bring the same bytes at any other time.
func TestOnlyNowAndNewIDBringTimeAndChance(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var operations []operation
		for n := range rapid.IntRange(1, 60).Draw(rt, "operations") {
			operations = append(operations, anyOperation(rt, start.Add(time.Duration(n)*time.Second)))
		}
		run := func(pause time.Duration) (lines []string, snapshot []byte) {
			synctest.Test(t, func(*testing.T) {
				r := newReplica()
				for _, o := range operations {
					time.Sleep(pause)
					r.courier.lines = append(r.courier.lines, o.on(r))
				}
				lines, snapshot = r.courier.lines, r.AppendSnapshot(nil)
			})
			return lines, snapshot
		}
		lines, snapshot := run(0)
		later, other := run(time.Hour)
		require.Equal(rt, lines, later)
		require.Equal(rt, snapshot, other)
	})
}

// A roster that many have joined and left is kept in other chunks than one that is
// restored. No event shows the difference.
func TestARosterThatWasRestoredWeighsTheSame(t *testing.T) {
	options := rooms.Options{Members: 1000}
	box, other := newLedger(), newLedger()
	rs := rooms.New(box, options, slog.New(slog.DiscardHandler))
	for n := range 400 {
		require.NoError(t, rs.Join(fmt.Sprint("s", n), rooms.JoinRequest{RoomID: "room", UserID: "u"}))
	}
	for n := range 400 {
		if n%3 != 0 {
			require.NoError(t, rs.Leave(fmt.Sprint("s", n), ""))
		}
	}
	restored := rooms.New(other, options, slog.New(slog.DiscardHandler))
	require.NoError(t, restored.Restore(rs.AppendSnapshot(nil)))
	box.lines = nil
	for _, each := range []struct {
		rs      *rooms.Rooms
		courier *ledger
	}{{rs, box}, {restored, other}} {
		require.NoError(t, each.rs.Join("s0", rooms.JoinRequest{RoomID: "room", UserID: "u"}))
	}
	require.Len(t, box.lines, 1)
	before, _, _ := strings.Cut(box.lines[0], " bytes")
	after, _, _ := strings.Cut(other.lines[0], " bytes")
	require.Equal(t, before, after)
}

func TestARestoredPermitExpiresAtTheSameNanosecond(t *testing.T) {
	r := newReplica()
	r.now = start
	require.NoError(t, r.Join("a", rooms.JoinRequest{RoomID: "tea", UserID: "A", Permit: rooms.Permit{Expires: start.Add(1)}}))
	snapshot := r.AppendSnapshot(nil)
	r.renew()
	require.NoError(t, r.Restore(snapshot))
	require.Empty(t, r.Expired(r.now))
	r.now = start.Add(1)
	require.Len(t, r.Expired(r.now), 1)
}

// snapshotOfTwoRooms is a snapshot with all that a snapshot may hold, and so many changes.
func snapshotOfTwoRooms(changes int) []byte {
	r := newReplica()
	r.options.Changes = changes
	r.renew()
	r.now = start
	permit := rooms.Permit{NoSignals: true, MaxMembers: 5, Expires: start.Add(time.Hour), Network: networks[1]}
	for _, id := range []string{"a", "b"} {
		_ = r.Join(id, rooms.JoinRequest{RoomID: "tea", UserID: "user", Metadata: json.RawMessage(`{"x":1}`), Permit: permit})
	}
	_ = r.Join("c", rooms.JoinRequest{RoomID: "coffee", UserID: "user"})
	r.courier.away["a"] = true
	r.Observe("a")
	_ = r.SetLocked("coffee", true)
	return r.AppendSnapshot(nil)
}

func TestASnapshotThatMakesNoSenseIsRefused(t *testing.T) {
	whole := snapshotOfTwoRooms(0)
	restore := func(snapshot []byte) error {
		return rooms.New(newLedger(), rooms.Options{}, slog.New(slog.DiscardHandler)).Restore(snapshot)
	}
	for _, whole := range [][]byte{whole, snapshotOfTwoRooms(9)} {
		require.NoError(t, restore(whole))
		for n := range whole {
			require.Error(t, restore(whole[:n]), "the first %d bytes", n)
		}
		require.Error(t, restore(append(whole, 0)))
	}
	for name, one := range map[string][2]string{
		"rooms that are not in order":   {"coffee", "zzffee"},
		"a socket in two places":        {"\x01b\x04", "\x01a\x04"},
		"metadata that is not JSON":     {`{"x":1}`, `{"x":1]`},
		"metadata on several lines":     {`{"x":1}`, "[\n7\n\n ]"},
		"two stays with one number":     {"\x02\x01b", "\x01\x01b"},
		"a stay that has not begun yet": {"\x03\x01c", "\x04\x01c"},
	} {
		require.Contains(t, string(whole), one[0], name)
		require.Error(t, restore([]byte(strings.Replace(string(whole), one[0], one[1], 1))), name)
	}
}

// Whatever bytes a register is restored from, it refuses them, or it has the state that they
// describe. (A snapshot comes from another node.)
func FuzzRestore(f *testing.F) {
	f.Add(snapshotOfTwoRooms(0))
	f.Add(snapshotOfTwoRooms(9))
	f.Add([]byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, snapshot []byte) {
		r := newReplica()
		r.options.Changes = math.MaxInt
		r.renew()
		if r.Restore(snapshot) != nil {
			return
		}
		require.Equal(t, snapshot, r.AppendSnapshot(nil))
		for listed := range r.Each() {
			require.True(t, listed.Exists())
			require.NoError(t, r.Close(listed.RoomID()))
		}
		active, members, _ := r.Counts()
		require.Zero(t, active+members)
	})
}
