package machine_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// pairs is a replica with pairs of sockets that another node serves. Each pair has a room.
func pairs(b *testing.B, count int) (*machine.Replica, *recorder) {
	r := machine.NewReplica()
	s := &state{Machine: &machine.Machine{Keys: func(r sse.Ref) *machine.Keys { return r.State().(*machine.Keys) }}}
	r.Machine = s.Machine
	s.Hub = sse.NewHub(sse.Options{Now: r.Now, Elapsed: r.Elapsed, MaxSockets: 2 * count, NewState: func() any { return new(machine.Keys) }})
	s.Rooms = rooms.New(courier{s}, rooms.Options{Members: 2, Now: r.Now, NewID: r.NewID}, slog.New(slog.DiscardHandler))
	of := &recorder{b: b, replica: r}
	for i := range 2 * count {
		id := fmt.Sprintf("socket-%016d", i)
		of.add(machine.Command{Socket: &sse.Command{
			Kind: sse.OpenSocket, SocketID: id, Attachment: sse.Attachment{Node: "n2", Number: uint64(i)}, Transport: sse.OverStream,
			Client: sse.Client{IP: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Network: home},
		}})
		of.add(machine.Command{Post: of.post(id, join(fmt.Sprint("room-", i/2)))})
		of.apply()
	}
	return r, of
}

// recorder makes records of commands, and applies them.
type recorder struct {
	b        *testing.B
	replica  *machine.Replica
	read     machine.Record
	number   uint64
	commands []machine.Command
}

func (o *recorder) add(c machine.Command) { o.commands = append(o.commands, c) }

func (o *recorder) post(id string, act machine.Act) *machine.Post {
	p := &machine.Post{SocketID: id, Key: key(fmt.Sprint(id, o.number, len(o.commands)), "x")}
	p.Ask(act)
	return p
}

// record returns the commands that were added as a record, in bytes.
func (o *recorder) record() []byte {
	o.number++
	rec := machine.Record{Node: "n2", Life: 1, Number: o.number, At: time.Unix(int64(o.number/100), 0), Commands: o.commands}
	o.commands = o.commands[:0]
	return rec.Append(nil)
}

func (o *recorder) apply() { o.applyBytes(o.record()) }

func (o *recorder) applyBytes(text []byte) {
	require.NoError(o.b, o.read.Read(text))
	require.True(o.b, o.replica.Apply(&o.read, func(_ int, result machine.Result) {
		if result.Err != nil || len(result.Outcomes) > 0 && []machine.Outcome(result.Outcomes)[0] != machine.Accepted {
			o.b.Fatal("the command was refused: ", result)
		}
	}))
}

// What an event costs a node that serves neither its sender nor its receiver: reading the record
// of several commands, applying a signal, and learning by and by what was written.
func BenchmarkApply(b *testing.B) {
	const sockets, together = 200, 8
	_, of := pairs(b, sockets/2)
	data := []byte(fmt.Sprintf(`"data":%q`, make([]byte, 200)))
	records := make([][]byte, 0, b.N/together+1)
	sent := make([]uint64, sockets)
	for n := 0; n < b.N; {
		for range together {
			from := n % sockets
			to := fmt.Sprintf("socket-%016d", from^1)
			of.add(machine.Command{Post: of.post(fmt.Sprintf("socket-%016d", from), machine.Act{Kind: machine.Signal, Target: to, Members: data})})
			n++
			if sent[from^1]++; sent[from^1]%20 == 0 { // 2 events of joining came before
				of.add(machine.Command{Socket: &sse.Command{Kind: sse.NoteWritten, SocketID: to, Attachment: sse.Attachment{Node: "n2", Number: uint64(from ^ 1)}, Sequence: sent[from^1]}})
				of.add(machine.Command{Socket: &sse.Command{Kind: sse.NoteConfirmed, SocketID: to, Sequence: sent[from^1]}})
			}
		}
		records = append(records, of.record())
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, text := range records {
		of.applyBytes(text)
	}
}

// For how long nothing can be applied because of a snapshot of 20,000 sockets.
func BenchmarkSnapshot(b *testing.B) {
	r, _ := pairs(b, 10_000)
	var s *machine.Snapshot
	for b.Loop() {
		s = r.Snapshot()
	}
	b.ReportMetric(float64(len(s.Append(nil)))/1e6, "MB")
}
