package webhooks

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/machine"
	"signaling-server/rooms"
)

// DefaultChanges is how many changes are kept by default.
const DefaultChanges = 10_000

const (
	// laneCount is how many changes are under way at once, of different rooms. With 8 lanes, a receiver
	// that takes 50 ms got 130 changes in a second; with 32 it got 490.
	laneCount = 32
	// lookEvery is how often a lane looks whether this node sends now.
	lookEvery = time.Second
	// noteEvery is how often the state notes what was delivered.
	noteEvery = 200 * time.Millisecond
	// maxNoted is how many changes are noted at once.
	maxNoted = 1000
	// noteWithin is how long the nodes may take to note what was delivered.
	noteWithin = 10 * time.Second
)

// Options configure a [Sender].
type Options struct {
	URL     string   // of http or https; it may hold credentials
	Secrets [][]byte // each signs; a receiver that knows one of them accepts the change
	Changes int      // how many are kept, delivered or not; 0: DefaultChanges
	Journal *Journal // keeps the changes on disk, for one node that is alone; nil: they are in memory

	Transport http.RoundTripper // nil: one of its own
	Logger    *slog.Logger      // nil: nothing is logged
}

// Sender sends changes. Any goroutine may call its methods, except Serve and Run.
type Sender struct {
	// set once
	options  Options
	client   *http.Client
	logger   *slog.Logger
	rooms    *rooms.Rooms
	state    machine.State
	isSender func() bool
	lanes    [laneCount]*lane

	failedAttempts atomic.Uint64
	recoveries     atomic.Uint64 // how often a change was accepted that had failed again and again
	onDisk         atomic.Uint64 // the last change that the journal has written

	mu          sync.Mutex // guards what follows
	waiting     int        // rooms whose last attempt has failed
	lastFailure Failure
	round       uint64   // of those that were delivered
	delivered   []uint64 // the state does not say so yet
	dropped     uint64   // how many were, when this node looked last
	saysDropped bool     // the log has said so since the last time that nothing waited
}

// Failure is an attempt to deliver a change that has failed.
type Failure struct {
	At     time.Time // zero: none has failed
	ID     string    // the webhook-id
	Status int       // of the answer; 0: there was none
	Text   string    // why there was no answer; it has no part of the address but the host
}

// Status describes the sender of this node.
type Status struct {
	rooms.ChangesInfo
	IsSender       bool // this node sends; the others only keep the changes
	IsFailing      bool // the last attempt for some room has failed
	LastFailure    Failure
	FailedAttempts uint64
}

// New returns a sender. [Sender.Serve] comes next.
func New(o Options) *Sender {
	o.Changes = cmp.Or(o.Changes, DefaultChanges)
	s := &Sender{options: o, logger: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), client: newClient(o.Transport)}
	for i := range s.lanes {
		s.lanes[i] = newLane(i)
	}
	return s
}

// Kept returns how many changes rooms must keep.
func (s *Sender) Kept() int { return s.options.Changes }

// Serve says whose changes are sent, which state notes what was delivered, and whether this node
// sends. If there is a journal, the rooms go on with what it has. It is called once.
func (s *Sender) Serve(of *rooms.Rooms, state machine.State, isSender func() bool) {
	s.rooms, s.state, s.isSender = of, state, isSender
	if j := s.options.Journal; j != nil {
		of.Continue(j.Kept())
	}
}

// Changed must be called when a change is kept, or with true when changes are to be delivered
// again. It never blocks.
func (s *Sender) Changed(again bool) {
	if j := s.options.Journal; j != nil {
		signal(j.wake)
	}
	if again {
		s.retryNow()
	}
	s.wakeLanes()
}

func (s *Sender) wakeLanes() {
	for _, l := range s.lanes {
		signal(l.wake)
	}
}

// retryNow ends all pauses.
func (s *Sender) retryNow() {
	s.recoveries.Add(1)
	for _, l := range s.lanes {
		signal(l.retry)
	}
}

// signal puts a value into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // a value waits already
	}
}

// Run sends changes until ctx is done, and ends the attempts under way then. It returns when all
// goroutines that it started have ended.
func (s *Sender) Run(ctx context.Context) {
	defer s.client.CloseIdleConnections()
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	var writer sync.WaitGroup
	if j := s.options.Journal; j != nil {
		writer.Go(func() { j.run(writing, s.rooms, s.options.Changes, s.logger, s.written) })
	}
	var sending sync.WaitGroup
	for _, l := range s.lanes {
		sending.Go(func() { s.runLane(ctx, l) })
	}
	s.noteAll(ctx)
	sending.Wait()
	s.note(context.WithoutCancel(ctx), time.Second) // the last deliveries
	stopWriting()
	writer.Wait()
}

// written notes that the journal has written all changes up to a sequence. Only these are sent:
// otherwise the next process could use a sequence again.
func (s *Sender) written(sequence uint64) {
	s.onDisk.Store(sequence)
	s.wakeLanes()
}

// maySend reports whether a change may be sent as far as the journal is concerned.
func (s *Sender) maySend(sequence uint64) bool {
	return s.options.Journal == nil || sequence <= s.onDisk.Load()
}

// noteAll notes now and then what was delivered, until ctx is done.
func (s *Sender) noteAll(ctx context.Context) {
	ticker := time.NewTicker(noteEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.note(ctx, noteWithin)
			s.logDropped()
		}
	}
}

// note lets the state note what was delivered. What it cannot note now is tried again.
func (s *Sender) note(ctx context.Context, within time.Duration) {
	s.mu.Lock()
	count := min(len(s.delivered), maxNoted)
	round, sequences := s.round, slices.Sorted(slices.Values(s.delivered[:count]))
	s.mu.Unlock()
	if count == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	outcome, err := s.state.Operate(ctx, machine.Operation{Kind: machine.NoteDelivered, Round: round, Sequences: sequences})
	if err != nil || outcome != machine.Accepted {
		return
	}
	s.mu.Lock()
	if s.round == round {
		s.delivered = slices.Clone(s.delivered[count:])
	}
	s.mu.Unlock()
	if j := s.options.Journal; j != nil {
		j.noteDelivered(round, sequences)
	}
}

// arrived notes that the receiver has a change.
func (s *Sender) arrived(round, sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if round > s.round {
		s.round, s.delivered = round, nil
	}
	if round == s.round {
		s.delivered = append(s.delivered, sequence)
	}
}

// logDropped logs once that changes were dropped, and again only if all others have arrived
// in between.
func (s *Sender) logDropped() {
	info := s.rooms.ChangesInfo()
	s.mu.Lock()
	isNew := info.Dropped > s.dropped && !s.saysDropped
	s.dropped, s.saysDropped = info.Dropped, info.Waiting > 0 && (s.saysDropped || isNew)
	s.mu.Unlock()
	if isNew && s.isSender() {
		s.logger.Warn("webhooks wait for the receiver for so long that the oldest are dropped", "dropped", info.Dropped, "waiting", info.Waiting)
	}
}

// Status describes the sender.
func (s *Sender) Status() Status {
	status := Status{ChangesInfo: s.rooms.ChangesInfo(), IsSender: s.isSender(), FailedAttempts: s.failedAttempts.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	status.IsFailing, status.LastFailure = s.waiting > 0, s.lastFailure
	return status
}
