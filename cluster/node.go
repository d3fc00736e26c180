package cluster

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/machine"
	"signaling-server/sse"
)

// Times are how long a node waits for what. They depend on each other: see [Times.check].
type Times struct {
	Attempt    time.Duration // for the engine to answer, before it is asked again
	Alive      time.Duration // between two records that say that a node lives
	LostAfter  time.Duration // without a record of a node, while the others' go on: it is lost
	ShedAfter  time.Duration // without a record of its own, or without the engine: a node ends its streams
	QuietAfter time.Duration // without any record: a node ends its streams. An election of the engine is shorter
	// Gather is how long a node gathers commands for the next record, from the beginning of the
	// last, for each of the first commands that the last one had. A node that has little to do
	// appends at once. A node that has much appends fewer records, which all nodes must read.
	Gather     time.Duration
	RefuseWait time.Duration // under way, an append refuses what would have to wait for it
	UnknownIn  time.Duration // after which requests learn that their fate is unknown
	Written    time.Duration // between two commands that tell what readers have written
	Snapshot   time.Duration // between two snapshots
	KeepLog    time.Duration // at least, for nodes that were paused or cut off
}

// DefaultTimes returns the times of a cluster in production.
func DefaultTimes() Times {
	return Times{
		Attempt: time.Second, Alive: time.Second, LostAfter: 5 * time.Second, ShedAfter: 3 * time.Second, QuietAfter: 9 * time.Second, Gather: 500 * time.Microsecond,
		RefuseWait: 3 * time.Second, UnknownIn: 20 * time.Second, Written: 200 * time.Millisecond, Snapshot: 30 * time.Second, KeepLog: 5 * time.Minute,
	}
}

// check returns an error if the times contradict each other: a node must end its streams
// before the others may take it for lost, or two nodes would serve one client.
func (t Times) check() error {
	switch {
	case t.ShedAfter+t.Alive >= t.LostAfter:
		return fmt.Errorf("cluster: a node ends its streams after %v without a record of its own, so it must not be lost before %v", t.ShedAfter, t.ShedAfter+t.Alive)
	case 2*t.Alive >= t.ShedAfter:
		return fmt.Errorf("cluster: a node says every %v that it lives, so it must not end its streams within %v", t.Alive, 2*t.Alive)
	}
	return nil
}

// Options configure a node.
type Options struct {
	Name   string // of this node, among those of the cluster
	Engine Engine
	Times  Times // zero: DefaultTimes
	// Settings is a hash of all options by which the state decides. A node whose hash is another
	// than that of a node that has joined before does not run: their states would differ.
	Settings uint64
	// PermitsExpire says that members leave their rooms when their permits run out.
	PermitsExpire bool
	// OnAppend is called after each attempt to append a record: for how long the record has
	// been under way, how many commands it carries, and why the attempt failed. It must return
	// at once. Nil: it is not called.
	OnAppend func(took time.Duration, commands int, err error)
	Logger   *slog.Logger
}

// Node is one of the servers that share a log. Any goroutine may call its methods, except Run.
type Node struct {
	// set once
	options Options
	replica *machine.Replica
	hub     *sse.Hub
	logger  *slog.Logger

	proposals proposals
	applied   applied

	health health
	fail   context.CancelCauseFunc // ends Run with an error

	log      atomic.Uint64                 // the identity of the log; 0: this node has applied nothing of it
	began    atomic.Int64                  // when its first record was appended, in Unix milliseconds
	losses   atomic.Uint64                 // how often this node was lost, as far as it has applied the log
	life     atomic.Uint64                 // of this node; 0: it has not begun
	isReady  atomic.Bool                   // it serves requests
	isEmpty  atomic.Bool                   // it begins anew, and has not loaded a snapshot yet
	out      atomic.Pointer[string]        // why it does not serve; "" if it only joins the others
	snapshot atomic.Pointer[takenSnapshot] // the newest that this node has taken; nil: none

	identity string         // of the log that this node applies; guarded by applied.turn
	record   machine.Record // that is being applied; guarded by applied.turn
	decides  bool           // the record that is being applied is this node's; guarded by applied.turn
}

// New returns a node that applies the log to a replica. The parts of the replica's machine may
// be set later, but before Run.
func New(o Options, replica *machine.Replica) (*Node, error) {
	o.Times = cmp.Or(o.Times, DefaultTimes())
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.OnAppend == nil {
		o.OnAppend = func(time.Duration, int, error) {}
	}
	if err := o.Times.check(); err != nil {
		return nil, err
	}
	n := &Node{options: o, replica: replica, logger: o.Logger}
	n.proposals.wake, n.proposals.sent = make(chan struct{}, 1), make(map[uint64][]*waiter)
	n.out.Store(&waits)
	n.health.peers = make(map[string]*peer)
	n.applied.copies = make(map[uint64][]byte)
	n.applied.moved = make(chan struct{})
	n.applied.wake = make(chan struct{}, 1)
	n.applied.stopFollowing = func() {} // nothing is followed yet
	return n, nil
}

// Run is the work of the node until ctx is done. It returns when all its goroutines have
// ended. The error is a sentence that says why the node cannot go on.
func (n *Node) Run(ctx context.Context) error {
	n.hub = n.replica.Hub
	if err := n.load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	n.out.Store(new(string))
	working, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	n.fail = fail
	defer n.applied.close()
	var running sync.WaitGroup
	defer running.Wait()
	for _, part := range []func(context.Context) error{n.follow, n.fetchMissing, n.appendAll, n.watch, n.takeSnapshots} {
		running.Go(func() {
			if err := part(working); err != nil && working.Err() == nil {
				fail(err)
			}
		})
	}
	<-working.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(working)
}

// Submit implements [sse.Log].
func (n *Node) Submit(ctx context.Context, c sse.Command) error {
	_, err := n.submit(ctx, &machine.Command{Socket: &c})
	return err
}

// Propose implements [sse.Log].
func (n *Node) Propose(c sse.Command) { n.proposals.propose(&machine.Command{Socket: &c}) }

// Ready implements [machine.State].
func (n *Node) Ready() error {
	if !n.isReady.Load() {
		return machine.ErrNotReady
	}
	return nil
}

// Post implements [machine.State].
func (n *Node) Post(ctx context.Context, p *machine.Post) (machine.Outcomes, bool, error) {
	result, err := n.submit(ctx, &machine.Command{Post: p})
	return result.Outcomes, result.IsRepeat, err
}

// Operate implements [machine.State].
func (n *Node) Operate(ctx context.Context, o machine.Operation) (machine.Outcome, error) {
	result, err := n.submit(ctx, &machine.Command{Operation: &o})
	return result.Outcome, err
}

// submit brings a command into the log, and waits until this node has applied it. The errors are
// that of the result, and those of [machine.State].
func (n *Node) submit(ctx context.Context, c *machine.Command) (machine.Result, error) {
	if !n.isReady.Load() {
		return machine.Result{}, machine.ErrNotReady
	}
	span := startAppend(ctx)
	w := n.proposals.submit(c)
	select {
	case <-w.done:
		err := cmp.Or(w.err, w.result.Err)
		span.end(w, err)
		return w.result, err
	case <-ctx.Done():
		span.end(nil, ctx.Err())
		return machine.Result{}, ctx.Err()
	}
}
