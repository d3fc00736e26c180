package sse_test

import (
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
