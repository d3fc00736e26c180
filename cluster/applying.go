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
	wake chan struct{} // holds a value when a copy has come

	mu     sync.Mutex // guards what follows
	last   uint64     // sequence of the last record that was applied
	newest uint64     // the highest sequence that was heard of
	copies map[uint64][]byte
	copied int        // bytes of the copies
	moved  chan struct{} // closed, and made anew, when last moves

	stopFollowing func() // makes follow begin anew
	followedAt    uint64 // newest, when follow began anew
}

// heard notes a copy of a record. It never blocks.
func (n *Node) heard(sequence uint64, record []byte) {
	a := &n.applied
	a.mu.Lock()
	a.newest = max(a.newest, sequence)
	if sequence > a.last && record != nil && a.copies[sequence] == nil && a.copied < maxCopied {
		a.copies[sequence] = record
		a.copied += len(record)
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default: // a value waits already
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

// next returns the copy of the next record, or nil if that was not heard. It also reports
// whether the log has this record.
func (a *applied) next() (sequence uint64, record []byte, exists bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sequence = a.last + 1
	record = a.copies[sequence]
	delete(a.copies, sequence)
	a.copied -= len(record)
	return sequence, record, sequence <= a.newest
}

func (a *applied) move(sequence uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sequence != a.last+1 { // it comes from a snapshot
		clear(a.copies)
		a.copied = 0
	}
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

// applyAll applies the records of the log in their order, until ctx is done.
func (n *Node) applyAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case take := <-n.between:
			take()
			continue
		case <-n.applied.wake:
		}
		if err := n.applyHeard(ctx); err != nil {
			return err
		}
	}
}

// applyHeard applies all that was heard of. It fetches what is missing. After a record that was
// missing, the next is fetched at once: this node is behind.
func (n *Node) applyHeard(ctx context.Context) error {
	for isBehind := false; ctx.Err() == nil; {
		sequence, record, exists := n.applied.next()
		if !exists {
			return nil
		}
		if isMissing := record == nil; isMissing {
			n.applied.followAnew()
			if !isBehind && n.comes(ctx, sequence) {
				continue
			}
			var err error
			if record, err = n.fetch(ctx, sequence); err != nil {
				return err
			}
			if isBehind = record != nil; !isBehind {
				continue
			}
		} else {
			isBehind = false
		}
		if err := n.apply(sequence, record); err != nil {
			return err
		}
	}
	return nil
}

// comes waits a moment for a record that is missing, and reports whether it has come.
func (n *Node) comes(ctx context.Context, sequence uint64) bool {
	pause(ctx, fetchAfter)
	n.applied.mu.Lock()
	defer n.applied.mu.Unlock()
	return n.applied.copies[sequence] != nil
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
	record, err := machine.ReadRecord(text)
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
	var waiters []*waiter
	if isMine {
		waiters = n.proposals.applied(record.Number)
	}
	isNew := n.replica.Apply(&record, func(place int, result machine.Result) {
		if waiters != nil && waiters[place] != nil {
			waiters[place].end(result, nil)
		}
	})
	n.applied.move(sequence)
	n.hub.Flush()
	if isNew {
		n.health.note(&record, n.replica.Nodes)
	}
	return nil
}

// CatchUp implements [machine.State]. It appends a command that changes nothing, since only an
// append proves that the majority takes part: a server of the engine that is cut off believes
// for seconds that it still leads. Callers at the same time share one append.
func (n *Node) CatchUp(ctx context.Context) (knowsMore bool, err error) {
	_, err = n.submit(ctx, &machine.Command{})
	return true, err
}
