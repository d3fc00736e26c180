package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A node hears its own record twice: from the engine, and by the answer to its append. The
// second copy may come while the first is applied, and must not stay.
func TestNoCopyOfAnAppliedRecordStays(t *testing.T) {
	a := applied{copies: make(map[uint64][]byte), moved: make(chan struct{})}
	record := []byte("record")
	a.note(1, record)
	_, taken := a.next()
	require.Equal(t, record, taken)
	a.note(1, record)
	a.note(2, record)
	a.move(1)
	a.note(1, record)
	require.Equal(t, map[uint64][]byte{2: record}, a.copies)
	require.Equal(t, len(record), a.copied)
}
