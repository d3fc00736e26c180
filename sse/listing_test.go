package sse_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

func TestASocketIsListedAsItIsDescribed(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		want := make(map[string]bool)
		for range 3 {
			c := connect(t, hub, nil)
			synctest.Wait()
			want[c.socketID()] = true
			defer c.disconnect()
		}
		found := make(map[string]bool)
		for listed := range hub.Sockets() {
			info, ok := hub.Info(listed.SocketID())
			require.True(t, ok)
			require.Equal(t, info, listed.Info())
			require.Equal(t, info.ConnectedAt, listed.ConnectedAt())
			found[listed.SocketID()] = true
		}
		require.Equal(t, want, found)
		for range hub.Sockets() {
			break // a reader may stop at any socket
		}
	})
}

// A socket whose client reads nothing is counted before its outbox is full.
func TestAnOutboxIsNearlyFullWhenMoreThanHalfOfItIsUnsent(t *testing.T) {
	for name, limits := range map[string]sse.OutboxLimits{
		"events": {UnsentEvents: 10, UnsentBytes: 1 << 20, RetainedEvents: 10, RetainedBytes: 1 << 20},
		"bytes":  {UnsentEvents: 1 << 20, UnsentBytes: 10 * len(numbered(1)), RetainedEvents: 10, RetainedBytes: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, _ *ends) {
				c := connect(t, hub, nil)
				synctest.Wait()
				c.disconnect()
				synctest.Wait()
				var seen []int
				for n := range 8 {
					require.NoError(t, hub.Deliver(c.socketID(), "signal", numbered(n)))
					seen = append(seen, hub.ServedHere().NearlyFull)
				}
				require.Equal(t, "[0 0 0 0 0 1 1 1]", fmt.Sprint(seen))
				require.Zero(t, hub.ServedHere().Streams)
			})
		})
	}
}
