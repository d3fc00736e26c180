package rooms_test

import (
	"fmt"
	"iter"
	"log/slog"
	"testing"

	"signaling-server/rooms"
)

// nowhere is a courier that drops every event.
type nowhere struct{}

func (nowhere) Deliver(string, rooms.Event) error         { return nil }
func (nowhere) Send(string, rooms.Event) error            { return nil }
func (nowhere) IsAway(string) (away, lives bool)          { return false, true }
func (nowhere) Flush()                                    {}
func (nowhere) Admit(iter.Seq[string], rooms.Event) error { return nil }
func (nowhere) Tell(to iter.Seq[string], _ rooms.Event) error {
	for range to {
	}
	return nil
}

// BenchmarkJoin measures a join and a leave, in rooms of several sizes. The time must
// not grow faster than the number of members.
func BenchmarkJoin(b *testing.B) {
	for _, size := range []int{10, 100, 500, 1000} {
		b.Run(fmt.Sprint("members=", size), func(b *testing.B) {
			rs := rooms.New(nowhere{}, rooms.Options{Members: 10_000}, slog.New(slog.DiscardHandler))
			for n := range size {
				_ = rs.Join(fmt.Sprint("s", n), rooms.JoinRequest{RoomID: "room", UserID: "user"})
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = rs.Join("joiner", rooms.JoinRequest{RoomID: "room", UserID: "user"})
				_ = rs.Leave("joiner", "")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/member")
		})
	}
}

// BenchmarkBroadcast measures one chat message, in rooms of several sizes: one
// serialisation, and one delivery for each member.
func BenchmarkBroadcast(b *testing.B) {
	for _, size := range []int{2, 100, 1000} {
		b.Run(fmt.Sprint("members=", size), func(b *testing.B) {
			rs := rooms.New(nowhere{}, rooms.Options{Members: 10_000}, slog.New(slog.DiscardHandler))
			for n := range size {
				_ = rs.Join(fmt.Sprint("s", n), rooms.JoinRequest{RoomID: "room", UserID: "user"})
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = rs.Chat("s0", "hello")
			}
		})
	}
}

// BenchmarkSignal measures one signal to one other member.
func BenchmarkSignal(b *testing.B) {
	rs := rooms.New(nowhere{}, rooms.Options{Members: 10}, slog.New(slog.DiscardHandler))
	for _, socketID := range []string{"a", "b"} {
		_ = rs.Join(socketID, rooms.JoinRequest{RoomID: "room", UserID: "user"})
	}
	relay := rooms.Relay{Kind: "offer", Members: []byte(`"target":"b","offer":{"type":"offer","sdp":"v=0"}`)}
	b.ReportAllocs()
	for b.Loop() {
		_ = rs.Signal("a", "b", relay)
	}
}

// BenchmarkSnapshot measures a snapshot of 20,000 members in 2,000 rooms, and its restore.
func BenchmarkSnapshot(b *testing.B) {
	options := rooms.Options{Members: 10}
	rs := rooms.New(nowhere{}, options, slog.New(slog.DiscardHandler))
	for n := range 20_000 {
		_ = rs.Join(fmt.Sprint("a socket's ID: ", n), rooms.JoinRequest{RoomID: fmt.Sprint("room", n/10), UserID: "user", Metadata: []byte(`{"color":"blue"}`)})
	}
	var snapshot []byte
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			snapshot = rs.AppendSnapshot(snapshot[:0])
		}
		b.ReportMetric(float64(len(snapshot))/20_000, "B/member")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			_ = rooms.New(nowhere{}, options, slog.New(slog.DiscardHandler)).Restore(snapshot)
		}
	})
}
