package machine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"signaling-server/internal/wire"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// acts holds an act of each kind, with each of its fields.
var acts = []machine.Act{
	{Kind: machine.JoinRoom, Join: &rooms.JoinRequest{RoomID: "room", UserID: "é", Metadata: []byte(`{"x":1}`), RequestID: "1", Permit: rooms.Permit{
		NoSignals: true, NoChat: true, MaxMembers: 7, Expires: time.Unix(1e9, 1).UTC(), ID: "permit", Network: netip.MustParsePrefix("2001:db8::/64"),
	}}},
	{Kind: machine.JoinRoom, Join: &rooms.JoinRequest{RoomID: "room", UserID: "user", Permit: rooms.Permit{MaxMembers: math.MaxInt}}},
	{Kind: machine.LeaveRoom, RequestID: "2"},
	{Kind: machine.LeaveRoom},
	{Kind: machine.Offer, Target: "t", Members: []byte(`"offer":{}`)},
	{Kind: machine.Answer, Target: "t", Members: []byte(`"answer":{}`)},
	{Kind: machine.ICECandidate, Target: "t", Members: []byte(`"candidate":{}`)},
	{Kind: machine.Signal, Target: "t", Members: []byte(`"data":1`)},
	{Kind: machine.Signal, Members: []byte(`"data":1`)},
	{Kind: machine.Signal},
	{Kind: machine.SendMessage, Message: "hello"},
	{Kind: machine.TypingStart},
	{Kind: machine.TypingStop},
	{Kind: machine.Ping},
	{Kind: machine.Heartbeat},
	{Kind: machine.Disconnect},
}

var operations = []machine.Operation{
	{Kind: machine.Kick, ID: "socket", Reason: "why"},
	{Kind: machine.Kick, ID: "socket"},
	{Kind: machine.Close, ID: "room"},
	{Kind: machine.Lock, ID: "room"},
	{Kind: machine.Unlock, ID: ""},
	{Kind: machine.Announce, ID: "room", Data: []byte(`{"x":1}`)},
	{Kind: machine.AnnounceTo, ID: "socket", Data: []byte(`{"x":1}`)},
	{Kind: machine.Revoke, Revoked: rooms.Revoked{Subject: rooms.OfUser, ID: "user"}, Until: time.Unix(1e9, 1).UTC()},
	{Kind: machine.Allow, Revoked: rooms.Revoked{Subject: rooms.OfPermit, ID: "permit"}},
	{Kind: machine.NoteDelivered, Round: 3, Sequences: []uint64{1, 2, 300, math.MaxUint64}},
	{Kind: machine.NoteDelivered, Sequences: []uint64{7, 7, 0, 5}}, // a record that no node can read would end all of them
	{Kind: machine.Replay, Since: time.Unix(1e9, 1).UTC()},
}

func drawPost(rt *rapid.T) machine.Post {
	p := machine.Post{SocketID: rapid.String().Draw(rt, "socket"), Confirmed: rapid.Uint64().Draw(rt, "confirmed")}
	if rapid.Bool().Draw(rt, "keyed") {
		p.Key = machine.Key{Name: rapid.Uint64().Draw(rt, "name"), Content: rapid.Uint64().Draw(rt, "content")}
	}
	if rapid.Bool().Draw(rt, "traced") {
		p.Trace = trace.TraceID{rapid.Byte().Draw(rt, "trace"), 15: 1}
	}
	for range rapid.IntRange(0, 20).Draw(rt, "events") {
		if rapid.Bool().Draw(rt, "refused") {
			p.Refuse(rapid.SampledFrom([]machine.Outcome{machine.Invalid, machine.Denied, machine.RateLimited, machine.OutOfMemory, machine.Failed}).Draw(rt, "why"))
		} else {
			p.Ask(rapid.SampledFrom(acts).Draw(rt, "act"))
		}
	}
	return p
}

func TestCommandsAreReadAsTheyWereAppended(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPost(rt)
		o := rapid.SampledFrom(operations).Draw(rt, "operation")
		r := wire.NewReader(o.Append(p.Append(nil)))
		read := machine.ReadPost(r)
		require.Equal(rt, o, machine.ReadOperation(r))
		require.NoError(rt, r.End())
		require.Equal(rt, p.Append(nil), read.Append(nil))
		require.Equal(rt, p.SocketID, read.SocketID)
		require.Equal(rt, p.Key, read.Key)
		require.Len(rt, read.Events, len(p.Events))
		require.Len(rt, read.Acts, len(p.Acts))
		for i := range p.Acts {
			require.Equal(rt, p.Events[i], read.Events[i])
			require.Equal(rt, p.Acts[i], read.Acts[i])
		}
	})
}

// A signal without a key costs its text, and some bytes more.
func TestACommandIsCompact(t *testing.T) {
	p := machine.Post{SocketID: "0123456789012345678901"}
	p.Ask(machine.Act{Kind: machine.Offer, Target: "0123456789012345678901", Members: bytes.Repeat([]byte("x"), 1200)})
	require.Equal(t, 1200+2*22+11, len(p.Append(nil)))
}

func FuzzReadCommand(f *testing.F) {
	for i, a := range acts {
		p := machine.Post{SocketID: "socket", Key: machine.Key{Name: uint64(i), Content: math.MaxUint64}}
		p.Ask(a)
		p.Refuse(machine.Invalid)
		p.Ask(a)
		f.Add(p.Append(nil))
	}
	for _, o := range operations {
		f.Add(o.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		if p := machine.ReadPost(r); r.End() == nil {
			require.Equal(t, b, p.Append(nil))
		}
		r = wire.NewReader(b)
		if o := machine.ReadOperation(r); r.End() == nil {
			require.Equal(t, b, o.Append(nil))
		}
	})
}

func TestRestoredKeysAreAsIfTheyHadNeverBeenRestored(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newState(t, sse.Options{}, rooms.Options{})
		a, b := s.open(), s.open()
		for n := range rapid.IntRange(1, 150).Draw(rt, "posts") {
			k := key(fmt.Sprint(rapid.IntRange(0, 100).Draw(rt, "key")), fmt.Sprint(rapid.IntRange(0, 1).Draw(rt, "content")))
			list := make([]machine.Act, rapid.IntRange(1, 3).Draw(rt, "acts"))
			for i := range list {
				list[i] = rapid.SampledFrom([]machine.Act{{Kind: machine.Heartbeat}, signal("nobody", n)}).Draw(rt, "act")
			}
			ours, isRepeat, err := a.postAgain(k, list...)
			theirs, isTheirs, theirError := b.postAgain(k, list...)
			require.Equal(rt, ours, theirs)
			require.Equal(rt, isRepeat, isTheirs)
			require.Equal(rt, err, theirError)
			if rapid.IntRange(0, 9).Draw(rt, "restored") == 0 {
				require.NoError(rt, b.keys().UnmarshalBinary(snapshot(rt, b)))
			}
		}
		require.Equal(rt, snapshot(rt, a), snapshot(rt, b))
	})
}

func snapshot(t require.TestingT, c *client) []byte {
	b, err := c.keys().AppendBinary(nil)
	require.NoError(t, err)
	return b
}

func TestMalformedKeysAreRefused(t *testing.T) {
	valid := func(posts int, outcome machine.Outcome) []byte {
		b := binary.AppendUvarint(nil, uint64(posts))
		for n := range posts {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(n)), 7)
			b = wire.AppendText(b, []byte{byte(outcome)})
		}
		return b
	}
	require.NoError(t, new(machine.Keys).UnmarshalBinary(valid(64, machine.Accepted)))
	for name, b := range map[string][]byte{
		"nothing":                      nil,
		"cut off":                      valid(2, machine.Accepted)[:3],
		"more bytes":                   append(valid(2, machine.Accepted), 0),
		"too many":                     valid(65, machine.Accepted),
		"an outcome that is not known": valid(1, 200),
		"a count without posts":        binary.AppendUvarint(nil, math.MaxUint64),
	} {
		require.Error(t, new(machine.Keys).UnmarshalBinary(b), name)
	}
}

func FuzzUnmarshalKeys(f *testing.F) {
	f.Add([]byte{1, 2, 3, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var k machine.Keys
		if k.UnmarshalBinary(b) != nil {
			return
		}
		again, err := k.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

// BenchmarkNewKey shows what it costs to name an offer of 1.2 KB.
func BenchmarkNewKey(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1200)
	b.ReportAllocs()
	for b.Loop() {
		machine.NewKey("7f0e2b6c-offer", "/events", body)
	}
}
