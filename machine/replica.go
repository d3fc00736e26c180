package machine

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/internal/wire"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// beatless is how long the log counts on while no node says that it lives. Each node says so
// once a second.
const beatless = 2 * time.Second

// forgetAfter is for how long a node is lost before the state forgets it, by the time of the log.
const forgetAfter = time.Hour

// ErrVersion: another version has written the record or the snapshot, and this version does not
// know its form.
var ErrVersion = errors.New("machine: another version has written this, and this version cannot read it")

// Replica is a state that changes only by the records of a log. Replicas that apply the same
// records in the same order are equal, byte by byte: see [Replica.AppendSnapshot].
//
// Only one goroutine may call its methods, except Elapsed and Reckon, which any goroutine may
// call. The parts of the state call Now and NewID while a record is applied.
type Replica struct {
	*Machine

	nodes   map[string]*node // that ever appended something and are not forgotten
	joins   uint64           // how many lives of nodes there were
	log     uint64           // its identity; 0: nothing was applied
	began   time.Time        // when the first record was appended
	elapsed atomic.Int64     // as the log counts it; any goroutine may read it

	beaten atomic.Pointer[beaten] // nil: this process has applied no beat

	// of the record under way
	at   time.Time
	seed [16]byte
	ids  uint64 // how many IDs were made
}

// node is what the state knows of a node.
type node struct {
	life   uint64
	joined uint64 // which of all joins began this life
	number uint64 // of the last record of this life
	beats  uint64 // how often it has said that it lives
	losses uint64 // how often it was lost
	isLost bool
	lostAt time.Duration // when it was lost last, by the time of the log
}

// beaten says what this process reckoned when it last applied that a node lives.
type beaten struct {
	elapsed time.Duration
	at      time.Time
}

// NewReplica returns a replica without a machine. The parts of its machine must take the time
// and IDs from it.
func NewReplica() *Replica { return &Replica{nodes: make(map[string]*node)} }

// Now returns the time of the record under way.
func (r *Replica) Now() time.Time { return r.at }

// Elapsed returns the time that the log has counted.
func (r *Replica) Elapsed() time.Duration { return time.Duration(r.elapsed.Load()) }

// Reckon returns the time that the log will have counted when a record of this moment is applied,
// for [Record]. This process measures it while it hears that nodes live. Without that, the time
// stands still soon. Any goroutine may call Reckon.
func (r *Replica) Reckon() time.Duration {
	last := r.beaten.Load()
	if last == nil {
		return r.Elapsed()
	}
	return last.elapsed + min(time.Since(last.at), beatless)
}

// NewID returns an ID that no other call returns, and that looks like that of
// [crypto/rand.Text].
func (r *Replica) NewID() string {
	r.ids++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(r.seed[:], r.ids))
	const length = 26
	return base32.StdEncoding.EncodeToString(sum[:])[:length]
}

// Result is what a command has led to.
type Result struct {
	Outcomes Outcomes // of a POST
	IsRepeat bool     // of a POST
	Outcome  Outcome  // of an operation
	Err      error    // of a POST or of a command to a socket; ErrNotReady: see [Replica.Apply]
}

// Apply applies a record, and calls done with the place and the result of each command, unless
// the record was applied before. It reports whether it was new.
//
// A record of a node that did not know yet that it was lost, or forgotten, comes late: clients
// may have repeated at other nodes what they asked for there. So its commands change nothing, and
// their error is ErrNotReady. But what it says about nodes holds.
func (r *Replica) Apply(rec *Record, done func(place int, result Result)) (isNew bool) {
	if r.log == 0 {
		r.log, r.began = max(1, binary.BigEndian.Uint64(rec.Seed[:])), rec.At.UTC()
	}
	n := r.nodes[rec.Node]
	isUnknown := n == nil
	switch {
	case isUnknown:
		n = new(node)
		r.nodes[rec.Node] = n
		r.join(n, rec.Life)
	case rec.Life < n.life || rec.Life == n.life && rec.Number <= n.number:
		return false
	case rec.Life > n.life:
		r.Hub.DetachNode(rec.Node) // what its last life has served is not served any more
		r.join(n, rec.Life)
	}
	isLate := rec.Losses != n.losses || isUnknown && rec.Number > 1
	n.number, n.isLost = rec.Number, false
	r.Hub.Heard()
	r.at, r.seed, r.ids = rec.At.UTC(), rec.Seed, 0
	r.elapsed.Store(max(r.elapsed.Load(), int64(rec.Elapsed))) // another node may have counted more
	for i := range rec.Commands {
		c, result := &rec.Commands[i], Result{Err: ErrNotReady}
		if !isLate || c.Node != nil {
			result = r.apply(rec.Node, c)
			r.Hub.Settle()
		}
		done(i, result)
	}
	return true
}

// join begins a life of a node.
func (r *Replica) join(n *node, life uint64) {
	r.joins++
	n.joined, n.life = r.joins, life
}

func (r *Replica) apply(by string, c *Command) (result Result) {
	switch {
	case c.Post != nil:
		result.Outcomes, result.IsRepeat, result.Err = r.Post(c.Post)
	case c.Operation != nil:
		result.Outcome = r.Operate(*c.Operation)
	case c.Socket != nil:
		result.Err = r.Hub.Apply(*c.Socket)
	case c.Expired != nil:
		r.Rooms.Expire(*c.Expired)
	case c.Node != nil && c.Node.Lost != "":
		r.lose(c.Node.Lost, by, c.Node.Beat)
	case c.Node != nil:
		r.live(by)
	}
	return result
}

// live notes that a node lives. Then this process goes on measuring the time, unless another has
// measured more. The nodes that were lost long ago are forgotten.
func (r *Replica) live(name string) {
	r.nodes[name].beats++
	r.beaten.Store(&beaten{max(r.Reckon(), r.Elapsed()), time.Now()})
	maps.DeleteFunc(r.nodes, func(_ string, n *node) bool { return n.isLost && r.Elapsed()-n.lostAt > forgetAfter })
}

// lose notes that a node is lost, unless it has given a sign of life that the node does not know
// that says so.
func (r *Replica) lose(name, by string, beats uint64) {
	n := r.nodes[name]
	if n == nil || n.isLost || n.beats != beats && name != by {
		return
	}
	n.isLost = true
	n.losses++
	n.lostAt = r.Elapsed()
	r.Hub.DetachNode(name)
}

// Log returns the identity of the log, which its first record has made. It is 0 if nothing was
// applied.
func (r *Replica) Log() uint64 { return r.log }

// Began returns when the first record of the log was appended.
func (r *Replica) Began() time.Time { return r.began }

// Losses returns how often a node was lost, for [Record].
func (r *Replica) Losses(name string) uint64 {
	if n := r.nodes[name]; n != nil {
		return n.losses
	}
	return 0
}

// NodeInfo is what the state knows of a node.
type NodeInfo struct {
	Name   string
	Life   uint64
	Joined uint64 // which of all joins of nodes began this life
	Beats  uint64 // how often it has said that it lives
	IsLost bool
}

// Nodes describes all nodes that the state knows, in no order.
func (r *Replica) Nodes() []NodeInfo {
	all := make([]NodeInfo, 0, len(r.nodes))
	for name, n := range r.nodes {
		all = append(all, NodeInfo{name, n.life, n.joined, n.beats, n.isLost})
	}
	return all
}

// Snapshot is a state at one moment.
type Snapshot struct {
	clock []byte // and the nodes
	hub   *sse.Snapshot
	rooms *rooms.Snapshot
}

// Snapshot returns the state. Nothing may be applied meanwhile.
func (r *Replica) Snapshot() *Snapshot {
	b := binary.AppendVarint([]byte{formatVersion}, r.elapsed.Load())
	b = binary.AppendUvarint(b, r.log)
	b = wire.AppendTime(b, r.began)
	b = binary.AppendUvarint(b, r.joins)
	b = binary.AppendUvarint(b, uint64(len(r.nodes)))
	for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
		n := r.nodes[name]
		b = wire.AppendText(b, name)
		b = binary.AppendUvarint(b, n.life)
		b = binary.AppendUvarint(b, n.joined)
		b = binary.AppendUvarint(b, n.number)
		b = binary.AppendUvarint(b, n.beats)
		b = binary.AppendUvarint(b, n.losses)
		b = wire.AppendBool(b, n.isLost)
		b = binary.AppendVarint(b, int64(n.lostAt))
	}
	s := &Snapshot{clock: b}
	var atOnce sync.WaitGroup // nothing is applied meanwhile, so two processors are better than one
	atOnce.Go(func() { s.rooms = r.Rooms.Snapshot() })
	s.hub = r.Hub.Snapshot()
	atOnce.Wait()
	return s
}

// Append appends the snapshot to b. Snapshots of equal states have equal bytes. Only one goroutine
// may call it, whatever is applied meanwhile.
func (s *Snapshot) Append(b []byte) []byte {
	b = append(b, s.clock...)
	b = wire.AppendText(b, s.hub.Append(nil))
	return wire.AppendText(b, s.rooms.Append(nil))
}

// AppendSnapshot appends a [Replica.Snapshot] to b.
func (r *Replica) AppendSnapshot(b []byte) []byte { return r.Snapshot().Append(b) }

// Clear makes the replica empty, so that Restore may follow. Nothing may be attached here:
// see [sse.Hub.AwaitUnread].
func (r *Replica) Clear() {
	r.Hub.Clear()
	r.Hub.Settle()
	clear(r.nodes)
	r.joins, r.log, r.began = 0, 0, time.Time{}
}

// Restore makes an empty replica equal to the replica that a snapshot is of. If there is an
// error, the replica must not be used. It is ErrVersion if another version has written the
// snapshot.
func (r *Replica) Restore(snapshot []byte) error {
	if len(snapshot) == 0 || snapshot[0] != formatVersion {
		return ErrVersion
	}
	from := wire.NewReader(snapshot[1:])
	r.elapsed.Store(from.Varint())
	r.log, r.began = from.Uvarint(), from.Time()
	r.joins = from.Uvarint()
	for range from.Count() {
		name := from.Text()
		r.nodes[name] = &node{from.Uvarint(), from.Uvarint(), from.Uvarint(), from.Uvarint(), from.Uvarint(), from.Bool(), time.Duration(from.Varint())}
	}
	return r.restore(from)
}
