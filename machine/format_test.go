package machine_test

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/machine"
)

var update = flag.Bool("update", false, "record a log of this version")

// Nodes of two versions run side by side while they are replaced one by one. So this version
// must read a log that an earlier version has recorded, and come to the same states, or have
// another number: then raise formatVersion, and record a log with -update.
func TestALogOfThisVersionLeadsToTheSameStates(t *testing.T) {
	version := (&machine.Record{}).Append(nil)[0]
	logFile, statesFile := fmt.Sprintf("testdata/version-%d.log", version), fmt.Sprintf("testdata/version-%d.states", version)
	if *update {
		text := recordLog()
		require.NoError(t, os.WriteFile(logFile, text, 0o644))
		require.NoError(t, os.WriteFile(statesFile, []byte(statesOf(t, text)), 0o644))
	}
	text, err := os.ReadFile(logFile)
	require.NoError(t, err)
	want, err := os.ReadFile(statesFile)
	require.NoError(t, err)
	require.Equal(t, string(want), statesOf(t, text), "the states are others: see the comment of this test")
}

// recordLog returns records, each after its length.
func recordLog() (text []byte) {
	records := rapid.Custom(func(t *rapid.T) (all []machine.Record) {
		l := newLog()
		for range 300 {
			all = append(all, l.draw(t))
		}
		return all
	}).Example(1)
	for _, rec := range records {
		one := rec.Append(nil)
		text = append(binary.AppendUvarint(text, uint64(len(one))), one...)
	}
	return text
}

// statesOf returns hashes of the states that a log leads to: each covers twenty. Each state is
// restored from its snapshot.
func statesOf(t *testing.T, text []byte) (hashes string) {
	r, sum := newReplica(), sha256.New()
	for applied := 1; len(text) > 0; applied++ {
		length, read := binary.Uvarint(text)
		require.Positive(t, read)
		text = text[read:]
		rec, err := machine.ReadRecord(text[:length])
		require.NoError(t, err)
		apply(r, rec)
		text = text[length:]

		state := r.AppendSnapshot(nil)
		sum.Write(state)
		if applied%20 == 0 {
			hashes += fmt.Sprintf("%x\n", sum.Sum(nil))
		}
		r = newReplica()
		require.NoError(t, r.Restore(state))
	}
	return hashes
}
