// Package clustertest has an engine and a network in memory, for tests of several nodes in one
// process.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/cluster"
)

// Engine is an engine in memory. Nodes reach it by links, which fail as those of a network do. A
// goroutine that waits for it is durably blocked (testing/synctest). Any goroutine may call its
// methods at once.
type Engine struct {
	mu       sync.Mutex // guards what follows
	records  [][]byte   // the first has the sequence 1
	ids      map[string]uint64
	changed  chan struct{} // closed, and made anew, when a record is appended
	made     int           // how often the log was made anew
	from     uint64        // what comes before is forgotten
	at       uint64        // sequence of the snapshot
	snapshot []byte

	isDown atomic.Bool // nothing reaches the engine
}

// NewEngine returns an engine with an empty log.
func NewEngine() *Engine {
	return &Engine{ids: make(map[string]uint64), changed: make(chan struct{}), from: 1}
}

// SetDown takes the engine away from all nodes, or brings it back.
func (e *Engine) SetDown(isDown bool) { e.isDown.Store(isDown) }

// Records returns the records of the log after a sequence.
func (e *Engine) Records(after uint64) [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.records[after:]
}

// Length returns how many records were appended.
func (e *Engine) Length() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.records)
}

// Truncate loses all records after a sequence.
func (e *Engine) Truncate(sequence int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.records = append([][]byte(nil), e.records[:sequence]...)
	clear(e.ids)
	if sequence == 0 {
		e.at, e.snapshot, e.from = 0, nil, 1
		e.made++
	}
}

// SnapshotAt returns the sequence of the newest snapshot; 0: there is none.
func (e *Engine) SnapshotAt() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at
}

// Forgotten returns the sequence before which the log has forgotten all.
func (e *Engine) Forgotten() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.from
}

// Link is the way of one node to the engine. Set its fields before the node uses it. The methods
// that [cluster.Engine] does not describe may be called by any goroutine at once.
type Link struct {
	Engine *Engine
	// Lossy says how much is lost: one of so many answers to an append is lost, and one of so
	// many copies is lost, doubled or late. 0: nothing.
	Lossy int
	// OnAppend is called when a record has arrived, and before any node hears of it. It says whether
	// the answer arrives, too. nil: it does.
	OnAppend func(isRepeat bool) (isAnswered bool)
	// Delay is how long a way to the engine or back takes at most. 0: no time.
	Delay time.Duration

	isCut atomic.Bool
}

var _ cluster.Engine = (*Link)(nil)

// SetCut cuts the link, or mends it.
func (l *Link) SetCut(isCut bool) { l.isCut.Store(isCut) }

// ErrCut: the link is cut, or the answer of the engine is lost.
var ErrCut = errors.New("clustertest: the link is cut")

func (l *Link) reach(ctx context.Context) error {
	if l.Delay > 0 {
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(l.Delay)))):
		case <-ctx.Done():
		}
	}
	if l.isCut.Load() || l.Engine.isDown.Load() {
		<-ctx.Done()
		return fmt.Errorf("%w: %w", ErrCut, ctx.Err())
	}
	return ctx.Err()
}

// attempt bounds a way to the engine of a caller without a time-out.
const attempt = 100 * time.Millisecond

// reachSoon is reach for a caller without a time-out.
func (l *Link) reachSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return l.reach(ctx)
}

func (l *Link) fails() bool { return l.Lossy > 0 && rand.IntN(l.Lossy) == 0 }

// Prepare implements [cluster.Engine].
func (l *Link) Prepare(ctx context.Context) error { return l.reach(ctx) }

// Identity implements [cluster.Engine].
func (l *Link) Identity(ctx context.Context) (string, error) {
	if err := l.reach(ctx); err != nil {
		return "", err
	}
	l.Engine.mu.Lock()
	defer l.Engine.mu.Unlock()
	return strconv.Itoa(l.Engine.made), nil
}

// Append implements [cluster.Engine].
func (l *Link) Append(ctx context.Context, id string, record []byte) (uint64, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	e := l.Engine
	e.mu.Lock()
	sequence, isKnown := e.ids[id]
	isAnswered := l.OnAppend == nil || l.OnAppend(isKnown)
	if !isKnown {
		e.records = append(e.records, record)
		sequence = uint64(len(e.records))
		e.ids[id] = sequence
		close(e.changed)
		e.changed = make(chan struct{})
	}
	e.mu.Unlock()
	if !isAnswered || l.fails() {
		return 0, ErrCut // the answer is lost
	}
	return sequence, l.reach(ctx)
}

// Last implements [cluster.Engine].
func (l *Link) Last(ctx context.Context) (uint64, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	l.Engine.mu.Lock()
	last := uint64(len(l.Engine.records))
	l.Engine.mu.Unlock()
	return last, l.reach(ctx)
}

// Get implements [cluster.Engine].
func (l *Link) Get(ctx context.Context, sequence uint64) ([]byte, error) {
	if err := l.reach(ctx); err != nil {
		return nil, err
	}
	l.Engine.mu.Lock()
	defer l.Engine.mu.Unlock()
	switch {
	case sequence < l.Engine.from:
		return nil, cluster.ErrForgotten
	case sequence > uint64(len(l.Engine.records)):
		return nil, errors.New("there is no such record")
	}
	return l.Engine.records[sequence-1], nil
}

// Follow implements [cluster.Engine].
func (l *Link) Follow(ctx context.Context, from uint64, heard func(uint64, []byte)) error {
	for next := from; ; {
		if err := l.reachSoon(ctx); err != nil {
			return err
		}
		l.Engine.mu.Lock()
		records, changed := l.Engine.records, l.Engine.changed
		next = max(next, l.Engine.from)
		l.Engine.mu.Unlock()
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
func (l *Link) PutSnapshot(ctx context.Context, sequence uint64, snapshot []byte) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	l.Engine.mu.Lock()
	defer l.Engine.mu.Unlock()
	l.Engine.at, l.Engine.snapshot = sequence, snapshot
	return nil
}

// NewestSnapshot implements [cluster.Engine].
func (l *Link) NewestSnapshot(ctx context.Context) (uint64, []byte, error) {
	if err := l.reach(ctx); err != nil {
		return 0, nil, err
	}
	l.Engine.mu.Lock()
	defer l.Engine.mu.Unlock()
	return l.Engine.at, l.Engine.snapshot, nil
}

// Forget implements [cluster.Engine].
func (l *Link) Forget(ctx context.Context, before uint64) error {
	if err := l.reach(ctx); err != nil {
		return err
	}
	l.Engine.mu.Lock()
	defer l.Engine.mu.Unlock()
	l.Engine.from = max(l.Engine.from, before)
	return nil
}

// Connected implements [cluster.Engine].
func (l *Link) Connected() bool { return !l.isCut.Load() && !l.Engine.isDown.Load() }
