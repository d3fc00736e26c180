package server

import (
	"cmp"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/cluster"
)

func TestZeroLimitsAreTheDefault(t *testing.T) {
	d := DefaultOptions()
	require.Equal(t, d.Limits, Options{}.withDefaults().Limits)

	some := Options{Limits: Limits{MaxRooms: 1}}.withDefaults().Limits
	require.Equal(t, Limits{
		MaxRooms:       1,
		MaxSockets:     d.Limits.MaxSockets,
		MaxRoomMembers: d.Limits.MaxRoomMembers,
		OutboxEvents:   d.Limits.OutboxEvents,
		OutboxBytes:    d.Limits.OutboxBytes,
	}, some, "in the other fields, 0 means that there is no limit")
}

func TestOneAddressMayFillAQuarterOfTheMemoryAtMost(t *testing.T) {
	for _, one := range []struct{ set, memory, want int }{
		{0, 0, 0}, // no limit
		{100, 0, 100},
		{0, 1000, 250},
		{100, 1000, 100},
		{900, 1000, 250},
	} {
		require.Equal(t, cmp.Or(one.set, 64<<20), Options{ClientMemory: int64(one.memory), Limits: Limits{OutboxBytesPerAddress: one.set}, Cluster: new(cluster.Options)}.outboxBytesPerAddress(), "all nodes have the same limit, whatever their memory")
		require.Equal(t, one.want, Options{ClientMemory: int64(one.memory), Limits: Limits{OutboxBytesPerAddress: one.set}}.outboxBytesPerAddress(), one)
	}
}
