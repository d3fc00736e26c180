package machine

import (
	"context"
	"errors"
)

// The errors of a [State] that several nodes share.
var (
	// ErrNotReady: this node cannot have commands applied now. Nothing of the command was
	// accepted, and nothing will be.
	ErrNotReady = errors.New("machine: this node does not reach the others now")
	// ErrUnknown: it is not known whether the command was accepted. A POST may be repeated
	// under its Idempotency-Key.
	ErrUnknown = errors.New("machine: it is not known yet whether this was accepted")
)

// State is what clients and operators change: that of one node ([Alone]), or of several that
// share a log. Any goroutine may call its methods at once.
type State interface {
	// Post is [Machine.Post]. The other errors are ErrNotReady, ErrUnknown and that of ctx.
	Post(ctx context.Context, p *Post) (outcomes Outcomes, isRepeat bool, err error)
	// Operate is [Machine.Operate]. The errors are ErrNotReady, ErrUnknown and that of ctx.
	Operate(ctx context.Context, o Operation) (Outcome, error)
	// CatchUp waits until this node knows all that any node has answered before. It reports
	// whether it may know more than before. The error is ErrNotReady or that of ctx.
	CatchUp(ctx context.Context) (knowsMore bool, err error)
	// Ready returns nil if this node serves, and otherwise ErrNotReady.
	Ready() error
	// Status describes the nodes.
	Status() Status
}

// Alone is the state of one node.
type Alone struct{ *Machine }

// Post implements [State].
func (a Alone) Post(_ context.Context, p *Post) (Outcomes, bool, error) { return a.Machine.Post(p) }

// Operate implements [State].
func (a Alone) Operate(_ context.Context, o Operation) (Outcome, error) {
	return a.Machine.Operate(o), nil
}

// CatchUp implements [State]: one node knows all.
func (Alone) CatchUp(context.Context) (knowsMore bool, err error) { return false, nil }

// Ready implements [State].
func (Alone) Ready() error { return nil }

// Status implements [State].
func (Alone) Status() Status { return Status{} }
