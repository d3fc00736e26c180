package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnectionsLeaveDescriptorsForFilesOperatorsAndProbes(t *testing.T) {
	for descriptors, want := range map[int]connections{
		0: {}, 8: {5, 1}, 100: {65, 10}, 1024: {896, 64}, 2000: {1872, 64}, 1 << 20: {1<<20 - 128, 64},
	} {
		require.Equal(t, want, connectionsOf(descriptors), descriptors)
	}
	require.Positive(t, maxDescriptors())
}
