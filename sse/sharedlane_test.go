package sse_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// When hundreds join one room, all members learn of each. Without lanes each event costs a
// write to each member.
func TestEventsForACrowdShareWrites(t *testing.T) {
	if linkOfStreams != "parked" {
		t.Skip("streams that have a handler are written by it")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the lanes get their turn when this goroutine waits
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		members, ids := crowdOf(t, hub, 100)
		before := flushesOf(members)
		for range 10 {
			require.NoError(t, hub.Tell(slices.Values(ids), sse.Message{Kind: "x", Data: sse.Line([]byte(`{}`))}))
			hub.Flush()
		}
		synctest.Wait()
		require.Less(t, flushesOf(members)-before, 10*len(members)/2)
		for _, c := range members {
			require.Len(t, c.heard(), 10)
			c.disconnect()
		}
	})
}

func TestEventsForACrowdArriveOnceAndInOrderWhoeverSendsThem(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		members, ids := crowdOf(t, hub, 50)
		var telling sync.WaitGroup
		for _, sender := range []string{"a", "b", "c"} {
			telling.Go(func() {
				for n := range 20 {
					data := []byte(`{"` + sender + `":"` + string(rune('a'+n)) + `"}`)
					_ = hub.Tell(slices.Values(ids), sse.Message{Kind: "x", Data: sse.Line(data)})
					hub.Flush()
				}
			})
		}
		telling.Wait()
		synctest.Wait()
		for _, c := range members {
			heard := c.heard()
			require.Len(t, heard, 60)
			for _, sender := range []string{"a", "b", "c"} {
				own := slices.DeleteFunc(slices.Clone(heard), func(data string) bool { return data[2:3] != sender })
				require.True(t, slices.IsSorted(own), "%v", own)
			}
			c.disconnect()
		}
	})
}

func crowdOf(t *testing.T, hub *sse.Hub, size int) (members []*client, ids []string) {
	for range size {
		c := connect(t, hub, nil)
		synctest.Wait()
		members, ids = append(members, c), append(ids, c.socketID())
	}
	return members, ids
}

func flushesOf(members []*client) (all int) {
	for _, c := range members {
		c.mu.Lock()
		all += c.flushes
		c.mu.Unlock()
	}
	return all
}
