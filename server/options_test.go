package server

import (
	"testing"

	"github.com/stretchr/testify/require"
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
		require.Equal(t, one.want, Limits{OutboxBytesPerAddress: one.set}.outboxBytesPerAddress(int64(one.memory)), one)
	}
}
