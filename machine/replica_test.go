package machine_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// newReplica makes a replica with small limits, so that all of them are met.
func newReplica() *machine.Replica {
	r := machine.NewReplica()
	s := &state{Machine: &machine.Machine{Keys: func(r sse.Ref) *machine.Keys { return r.State().(*machine.Keys) }}}
	r.Machine = s.Machine
	s.Hub = sse.NewHub(sse.Options{
		Now: r.Now, Elapsed: r.Elapsed,
		HeartbeatInterval: time.Second, WriteTimeout: time.Second, ResumeWindow: 2 * time.Second,
		MaxSockets: 6, MaxSocketsPerNetwork: 4, UnsentPerNetwork: 4000,
		Outbox:     sse.OutboxLimits{UnsentEvents: 6, UnsentBytes: 1800, RetainedEvents: 6, RetainedBytes: 2000},
		NewState:   func() any { return new(machine.Keys) },
		OnPresence: func(id string) { s.Rooms.Observe(id) },
		OnEnd: func(r sse.Ref, reason sse.Reason) {
			s.Rooms.Remove(r.SocketID(), string(reason))
			s.Forget(r)
		},
	})
	s.Rooms = rooms.New(courier{s}, rooms.Options{Members: 3, RosterBytes: 400, Rooms: 2, RoomsPerNetwork: 1, Changes: 7, Now: r.Now, NewID: r.NewID}, slog.New(slog.DiscardHandler))
	return r
}

var (
	replicaSockets  = strings.Split("abcdefgh", "")
	replicaRooms    = []string{"red", "blue", "green"}
	replicaNetworks = []netip.Prefix{home, netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("2001:db8::/64")}
)

// logOf draws the records of three nodes.
type logOf struct {
	numbers map[string]uint64
	lives   map[string]uint64
	now     time.Time
	replica *machine.Replica // has applied them
}

func newLog() *logOf {
	return &logOf{numbers: map[string]uint64{}, lives: map[string]uint64{}, now: time.Unix(1_767_225_600, 0), replica: newReplica()}
}

func (l *logOf) draw(t *rapid.T) machine.Record {
	node := rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node")
	if rapid.IntRange(0, 30).Draw(t, "starts again") == 0 {
		l.lives[node]++
		l.numbers[node] = 0
	}
	l.numbers[node]++
	l.now = l.now.Add(time.Duration(rapid.IntRange(-3000, 9000).Draw(t, "ms")) * time.Millisecond)
	rec := machine.Record{Node: node, Life: l.lives[node], Number: l.numbers[node], At: l.now, Elapsed: time.Duration(rapid.IntRange(0, 60_000).Draw(t, "elapsed")) * time.Millisecond}
	rec.Seed[0] = rapid.Byte().Draw(t, "seed")
	for range rapid.IntRange(1, 6).Draw(t, "commands") {
		rec.Commands = append(rec.Commands, drawCommand(t, node))
	}
	if knows := rapid.IntRange(0, 9).Draw(t, "knows of its losses") > 0; knows {
		rec.Losses = l.replica.Losses(node)
	}
	apply(l.replica, rec)
	return rec
}

func drawCommand(t *rapid.T, node string) (c machine.Command) {
	id := rapid.SampledFrom(replicaSockets).Draw(t, "socket")
	switch rapid.SampledFrom([]string{"socket", "socket", "post", "post", "post", "post", "operation", "expired", "lives", "lives", "lives", "lives", "lives", "lost"}).Draw(t, "command") {
	case "socket":
		c.Socket = drawSocketCommand(t, id, node)
	case "post":
		post := machine.Post{SocketID: id, Confirmed: uint64(rapid.SampledFrom([]int{0, 0, 1, 5, 10}).Draw(t, "confirmed"))}
		if rapid.Bool().Draw(t, "keyed") {
			post.Key = key(rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "key"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "content"))
		}
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			if rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
				post.Refuse(machine.RateLimited)
			} else {
				post.Ask(drawAct(t))
			}
		}
		c.Post = &post
	case "operation":
		o := machine.Operation{Kind: machine.OperationKind(rapid.IntRange(1, 10).Draw(t, "operation")), ID: rapid.SampledFrom(replicaRooms).Draw(t, "room"), Data: []byte(`1`)}
		if o.Kind == machine.Kick {
			o = machine.Operation{Kind: machine.Kick, ID: id, Reason: "because"}
		} else if o.Kind == machine.AnnounceTo {
			o.ID = id
		} else if o.Kind != machine.Announce {
			o.Data = nil
		}
		if o.Kind == machine.Revoke || o.Kind == machine.Allow {
			o = machine.Operation{Kind: o.Kind, Revoked: drawRevoked(t)}
		}
		if o.Kind == machine.Revoke {
			o.Until = time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "until"), 0).UTC()
		}
		switch o.Kind {
		case machine.NoteDelivered:
			o = machine.Operation{Kind: o.Kind, Round: uint64(rapid.IntRange(0, 2).Draw(t, "round")), Sequences: drawSequences(t)}
		case machine.Replay:
			o = machine.Operation{Kind: o.Kind, Since: time.Unix(1_767_225_600+int64(rapid.IntRange(0, 600).Draw(t, "since")), 0).UTC()}
		}
		c.Operation = &o
	case "expired":
		c.Expired = &rooms.Stay{SocketID: id, Number: uint64(rapid.IntRange(1, 20).Draw(t, "stay"))}
	case "lives":
		c.Node = &machine.NodeCommand{}
	case "lost":
		c.Node = &machine.NodeCommand{Lost: rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "lost"), Beat: uint64(rapid.IntRange(0, 4).Draw(t, "beat"))}
	}
	return c
}

func drawSocketCommand(t *rapid.T, id, node string) *sse.Command {
	drawAttachment := func(label string) sse.Attachment {
		return sse.Attachment{Node: rapid.SampledFrom([]string{node, "n1"}).Draw(t, label+" at"), Number: uint64(rapid.SampledFrom([]int{1, 1, 2}).Draw(t, label))}
	}
	c := &sse.Command{
		Kind:       rapid.SampledFrom([]sse.CommandKind{sse.OpenSocket, sse.OpenSocket, sse.OpenSocket, sse.AttachReader, sse.AttachReader, sse.DetachReader, sse.NoteWritten, sse.NoteWritten, sse.NoteConfirmed, sse.NoteHeard, sse.GoAway, sse.Expire, sse.EndSocket, sse.TrimOutboxes}).Draw(t, "kind"),
		SocketID:   id,
		Attachment: drawAttachment("attached"),
		Before:     drawAttachment("attached before"),
		Transport:  rapid.SampledFrom([]sse.Transport{sse.OverStream, sse.OverPoll}).Draw(t, "transport"),
		Client:     sse.Client{IP: "192.0.2.1", UserAgent: "test", Network: rapid.SampledFrom(replicaNetworks).Draw(t, "network")},
		Sequence:   uint64(rapid.IntRange(0, 15).Draw(t, "sequence")),
		IsStalled:  rapid.Bool().Draw(t, "stalled"),
		Reason:     sse.SlowConsumer,
	}
	return c
}

func drawAct(t *rapid.T) machine.Act {
	switch kind := rapid.SampledFrom([]machine.Kind{1, 1, 1, 2, 3, 3, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12}).Draw(t, "act"); kind {
	case machine.JoinRoom:
		permit := rooms.Permit{Network: rapid.SampledFrom(replicaNetworks).Draw(t, "network"), NoChat: rapid.IntRange(0, 5).Draw(t, "chat") == 0}
		if rapid.Bool().Draw(t, "has an ID") {
			permit.ID = "p"
		}
		if rapid.Bool().Draw(t, "expires") {
			permit.Expires = time.Unix(1_767_225_600+int64(rapid.IntRange(0, 600).Draw(t, "when")), 0).UTC()
		}
		var metadata json.RawMessage
		if rapid.Bool().Draw(t, "metadata") {
			metadata = json.RawMessage(`{"x":1}`)
		}
		return machine.Act{Kind: kind, Join: &rooms.JoinRequest{
			RoomID: rapid.SampledFrom(replicaRooms).Draw(t, "room"), UserID: rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user"),
			Metadata: metadata, RequestID: rapid.SampledFrom([]string{"", "r"}).Draw(t, "request"), Permit: permit,
		}}
	case machine.LeaveRoom:
		return machine.Act{Kind: kind}
	case machine.SendMessage:
		return machine.Act{Kind: kind, Message: strings.Repeat("m", rapid.SampledFrom([]int{1, 300}).Draw(t, "length"))}
	case machine.Offer, machine.Answer, machine.ICECandidate, machine.Signal:
		target := rapid.SampledFrom(replicaSockets).Draw(t, "target")
		if kind == machine.Signal && rapid.Bool().Draw(t, "to all") {
			target = ""
		}
		return machine.Act{Kind: kind, Target: target, Members: fmt.Appendf(nil, `"n":%q`, strings.Repeat("n", rapid.SampledFrom([]int{1, 200, 900}).Draw(t, "length")))}
	default:
		return machine.Act{Kind: kind}
	}
}

// apply applies a record, and returns what it told.
func apply(r *machine.Replica, rec machine.Record) (told []string) {
	isNew := r.Apply(&rec, func(place int, result machine.Result) {
		told = append(told, fmt.Sprintf("%d %x %v %v %v", place, string(result.Outcomes), result.IsRepeat, result.Outcome, result.Err))
	})
	return append(told, fmt.Sprint(isNew))
}

// Replicas that apply the same records are equal byte by byte, and tell the same. One of them
// is replaced by a copy at random places, and one reads each record from its bytes. A record
// that is applied again changes nothing.
func TestReplicasThatApplyOneLogAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLog()
		first, copied, reader := newReplica(), newReplica(), newReplica()
		for range rapid.IntRange(1, 200).Draw(t, "records") {
			rec := l.draw(t)
			told := apply(first, rec)
			require.Equal(t, told, apply(copied, rec))
			read, err := machine.ReadRecord(rec.Append(nil))
			require.NoError(t, err)
			require.Equal(t, told, apply(reader, read))
			if rapid.IntRange(0, 9).Draw(t, "again") == 0 {
				require.Equal(t, []string{"false"}, apply(reader, rec))
			}
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				again := newReplica()
				require.NoError(t, again.Restore(copied.AppendSnapshot(nil)))
				copied = again
			case 1:
				want := first.AppendSnapshot(nil)
				require.Equal(t, want, copied.AppendSnapshot(nil))
				require.Equal(t, want, reader.AppendSnapshot(nil))
			}
		}
		require.Equal(t, first.AppendSnapshot(nil), copied.AppendSnapshot(nil))
	})
}

// A record has one form in bytes, and no other bytes are read.
func FuzzReadRecord(f *testing.F) {
	rec := machine.Record{Node: "n1", Life: 1, Number: 2, At: time.Unix(1_767_225_600, 5).UTC(), Elapsed: 7 * time.Microsecond, Commands: []machine.Command{
		{Socket: &sse.Command{Kind: sse.OpenSocket, SocketID: "a", Attachment: sse.Attachment{Node: "n1", Number: 3}, Transport: sse.OverPoll, Client: sse.Client{IP: "192.0.2.1", Network: home}}},
		{Socket: &sse.Command{Kind: sse.AttachReader, SocketID: "a", Attachment: sse.Attachment{Node: "n2", Number: 4}, Before: sse.Attachment{Node: "n1", Number: 3}, Transport: sse.OverStream, Client: sse.Client{IP: "192.0.2.1", Network: home}, Sequence: 4}},
		{Socket: &sse.Command{Kind: sse.DetachReader, SocketID: "a", Attachment: sse.Attachment{Node: "n1", Number: 3}, Sequence: 4, IsStalled: true}},
		{Post: &machine.Post{SocketID: "a", Key: key("k", "x"), Events: []machine.Outcome{machine.Accepted, machine.Denied}, Acts: []machine.Act{{Kind: machine.Ping}}}},
		{Operation: &machine.Operation{Kind: machine.Kick, ID: "a", Reason: "because"}},
		{Expired: &rooms.Stay{SocketID: "a", Number: 5}},
		{Node: &machine.NodeCommand{Lost: "n2", Beat: 6}},
		{Node: &machine.NodeCommand{}},
	}}
	f.Add(rec.Append(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := machine.ReadRecord(text)
		if err == nil {
			require.Equal(t, text, read.Append(nil))
		}
	})
}

func TestAnotherVersionIsNotRead(t *testing.T) {
	text := (&machine.Record{Node: "n1"}).Append(nil)
	text[0]++
	_, err := machine.ReadRecord(text)
	require.ErrorIs(t, err, machine.ErrVersion)
	snapshot := newReplica().AppendSnapshot(nil)
	snapshot[0]++
	require.ErrorIs(t, newReplica().Restore(snapshot), machine.ErrVersion)
}

// The log counts what its nodes measure. Its time never goes back, and stands still while no node
// lives.
func TestTheLogCountsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, number := newReplica(), uint64(0)
		applies := func(reckoned time.Duration, commands ...machine.Command) {
			number++
			apply(r, machine.Record{Node: "n1", Number: number, Elapsed: reckoned, Commands: commands})
		}
		lives := machine.Command{Node: &machine.NodeCommand{}}
		time.Sleep(time.Minute)
		applies(r.Reckon(), lives)
		require.Zero(t, r.Elapsed(), "nobody has measured it")

		time.Sleep(300 * time.Millisecond)
		require.Zero(t, r.Elapsed())
		reckoned := r.Reckon()
		applies(reckoned)
		require.Equal(t, 300*time.Millisecond, r.Elapsed())

		time.Sleep(700 * time.Millisecond)
		applies(r.Reckon(), lives)
		applies(reckoned)
		require.Equal(t, time.Second, r.Elapsed(), "one record was under way for long")

		time.Sleep(500 * time.Millisecond)
		applies(0, lives) // from a node that has just joined, and knows no better
		require.Equal(t, 1500*time.Millisecond, r.Reckon())

		time.Sleep(time.Hour)
		require.Equal(t, 3500*time.Millisecond, r.Reckon())
	})
}

// A node that was lost for an hour is forgotten. What it then appends comes late, like all that it
// appends before it knows its loss.
func TestANodeThatIsLostForLongIsForgotten(t *testing.T) {
	r, numbers := newReplica(), map[string]uint64{}
	elapsed := time.Duration(0)
	add := func(node string, command machine.Command) []string {
		numbers[node]++
		return apply(r, machine.Record{Node: node, Life: 1, Number: numbers[node], Elapsed: elapsed, Commands: []machine.Command{command}})
	}
	lives := machine.Command{Node: &machine.NodeCommand{}}
	add("n1", lives)
	add("n2", lives)
	add("n1", machine.Command{Node: &machine.NodeCommand{Lost: "n2", Beat: 1}})
	elapsed = time.Hour
	add("n1", lives)
	require.Len(t, r.Nodes(), 2)
	elapsed++
	add("n1", lives)
	require.Len(t, r.Nodes(), 1)

	require.Contains(t, add("n2", machine.Command{})[0], machine.ErrNotReady.Error())
	require.Contains(t, add("n2", machine.Command{})[0], "<nil>")
	require.Len(t, r.Nodes(), 2)
}

// What a node appends that does not know that it was lost comes late: its clients may have asked
// other nodes for the same. What it appends when it knows holds.
func TestARecordOfANodeThatDoesNotKnowItsLossChangesNothing(t *testing.T) {
	r := newReplica()
	number, losses := uint64(0), uint64(0)
	add := func(node string, commands ...machine.Command) []string {
		number++
		return apply(r, machine.Record{Node: node, Life: 1, Number: number, Losses: losses, Commands: commands})
	}
	open := func(id string) machine.Command {
		return machine.Command{Socket: &sse.Command{Kind: sse.OpenSocket, SocketID: id, Transport: sse.OverStream, Attachment: sse.Attachment{Node: "n2", Number: 1}}}
	}
	lives := machine.Command{Node: &machine.NodeCommand{}}
	add("n1", lives)
	add("n2", lives)
	add("n1", machine.Command{Node: &machine.NodeCommand{Lost: "n2", Beat: 1}})
	told := add("n2", open("a"), lives, machine.Command{}, machine.Command{Post: &machine.Post{SocketID: "a"}}, machine.Command{Operation: &machine.Operation{}})
	late := machine.ErrNotReady.Error()
	for place, want := range []string{late, "<nil>", late, late, late} {
		require.Contains(t, told[place], want)
	}
	_, exists := r.Hub.Ref("a")
	require.False(t, exists)
	require.Contains(t, add("n2", open("a"))[0], late, "it does not know yet")
	losses = 1
	require.Contains(t, add("n2", open("a"))[0], "<nil>")
	_, exists = r.Hub.Ref("a")
	require.True(t, exists)

	add("n1", machine.Command{Node: &machine.NodeCommand{Lost: "n2", Beat: 2}})
	number++
	told = apply(r, machine.Record{Node: "n2", Life: 2, Number: 1, Losses: 2, Commands: []machine.Command{open("b")}})
	require.Contains(t, told[0], "<nil>", "a node that has started again knows the log")
}

// drawRevoked draws a user or a permit that drawAct may draw too.
func drawRevoked(t *rapid.T) rooms.Revoked {
	return rapid.SampledFrom([]rooms.Revoked{{Subject: rooms.OfUser, ID: "u"}, {Subject: rooms.OfPermit, ID: "p"}}).Draw(t, "revoked")
}

// drawSequences draws sequences of changes, in ascending order.
func drawSequences(t *rapid.T) (sequences []uint64) {
	last := uint64(0)
	for range rapid.IntRange(0, 5).Draw(t, "delivered") {
		last += rapid.Uint64Range(1, 20).Draw(t, "further")
		sequences = append(sequences, last)
	}
	return sequences
}
