package sse_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// OnDelivery is called once for an event, even if the client asks for the event again.
func TestADeliveryLastsUntilTheEventIsFirstWritten(t *testing.T) {
	var mu sync.Mutex // guards waits
	var waits []time.Duration
	options := sse.Options{OnDelivery: func(waited time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, waited)
	}}
	told := func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return waits
	}
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		position, socketID := c.position(), c.socketID()
		deliver(t, hub, socketID, 1, 1)
		synctest.Wait()
		require.Equal(t, []time.Duration{0}, told())

		c.disconnect()
		deliver(t, hub, socketID, 2, 2)
		time.Sleep(2 * time.Second)
		deliver(t, hub, socketID, 3, 3)
		time.Sleep(time.Second)
		require.Len(t, told(), 1, "an event is not delivered before it is read")
		for range 3 {
			require.Len(t, poll(t, hub, position, 0).answer().Events, 3)
		}
		require.Equal(t, []time.Duration{0, 3 * time.Second, time.Second}, told())
	})
}
