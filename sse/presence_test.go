package sse_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// presence collects what the hub reports of a socket that goes away and comes back.
type presence struct {
	hub  *sse.Hub   // set once
	mu   sync.Mutex // guards what follows
	away []bool     // for each call of OnPresence: what IsAway said
}

func (p *presence) heard() []bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// watchPresence is inBubble for a test of OnPresence.
func watchPresence(t *testing.T, options sse.Options, test func(t *testing.T, hub *sse.Hub, ended *ends, told *presence)) {
	told := new(presence)
	options.OnPresence = func(socketID string) {
		told.mu.Lock()
		defer told.mu.Unlock()
		told.away = append(told.away, isAway(told.hub, socketID))
	}
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, ended *ends) {
		told.hub = hub
		test(t, hub, ended, told)
	})
}

func isAway(hub *sse.Hub, socketID string) bool {
	away, _ := hub.IsAway(socketID)
	return away
}

func TestASocketWithoutAReaderIsAwayAfterAWhileAndBackWhenItIsRead(t *testing.T) {
	watchPresence(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, told *presence) {
		c := connect(t, hub, nil)
		synctest.Wait()
		position, socketID := c.position(), c.socketID()
		c.disconnect()
		time.Sleep(2900 * time.Millisecond)
		synctest.Wait()
		require.Empty(t, told.heard())
		require.Equal(t, sse.OverStream, infos(hub)[0].Transport, "it may come back in a moment")
		time.Sleep(400 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []bool{true}, told.heard())
		require.True(t, isAway(hub, socketID))
		require.Equal(t, sse.Away, infos(hub)[0].Transport)

		poll(t, hub, position, 0).answer()
		synctest.Wait()
		require.Equal(t, []bool{true, false}, told.heard())
		require.Equal(t, sse.OverPoll, infos(hub)[0].Transport)
	})
}

func TestAShortAbsenceIsNotReported(t *testing.T) {
	watchPresence(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends, told *presence) {
		c := connect(t, hub, nil)
		for range 5 {
			synctest.Wait()
			position := c.position()
			c.disconnect()
			time.Sleep(2500 * time.Millisecond)
			c = connect(t, hub, position)
		}
		synctest.Wait()
		require.Empty(t, told.heard())
		require.Empty(t, ended.reasons)
		c.disconnect()
	})
}

func TestAClientThatPollsIsNotAwayBetweenItsPolls(t *testing.T) {
	watchPresence(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, told *presence) {
		a := poll(t, hub, nil, 0).answer()
		for range 5 {
			time.Sleep(2 * time.Second)
			a = poll(t, hub, a.position(t), 25*time.Second).answer()
		}
		require.Empty(t, told.heard())
	})
}

func TestIfTheWindowIsShorterASocketEndsWithoutBeingAway(t *testing.T) {
	watchPresence(t, sse.Options{ResumeWindow: time.Second, AwayAfter: 3 * time.Second}, func(t *testing.T, hub *sse.Hub, ended *ends, told *presence) {
		c := connect(t, hub, nil)
		synctest.Wait()
		c.disconnect()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(c.socketID()))
		require.Empty(t, told.heard())
	})
}

// A client's connection takes nothing for as long as one write may last. The client may
// still resume. If it does not, the reason is "slow consumer" and not "transport
// close".
func TestAClientThatReadNothingEndsAsASlowConsumer(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID := c.socketID()
		c.stall()
		deliver(t, hub, socketID, 1, 1)
		time.Sleep(17 * time.Second)
		synctest.Wait()
		require.Empty(t, ended.of(socketID))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, []sse.Reason{sse.SlowConsumer}, ended.of(socketID))
	})
}

// Operators may look at any moment, even while a socket is being opened.
func TestASocketIsNeverSeenWithoutATransport(t *testing.T) {
	hub := sse.NewHub(sse.Options{})
	var opening sync.WaitGroup
	for range 4 {
		opening.Go(func() {
			for range 500 {
				r := httptest.NewRequest(http.MethodGet, "/events/poll", nil)
				assert.NoError(t, hub.ServePoll(httptest.NewRecorder(), r, nil, 0, sse.Client{}))
			}
		})
	}
	for opened := uint64(0); opened < 2000; _, _, opened = hub.Counts() {
		for _, info := range infos(hub) {
			require.Equal(t, sse.OverPoll, info.Transport)
			hub.End(info.SocketID, sse.ClientDisconnect)
		}
	}
	opening.Wait()
}
