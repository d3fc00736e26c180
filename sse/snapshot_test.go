package sse_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// replica is one of several hubs that get the same commands.
type replica struct {
	hub     *sse.Hub
	account *budget.Budget
	elapsed time.Duration
	seen    []string // what its callbacks and calls told
}

var replicatedSince = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newReplica() *replica {
	r := &replica{account: budget.New(1 << 40)}
	r.hub = sse.NewHub(sse.Options{
		MaxSockets:           5,
		MaxSocketsPerNetwork: 3,
		Outbox:               sse.OutboxLimits{UnsentEvents: 8, UnsentBytes: 400, RetainedEvents: 5, RetainedBytes: 200},
		UnsentPerNetwork:     300,
		Budget:               r.account,
		Now:                  func() time.Time { return replicatedSince.Add(r.elapsed) },
		Elapsed:              func() time.Duration { return r.elapsed },
		OnEnd:                func(of sse.Ref, reason sse.Reason) { r.note("ended", of.SocketID(), reason) },
		OnPresence:           func(socketID string) { r.note(socketID) },
	})
	return r
}

func (r *replica) note(what ...any) { r.seen = append(r.seen, fmt.Sprintln(what...)) }

// restored returns a copy that knows only the snapshot.
func (r *replica) restored(t require.TestingT) *replica {
	again := newReplica()
	again.elapsed, again.seen = r.elapsed, slices.Clone(r.seen)
	require.NoError(t, again.hub.Restore(r.hub.AppendSnapshot(nil)))
	require.Equal(t, r.account.Used(), again.account.Used(), "a copy is charged for the same")
	return again
}

// step is a command or a call, with all that comes in.
type step struct {
	command sse.Command // if it is not zero
	call    string
	to      []string
	message sse.Message
	passes  time.Duration
}

func (r *replica) take(s step) {
	r.elapsed += s.passes
	switch s.call {
	case "":
		r.note(r.hub.Apply(s.command))
	case "send":
		r.note(r.hub.Send(s.to[0], s.message))
	case "deliver":
		r.note(r.hub.DeliverMessage(s.to[0], s.message))
	case "pong":
		r.note(r.hub.Pong(s.to[0]))
	case "tell":
		err := r.hub.Admit(slices.Values(s.to), s.message)
		if r.note(err); err == nil {
			r.note(r.hub.Tell(slices.Values(s.to), s.message))
		}
	}
	r.hub.Settle()
	r.hub.Flush()
}

var replicatedNetworks = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("2001:db8::/64")}

var replicatedIDs = strings.Split("abcdef", "")

func drawStep(t *rapid.T) step {
	id := func(name string) string { return rapid.SampledFrom(replicatedIDs).Draw(t, name) }
	s := step{passes: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 1, 5, 20, 60}).Draw(t, "passes")) * time.Second}
	switch s.call = rapid.SampledFrom([]string{"", "", "", "send", "send", "deliver", "pong", "tell", "tell"}).Draw(t, "call"); s.call {
	case "":
		s.command = sse.Command{
			Kind:       sse.CommandKind(rapid.SampledFrom([]sse.CommandKind{1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 8}).Draw(t, "kind")),
			SocketID:   id("socket"),
			Attachment: sse.Attachment{Node: rapid.SampledFrom([]string{"n1", "n1", "n1", "n2"}).Draw(t, "node"), Number: uint64(rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "number"))},
			Transport:  rapid.SampledFrom([]sse.Transport{sse.OverStream, sse.OverPoll}).Draw(t, "transport"),
			Client:     sse.Client{IP: "192.0.2.1", UserAgent: "test", Network: rapid.SampledFrom(replicatedNetworks).Draw(t, "network")},
			Sequence:   uint64(rapid.IntRange(0, 12).Draw(t, "sequence")),
			IsStalled:  rapid.Bool().Draw(t, "stalled"),
			Reason:     rapid.SampledFrom([]sse.Reason{sse.Kicked, sse.ClientDisconnect}).Draw(t, "reason"),
		}
	default:
		s.to = rapid.SliceOfNDistinct(rapid.SampledFrom(replicatedIDs), 1, 6, rapid.ID).Draw(t, "to")
		s.message = sse.Message{
			Kind: "signal",
			Data: sse.Line(`{"x":"` + strings.Repeat("x", rapid.SampledFrom([]int{1, 30, 150}).Draw(t, "size")) + `"}`),
			From: rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "from"),
			Key:  uint64(max(0, rapid.IntRange(-3, 3).Draw(t, "key"))),
		}
		if s.call == "deliver" {
			s.message.From = ""
		}
	}
	return s
}

// Two hubs with the same commands and calls have the same state, byte by byte, and tell the
// same, also if one of them is replaced by a copy at any place. No part of the state is
// missing in a snapshot.
func TestHubsWithTheSameCommandsAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := newReplica(), newReplica()
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			s := drawStep(t)
			first.take(s)
			second.take(s)
			require.Equal(t, first.seen, second.seen)
			switch rapid.IntRange(0, 11).Draw(t, "then") {
			case 0:
				second = second.restored(t)
			case 1:
				_ = second.hub.AppendSnapshot(nil) // it changes nothing
			case 2:
				require.Equal(t, first.hub.AppendSnapshot(nil), second.hub.AppendSnapshot(nil))
			}
		}
	})
}

func FuzzASnapshotIsRestoredOrRefused(f *testing.F) {
	r := newReplica()
	for n, id := range []string{"a", "b", "c"} {
		r.take(step{command: sse.Command{Kind: sse.OpenSocket, SocketID: id, Attachment: sse.Attachment{Node: "n", Number: uint64(n + 1)}, Transport: sse.OverPoll, Client: sse.Client{Network: replicatedNetworks[n]}}})
	}
	f.Add(r.hub.AppendSnapshot(nil))
	r.take(step{call: "tell", to: []string{"a", "b"}, message: sse.Message{Kind: "signal", Data: sse.Line(`{}`), From: "c", Key: 1}})
	r.take(step{call: "deliver", to: []string{"a"}, message: sse.Message{Kind: "signal", Data: sse.Line(`{}`)}})
	r.take(step{command: sse.Command{Kind: sse.NoteWritten, SocketID: "a", Attachment: sse.Attachment{Node: "n", Number: 1}, Sequence: 1}})
	f.Add(r.hub.AppendSnapshot(nil))
	f.Fuzz(func(t *testing.T, snapshot []byte) {
		again := newReplica()
		if again.hub.Restore(snapshot) != nil {
			return
		}
		second := newReplica()
		require.NoError(t, second.hub.Restore(again.hub.AppendSnapshot(nil)))
		require.Equal(t, again.hub.AppendSnapshot(nil), second.hub.AppendSnapshot(nil))
		second.take(step{call: "tell", to: []string{"a", "b"}, message: sse.Message{Kind: "signal", Data: sse.Line(`{}`), From: "c", Key: 1}})
	})
}
