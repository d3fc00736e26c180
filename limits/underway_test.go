package limits_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/limits"
)

func TestRequestsUnderWayAreCountedByTheirKind(t *testing.T) {
	l := limits.New(limits.Options{RequestsPerAddress: 2, ReadingPerAddress: 2})
	for kind, limit := range map[limits.Kind]limits.Name{limits.Short: limits.RequestsPerAddress, limits.Reading: limits.ReadingPerAddress} {
		for want := range 2 {
			_, count, err := l.Begin(kind, here)
			require.NoError(t, err)
			require.Equal(t, want+1, count)
		}
		network, _, err := l.Begin(kind, here)
		require.Equal(t, limit, exceeded(t, err).Limit)
		_, _, err = l.Begin(kind, there)
		require.NoError(t, err)
		network.End(kind)
		_, _, err = l.Begin(kind, here)
		require.NoError(t, err)
	}
}
