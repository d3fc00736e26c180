package cluster

import (
	"context"
	"errors"
)

// Engine holds the log and its snapshots, replicated. Any goroutine may call its methods at
// once. Each method that waits for the engine ends with its context.
type Engine interface {
	// Prepare makes what the log needs, if that does not exist yet.
	Prepare(ctx context.Context) error
	// Identity names the log. If the log is deleted and made anew, it has another identity.
	Identity(ctx context.Context) (string, error)
	// Append appends a record under an ID, and returns its sequence in the log. If a record
	// with this ID was appended lately, Append returns the sequence of that. An error says
	// nothing about what was appended: append again under the same ID.
	Append(ctx context.Context, id string, record []byte) (sequence uint64, err error)
	// Last returns the sequence of the newest record, as the majority knows it now.
	Last(ctx context.Context) (uint64, error)
	// Get returns a record of the log. The error is ErrForgotten if the log has no longer
	// that record.
	Get(ctx context.Context, sequence uint64) ([]byte, error)
	// Follow calls heard for records from a sequence on, as they are appended, until ctx ends.
	// Some may be missing, doubled, or in another order: they are only quick copies.
	Follow(ctx context.Context, from uint64, heard func(sequence uint64, record []byte)) error

	// PutSnapshot keeps a snapshot of the state after a sequence.
	PutSnapshot(ctx context.Context, sequence uint64, snapshot []byte) error
	// NewestSnapshot returns the newest snapshot, or sequence 0 if there is none.
	NewestSnapshot(ctx context.Context) (sequence uint64, snapshot []byte, err error)
	// Forget drops the records before a sequence, and the snapshots that need them.
	Forget(ctx context.Context, before uint64) error

	// Connected reports whether any part of the engine is reached.
	Connected() bool
}

// ErrForgotten: the log has no longer a record.
var ErrForgotten = errors.New("cluster: the log has forgotten this record")
