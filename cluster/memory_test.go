package cluster_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/cluster"
)

// memory is an engine in memory. Its links fail as those of a network do.
type memory struct {
	mu       sync.Mutex // guards what follows
	records  [][]byte   // the first has the sequence 1
	ids      map[string]uint64
	changed  chan struct{} // closed, and made anew, when a record is appended
	from     uint64        // what comes before is forgotten
	at       uint64        // sequence of the snapshot
	snapshot []byte

	isDown atomic.Bool // nothing reaches the engine
}

func newMemory() *memory {
	return &memory{ids: make(map[string]uint64), changed: make(chan struct{}), from: 1}
}

// forgotten returns the sequence before which the log has forgotten all.
func (m *memory) forgotten() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.from
}

// link is the way of one node to the engine.
type link struct {
	engine *memory
	isCut  atomic.Bool
	// one of so many answers to an append is lost, and one of so many copies is lost, doubled
	// or late; 0: none
	lossy int
	delay time.Duration
}

var errCut = errors.New("the link is cut")

func (l *link) reach(ctx context.Context) error {
	if l.delay > 0 {
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(l.delay)))):
		case <-ctx.Done():
		}
	}
	if l.isCut.Load() || l.engine.isDown.Load() {
		<-ctx.Done()
		return errCut
	}
	return ctx.Err()
}

// reachSoon is reach for a caller without a time-out.
func (l *link) reachSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, quick.Attempt)
	defer cancel()
	return l.reach(ctx)
}

func (l *link) fails() bool { return l.lossy > 0 && rand.IntN(l.lossy) == 0 }

// Prepare implements [cluster.Engine].
func (l *link) Prepare(ctx context.Context) error { return l.reach(ctx) }

// Append implements [cluster.Engine].
func (l *link) Append(ctx context.Context, id string, record []byte) (uint64, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	e := l.engine
	e.mu.Lock()
	sequence, isKnown := e.ids[id]
	if !isKnown {
		e.records = append(e.records, record)
		sequence = uint64(len(e.records))
		e.ids[id] = sequence
		close(e.changed)
		e.changed = make(chan struct{})
	}
	e.mu.Unlock()
	if l.fails() {
		return 0, errCut // the answer is lost
	}
	return sequence, l.reach(ctx)
}

// Last implements [cluster.Engine].
func (l *link) Last(ctx context.Context) (uint64, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	return uint64(len(l.engine.records)), nil
}

// Get implements [cluster.Engine].
func (l *link) Get(ctx context.Context, sequence uint64) ([]byte, error) {
	if err := l.reach(ctx); err != nil {
		return nil, err
	}
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	switch {
	case sequence < l.engine.from:
		return nil, cluster.ErrForgotten
	case sequence > uint64(len(l.engine.records)):
		return nil, errors.New("there is no such record")
	}
	return l.engine.records[sequence-1], nil
}

// Follow implements [cluster.Engine].
func (l *link) Follow(ctx context.Context, from uint64, heard func(uint64, []byte)) error {
	for next := from; ; {
		if err := l.reachSoon(ctx); err != nil {
			return err
		}
		l.engine.mu.Lock()
		records, changed := l.engine.records, l.engine.changed
		l.engine.mu.Unlock()
		for ; next <= uint64(len(records)); next++ {
			switch record := records[next-1]; {
			case !l.fails():
				heard(next, record)
			case rand.IntN(2) == 0: // it comes twice, and then the record before it once more
				heard(next, record)
				heard(next, record)
				heard(max(next, 2)-1, records[max(next, 2)-2])
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// PutSnapshot implements [cluster.Engine].
func (l *link) PutSnapshot(ctx context.Context, sequence uint64, snapshot []byte) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	l.engine.at, l.engine.snapshot = sequence, snapshot
	return nil
}

// NewestSnapshot implements [cluster.Engine].
func (l *link) NewestSnapshot(ctx context.Context) (uint64, []byte, error) {
	if err := l.reach(ctx); err != nil {
		return 0, nil, err
	}
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	return l.engine.at, l.engine.snapshot, nil
}

// Forget implements [cluster.Engine].
func (l *link) Forget(ctx context.Context, before uint64) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	l.engine.from = max(l.engine.from, before)
	return nil
}

// Connected implements [cluster.Engine].
func (l *link) Connected() bool { return !l.isCut.Load() && !l.engine.isDown.Load() }
