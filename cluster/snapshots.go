package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signaling-server/machine"
)

// load begins with the newest snapshot. Without one, the node begins with the first record.
func (n *Node) load(ctx context.Context) error {
	waiting := atStart()
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, snapshotTimeout)
		sequence, snapshot, err := n.newest(attempt)
		cancel()
		if err == nil {
			if sequence > 0 {
				if err := n.replica.Restore(snapshot); errors.Is(err, machine.ErrVersion) {
					return fmt.Errorf("the newest snapshot %s", otherVersion)
				} else if err != nil {
					return fmt.Errorf("the newest snapshot cannot be read: %w", err)
				}
				n.logger.Info("this node begins with a snapshot", "node", n.options.Name, "record", sequence, "bytes", len(snapshot))
			}
			n.proposals.forget()
			n.applied.move(sequence)
			n.noteLog()
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		waiting.say(n.logger, cannotUse, err)
		pause(ctx, time.Second)
	}
	return ctx.Err()
}

// beginAnew begins with the newest snapshot once more, because the log has forgotten a record that
// this node has not applied: it was paused or cut off for too long.
func (n *Node) beginAnew(ctx context.Context, forgotten uint64) error {
	n.isEmpty.Store(true)
	defer n.isEmpty.Store(false)
	n.setOut("the log has forgotten what it must apply next")
	n.logger.Warn("this node begins anew with the newest snapshot", "node", n.options.Name, "record", forgotten)
	n.proposals.forsake()
	if err := n.hub.AwaitUnread(ctx); err != nil {
		return err
	}
	var err error
	n.between(func() {
		n.replica.Clear()
		err = n.load(ctx)
	})
	if err != nil {
		return err
	}
	if last, _ := n.applied.position(); last < forgotten {
		return fmt.Errorf("the log has forgotten record %d, and the newest snapshot is older: the engine has lost what it must keep", forgotten)
	}
	return nil
}

// newest returns the newest snapshot. It prepares the engine first.
func (n *Node) newest(ctx context.Context) (sequence uint64, snapshot []byte, err error) {
	preparing, cancel := context.WithTimeout(ctx, 3*n.options.Times.Attempt)
	defer cancel()
	if err := n.options.Engine.Prepare(preparing); err != nil {
		return 0, nil, err
	}
	if n.identity, err = n.options.Engine.Identity(preparing); err != nil {
		return 0, nil, err
	}
	return n.options.Engine.NewestSnapshot(ctx)
}

const snapshotTimeout = 30 * time.Second

// takeSnapshots takes a snapshot now and then, if this node is the first of those that live. It
// lets the log forget what no node needs any more.
func (n *Node) takeSnapshots(ctx context.Context) error {
	ticker := time.NewTicker(n.options.Times.Snapshot)
	defer ticker.Stop()
	var taken []takenSnapshot
	var failing, remembering complaint
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if !n.health.isFirst(n.options.Name) {
			n.snapshot.Store(nil) // another node takes them
			taken = nil
			continue
		}
		if !n.isReady.Load() {
			taken = nil
			continue
		}
		one, err := n.takeSnapshot(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			failing.say(n.logger, "no snapshot of the state was taken", err)
			continue
		}
		failing = complaint{}
		n.snapshot.Store(&one)
		taken = append(taken, one)
		for len(taken) > 1 && time.Since(taken[1].at) >= n.options.Times.KeepLog {
			taken = taken[1:]
		}
		if time.Since(taken[0].at) >= n.options.Times.KeepLog {
			if err := n.forget(ctx, taken[0].sequence); err != nil {
				remembering.say(n.logger, "the log has not forgotten old records", err)
				continue
			}
			remembering = complaint{}
		}
	}
}

// takenSnapshot is a snapshot that this node has taken.
type takenSnapshot struct {
	sequence uint64
	at       time.Time
	bytes    int
	pause    time.Duration // for which this node applied nothing
}

// forget lets the log forget the records before a sequence.
func (n *Node) forget(ctx context.Context, before uint64) error {
	attempt, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	return n.options.Engine.Forget(attempt, before)
}

// takeSnapshot keeps the state as it is between two records.
func (n *Node) takeSnapshot(ctx context.Context) (one takenSnapshot, err error) {
	var snapshot *machine.Snapshot
	n.between(func() {
		one.at = time.Now()
		one.sequence, _ = n.applied.position()
		snapshot = n.replica.Snapshot()
		one.pause = time.Since(one.at)
	})
	text := snapshot.Append(nil)
	one.bytes = len(text)
	attempt, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	return one, n.options.Engine.PutSnapshot(attempt, one.sequence, text)
}

// isFirst reports whether a node is the first of those that are not lost, by their names.
func (h *health) isFirst(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for other, p := range h.peers {
		if other < name && !p.isLost {
			return false
		}
	}
	return true
}
