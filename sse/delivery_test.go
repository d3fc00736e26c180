package sse_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"signaling-server/sse"
)

// OnDelivery is called once for an event, even if the client asks for the event again.
func TestADeliveryLastsUntilTheEventIsFirstWritten(t *testing.T) {
	var mu sync.Mutex // guards waits
	var waits []time.Duration
	options := sse.Options{OnDelivery: func(waited time.Duration, _ trace.TraceID) {
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

// What a POST causes is of its trace, also if it is written later. What a client causes without one
// is of none.
func TestADeliverySaysWhichTraceCausedTheEvent(t *testing.T) {
	var mu sync.Mutex // guards traces
	var traces []trace.TraceID
	options := sse.Options{OnDelivery: func(_ time.Duration, of trace.TraceID) {
		mu.Lock()
		defer mu.Unlock()
		traces = append(traces, of)
	}}
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		position, socketID := c.position(), c.socketID()
		c.disconnect()
		sender, ok := hub.Ref(socketID)
		require.True(t, ok)
		for _, id := range []trace.TraceID{{1}, {}, {2}} {
			sender.SetTrace(id)
			require.NoError(t, hub.Pong(socketID))
			sender.SetTrace(trace.TraceID{})
			deliver(t, hub, socketID, 1, 1) // the server's own event
		}
		require.Len(t, poll(t, hub, position, 0).answer().Events, 6)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []trace.TraceID{{1}, {}, {}, {}, {2}, {}}, traces)
	})
}

// A client whose network swallows one stream after another loses nothing, as long as it comes
// back within the window each time.
func TestWhatIsWrittenAgainIsKeptForAsLong(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		position := *c.position()
		deliver(t, hub, c.socketID(), 1, 3)
		for range 20 {
			synctest.Wait()
			c.disconnect()
			time.Sleep(hub.ResumeWindow() - time.Second)
			c = connect(t, hub, &position)
			synctest.Wait()
			require.True(t, c.resumed(), "the client has come back in time")
			requireNumbers(t, c.heard(), 1, 3)
		}
		c.disconnect()
	})
}
