package jetstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A snapshot is kept in parts, each under a subject of its own, so that a part that is sent
// twice is kept once. When the engine has acknowledged all of them, the head follows, which
// says how many there are, and what their sum is. So a head without its parts is rare. If there
// is one nevertheless, the snapshot before is still there.
//
//	NAME.snapshot.ID.0, NAME.snapshot.ID.1, …   the parts
//	NAME.snapshot.ID.head                       the head
//
// The ID begins with the sequence of the snapshot, and no other snapshot has it.
const (
	partBytes     = 512 << 10 // NATS takes 1 MiB by default
	headName      = "head"
	snapshotsKept = 2
	// askTimeout is how long the engine may take for a part. While it elects a leader, an answer
	// may be lost.
	askTimeout = 3 * time.Second
)

// head says what a snapshot consists of.
type head struct {
	Parts int
	Sum   []byte // SHA-256 of the snapshot
}

func (e *Engine) snapshots() string { return e.options.Name + "-snapshots" }

// snapshotSubject returns the subject of a part. The star stands for any.
func (e *Engine) snapshotSubject(id, part string) string {
	return e.options.Name + ".snapshot." + id + "." + part
}

// prepareSnapshots makes the stream of snapshots, unless it exists.
func (e *Engine) prepareSnapshots(ctx context.Context) error {
	_, err := e.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:              e.snapshots(),
		Subjects:          []string{e.snapshotSubject("*", "*")},
		Storage:           jetstream.FileStorage,
		Replicas:          e.options.Replicas,
		MaxMsgsPerSubject: 1,
		Metadata:          map[string]string{"purpose": "the snapshots of a signaling-server: only its nodes may write here"},
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return fmt.Errorf("making the stream %s: %w", e.snapshots(), err)
	}
	return nil
}

// PutSnapshot implements [cluster.Engine].
func (e *Engine) PutSnapshot(ctx context.Context, sequence uint64, snapshot []byte) error {
	id := strconv.FormatUint(sequence, 10) + "-" + rand.Text()
	parts := 0
	for part := range slices.Chunk(snapshot, partBytes) {
		if err := e.put(ctx, id, strconv.Itoa(parts), part); err != nil {
			return err
		}
		parts++
	}
	sum := sha256.Sum256(snapshot)
	text, err := json.Marshal(head{parts, sum[:]})
	if err != nil {
		return err
	}
	if err := e.put(ctx, id, headName, text); err != nil {
		return err
	}
	return e.dropSnapshots(ctx)
}

// put keeps a part, and waits until the engine has it. If the stream was deleted, it is made anew.
func (e *Engine) put(ctx context.Context, id, part string, content []byte) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, askTimeout)
		_, err := e.js.Publish(attempt, e.snapshotSubject(id, part), content, jetstream.WithExpectStream(e.snapshots()))
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			err = cmp.Or(e.prepareSnapshots(attempt), err)
		}
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// NewestSnapshot implements [cluster.Engine]. It returns the newest that is whole. If none is, but
// the log has forgotten nothing, there is none to begin with.
func (e *Engine) NewestSnapshot(ctx context.Context) (sequence uint64, snapshot []byte, err error) {
	stream, err := e.streamOfSnapshots(ctx)
	if err != nil {
		return 0, nil, err
	}
	ids, err := e.snapshotIDs(ctx, stream)
	if err != nil {
		return 0, nil, err
	}
	for _, id := range slices.Backward(ids) {
		snapshot, err := e.read(ctx, stream, id)
		switch {
		case err == nil:
			return sequenceOf(id), snapshot, nil
		case !errors.Is(err, errNotWhole):
			return 0, nil, err
		}
		e.options.Logger.Warn("a snapshot is not whole: an older one is looked for", "record", sequenceOf(id))
	}
	if len(ids) == 0 {
		return 0, nil, nil
	}
	log, err := e.js.Stream(ctx, e.stream())
	if err == nil && log.CachedInfo().State.FirstSeq > 1 {
		err = errNotWhole
	}
	return 0, nil, err
}

// errNotWhole: the engine has a head, but not all that belongs to it.
var errNotWhole = errors.New("jetstream: the snapshot is not whole")

// read returns a snapshot, if it is whole.
func (e *Engine) read(ctx context.Context, stream jetstream.Stream, id string) ([]byte, error) {
	text, err := e.get(ctx, stream, id, headName)
	if err != nil {
		return nil, err
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, errNotWhole
	}
	snapshot := make([]byte, 0, h.Parts*partBytes)
	for i := range h.Parts {
		part, err := e.get(ctx, stream, id, strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		snapshot = append(snapshot, part...)
	}
	if sum := sha256.Sum256(snapshot); !bytes.Equal(sum[:], h.Sum) {
		return nil, errNotWhole
	}
	return snapshot, nil
}

// get returns a part. The leader of the stream answers.
func (e *Engine) get(ctx context.Context, stream jetstream.Stream, id, part string) ([]byte, error) {
	attempt, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	message, err := stream.GetLastMsgForSubject(attempt, e.snapshotSubject(id, part))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, errNotWhole
	}
	if err != nil {
		return nil, err
	}
	return message.Data, nil
}

func (e *Engine) streamOfSnapshots(ctx context.Context) (jetstream.Stream, error) {
	attempt, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return e.js.Stream(attempt, e.snapshots())
}

// snapshotIDs returns the IDs of all snapshots that have a head, the newest last.
func (e *Engine) snapshotIDs(ctx context.Context, stream jetstream.Stream) (ids []string, err error) {
	attempt, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := stream.Info(attempt, jetstream.WithSubjectFilter(e.snapshotSubject("*", headName)))
	if err != nil {
		return nil, err
	}
	for subject := range info.State.Subjects {
		words := strings.Split(subject, ".")
		ids = append(ids, words[len(words)-2])
	}
	slices.SortFunc(ids, byAge)
	return ids, nil
}

func byAge(a, b string) int {
	if a, b := sequenceOf(a), sequenceOf(b); a != b {
		return cmp.Compare(a, b)
	}
	return strings.Compare(a, b)
}

// sequenceOf returns the sequence of a snapshot by its ID.
func sequenceOf(id string) uint64 {
	text, _, _ := strings.Cut(id, "-")
	sequence, _ := strconv.ParseUint(text, 10, 64) // an ID that is not ours counts as the oldest
	return sequence
}

// dropSnapshots drops all that is older than the snapshots to keep, also what is left of a
// snapshot that was never whole.
func (e *Engine) dropSnapshots(ctx context.Context) error {
	stream, err := e.streamOfSnapshots(ctx)
	if err != nil {
		return err
	}
	ids, err := e.snapshotIDs(ctx, stream)
	if err != nil || len(ids) <= snapshotsKept {
		return err
	}
	attempt, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	needed := uint64(math.MaxUint64)
	for _, id := range ids[len(ids)-snapshotsKept:] {
		first, err := stream.GetLastMsgForSubject(attempt, e.snapshotSubject(id, "0"))
		if err != nil {
			return err
		}
		needed = min(needed, first.Sequence)
	}
	return stream.Purge(attempt, jetstream.WithPurgeSequence(needed))
}
