package sse_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// What the owner of a hub keeps with a socket is made once, outlasts a resume, and is there
// until OnEnd. Nothing is made for a token that no socket has.
func TestTheStateOfASocketLastsAsLongAsTheSocket(t *testing.T) {
	made := 0
	options := sse.Options{NewState: func() any { made++; return &made }}
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		ref, ok := hub.Authenticate(c.position().Token)
		require.True(t, ok)
		require.Same(t, &made, ref.State())
		require.Equal(t, c.socketID(), ref.SocketID())

		for range 1000 {
			_, ok := hub.Authenticate(sse.NewToken())
			require.False(t, ok)
		}
		position := c.position()
		c.disconnect()
		again := connect(t, hub, position)
		synctest.Wait()
		require.Equal(t, 1, made)
		same, ok := hub.Ref(ref.SocketID())
		require.True(t, ok)
		require.Same(t, ref.State(), same.State())

		require.True(t, ref.Lives())
		hub.End(ref.SocketID(), sse.ClientDisconnect)
		<-again.returned
		require.False(t, ref.Lives())
		require.Len(t, ended.of(ref.SocketID()), 1)
		require.Same(t, &made, ref.State())
		_, ok = hub.Ref(ref.SocketID())
		require.False(t, ok)
		time.Sleep(time.Minute)
	})
}
