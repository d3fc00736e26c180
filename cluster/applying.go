package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"signaling-server/machine"
)

const (
	// maxCopied is how many bytes of copies wait for an earlier record. Others are fetched when
	// their turn comes.
	maxCopied = 64 << 20
	// farBehind is how many records may be missing before the log is followed anew from there.
	// Fewer are fetched one by one.
	farBehind = 100
	// fetchAfter is how long a missing record may take to be heard, before it is fetched.
	fetchAfter = 20 * time.Millisecond
)

// applied is what this node has applied, and what it has heard of the log beyond that.
type applied struct {
	turn sync.Mutex    // held while records are applied: it guards the replica
	wake chan struct{} // holds a value when a record is missing

	mu     sync.Mutex // guards what follows
	last   uint64     // sequence of the last record that was applied
	newest uint64     // the highest sequence that was heard of
	copies map[uint64][]byte
	copied int           // bytes of the copies
	moved  chan struct{} // closed, and made anew, when last moves
	isOver bool          // nothing more is applied

	stopFollowing func() // makes follow begin anew
	followedAt    uint64 // newest, when follow began anew
}

// heard notes a copy of a record, and applies it if it is next in the log. The copy is nil if only the
// sequence is known. Any goroutine may call it.
func (n *Node) heard(sequence uint64, record []byte) {
	n.applied.note(sequence, record)
	n.advance()
}

// between calls do between two records: the replica does not change meanwhile.
func (n *Node) between(do func()) {
	n.applied.turn.Lock()
	do()
	n.applied.turn.Unlock()
	n.advance()
}

// advance applies all records that were heard and are next in the log, unless another goroutine
// does.
func (n *Node) advance() {
	for n.applied.hasNext() && n.applied.turn.TryLock() { // the holder of the turn looks again
		err := n.applyNext()
		n.applied.turn.Unlock()
		n.hub.Flush()
		if err != nil {
			n.fail(err)
			return
		}
	}
	if _, isMissing := n.applied.missing(); isMissing {
		select {
		case n.applied.wake <- struct{}{}:
		default: // a value waits already
		}
	}
}

func (a *applied) note(sequence uint64, record []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newest = max(a.newest, sequence)
	if sequence > a.last && record != nil && a.copies[sequence] == nil && a.copied < maxCopied {
		a.copies[sequence] = record
		a.copied += len(record)
	}
}

// follow hears the copies of records, until ctx is done.
func (n *Node) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		following, stop := context.WithCancel(ctx)
		err := n.options.Engine.Follow(following, n.applied.followedBy(stop), n.heard)
		stop()
		if err != nil && ctx.Err() == nil {
			n.logger.Debug("the log is followed anew", "error", err)
			pause(ctx, followAgain)
		}
	}
	return nil
}

// followAgain is how long a node waits before it follows the log anew.
const followAgain = 100 * time.Millisecond

// followedBy notes how to stop following the log, and returns from where it is followed.
func (a *applied) followedBy(stop context.CancelFunc) (from uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopFollowing = stop
	return a.last + 1
}

// followAnew follows the log from the next record, if many are missing. It does so once for
// each place in the log.
func (a *applied) followAnew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest < a.last+farBehind || a.last < a.followedAt {
		return
	}
	a.followedAt = a.newest
	a.stopFollowing()
}

// hasNext reports whether the next record was heard.
func (a *applied) hasNext() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.copies[a.last+1] != nil && !a.isOver
}

// next takes the copy of the next record. It is nil if that was not heard.
func (a *applied) next() (sequence uint64, record []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.isOver {
		return 0, nil
	}
	sequence = a.last + 1
	record = a.copies[sequence]
	a.drop(sequence)
	return sequence, record
}

// drop forgets the copy of a record. mu must be held.
func (a *applied) drop(sequence uint64) {
	a.copied -= len(a.copies[sequence])
	delete(a.copies, sequence)
}

// missing returns the next record, if the log has it and it was not heard.
func (a *applied) missing() (sequence uint64, isMissing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last + 1, a.newest > a.last && a.copies[a.last+1] == nil && !a.isOver
}

// close lets nothing more be applied. The replica does not change any more when it returns.
func (a *applied) close() {
	a.mu.Lock()
	a.isOver = true
	a.mu.Unlock()
	a.turn.Lock()
	defer a.turn.Unlock()
}

func (a *applied) move(sequence uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sequence != a.last+1 { // it comes from a snapshot
		clear(a.copies)
		a.copied = 0
	}
	a.drop(sequence) // another copy may have come while this one was applied
	a.last, a.newest = sequence, max(a.newest, sequence)
	close(a.moved)
	a.moved = make(chan struct{})
}

// position returns the last record that was applied, and the newest that was heard of.
func (a *applied) position() (last, newest uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last, a.newest
}

// await waits until a record is applied.
func (a *applied) await(ctx context.Context, sequence uint64) error {
	for {
		a.mu.Lock()
		isApplied, moved := a.last >= sequence, a.moved
		a.mu.Unlock()
		if isApplied {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// applyNext applies the records that are next, as far as they were heard. The turn must be held.
func (n *Node) applyNext() error {
	for {
		sequence, record := n.applied.next()
		if record == nil {
			return nil
		}
		if err := n.apply(sequence, record); err != nil {
			return err
		}
	}
}

// fetchMissing fetches the records that were not heard in time, until ctx is done.
func (n *Node) fetchMissing(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.applied.wake:
		}
		pause(ctx, fetchAfter)
		for ctx.Err() == nil {
			sequence, isMissing := n.applied.missing()
			if !isMissing {
				break
			}
			n.applied.followAnew()
			record, err := n.fetch(ctx, sequence)
			if err != nil {
				return err
			}
			if record == nil {
				pause(ctx, fetchAfter)
				continue
			}
			n.heard(sequence, record)
		}
	}
}

// fetch asks the engine for a record. It returns nil if the engine does not answer, or if this
// node has begun anew because the log has forgotten the record.
func (n *Node) fetch(ctx context.Context, sequence uint64) ([]byte, error) {
	attempt, cancel := context.WithTimeout(ctx, n.options.Times.Attempt)
	defer cancel()
	record, err := n.options.Engine.Get(attempt, sequence)
	if errors.Is(err, ErrForgotten) {
		return nil, n.beginAnew(ctx, sequence)
	}
	if err != nil {
		return nil, nil // it is asked again
	}
	return record, nil
}

const otherVersion = "was written by another version of this server, which this one cannot run beside: see the release notes"

// apply applies one record.
func (n *Node) apply(sequence uint64, text []byte) error {
	record := &n.record
	err := record.Read(text)
	switch {
	case errors.Is(err, machine.ErrVersion):
		return fmt.Errorf("record %d %s", sequence, otherVersion)
	case err != nil:
		return fmt.Errorf("record %d of the log cannot be read: %w", sequence, err)
	}
	life := n.life.Load()
	isMine := record.Node == n.options.Name && record.Life == life && life != 0
	if record.Node == n.options.Name && record.Life > life && life != 0 {
		return fmt.Errorf("another node has the name %q: give each node a name of its own (NODE_NAME)", n.options.Name)
	}
	if log := n.replica.Log(); log != 0 && record.Log != 0 && record.Log != log {
		return n.meetStranger(sequence)
	}
	if n.hasOtherSettings(record) {
		return fmt.Errorf("the limits or times of this node are not those of node %q, so their states would differ: give all nodes the same settings", record.Node)
	}
	var waiters []*waiter
	if isMine {
		waiters = n.proposals.applied(record.Number)
	}
	n.decides = isMine
	isNew := n.replica.Apply(record, func(place int, result machine.Result) {
		if waiters != nil && waiters[place] != nil {
			waiters[place].record = sequence
			waiters[place].end(result, nil)
		}
	})
	n.applied.move(sequence)
	n.noteLog()
	if isNew {
		lost, back := n.health.note(record, n.replica.Nodes, n.options.Times.Alive)
		if life != 0 { // otherwise this is long ago
			n.logPeers(record.Node, lost, back)
		}
	}
	return nil
}

// errOtherLog: an operator has deleted the log, or NATS has lost its end.
var errOtherLog = errors.New("the log of the cluster is not the log that this node has applied: it was deleted, or its end was lost. Start this node again. If it stops again, stop all nodes, and delete the streams of the cluster in NATS")

// meetStranger decides what to do with a record of a node that has applied another log. If the log
// was made anew since this node began, this node must stop. Otherwise the other node must, and what
// it says does not count.
func (n *Node) meetStranger(sequence uint64) error {
	const attempts = 10
	for range attempts {
		attempt, cancel := context.WithTimeout(context.Background(), n.options.Times.Attempt)
		identity, err := n.options.Engine.Identity(attempt)
		cancel()
		if err == nil && identity == n.identity {
			n.applied.move(sequence)
			return nil
		}
		if err == nil {
			break
		}
	}
	return errOtherLog
}

// noteLog notes what this node must know of the log when it appends to it. If it was lost, the clients
// of requests that wait have gone to other nodes by now, so nothing of them may be appended.
func (n *Node) noteLog() {
	if log := n.replica.Log(); log != n.log.Load() {
		n.log.Store(log)
		n.began.Store(n.replica.Began().UnixMilli())
	}
	if losses := n.replica.Losses(n.options.Name); losses != n.losses.Load() {
		n.losses.Store(losses)
		n.proposals.refuse()
	}
}

// CatchUp implements [machine.State]. It appends a command that changes nothing, since only an
// append proves that the majority takes part: a server of the engine that is cut off believes
// for seconds that it still leads. Callers at the same time share one append.
func (n *Node) CatchUp(ctx context.Context) (knowsMore bool, err error) {
	_, err = n.submit(ctx, &machine.Command{})
	return true, err
}
