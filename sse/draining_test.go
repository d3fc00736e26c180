package sse_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// drain drains a hub with a time limit, as the process does.
func drain(t *testing.T, hub *sse.Hub, within time.Duration) (drained <-chan error) {
	result := make(chan error, 1)
	go func() { // ends with Drain
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		result <- hub.Drain(ctx)
	}()
	synctest.Wait()
	return result
}

func TestDrainingSendsServerShutdownAfterEverythingAccepted(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		var clients []*client
		var release []func()
		for range 20 {
			clients = append(clients, connect(t, hub, nil))
		}
		synctest.Wait()
		for _, c := range clients {
			release = append(release, c.stall())
			deliver(t, hub, c.socketID(), 1, 50)
		}
		drained := drain(t, hub, 5*time.Second)
		require.ErrorIs(t, hub.Deliver(clients[0].socketID(), "signal", numbered(51)), sse.ErrDraining)
		late := connect(t, hub, nil)
		<-late.returned
		require.ErrorIs(t, late.err, sse.ErrDraining)
		for _, r := range release {
			r()
		}
		require.NoError(t, <-drained)
		waits := make(map[any]bool)
		for _, c := range clients {
			<-c.returned
			requireNumbers(t, c.heard(), 1, 50)
			events := c.events()
			last := events[len(events)-1]
			require.Equal(t, "server-shutdown", last.Type)
			require.Equal(t, events[len(events)-2].ID, last.ID)
			wait := last.member("reconnectAfter").(float64)
			require.Equal(t, fmt.Sprint(wait), last.Retry)
			require.GreaterOrEqual(t, wait, 1000.0)
			require.Less(t, wait, 6000.0)
			waits[wait] = true
		}
		require.Greater(t, len(waits), 10, "clients come back one after the other")
	})
}

// If another process goes on with the state, only readers end. A client that reads too slowly does
// not hold up the others: it gets the rest from the next process.
func TestSocketsOutliveAProcessThatHandsOver(t *testing.T) {
	onlyAlone(t)
	options := sse.Options{
		HandsOver: true, AwayAfter: 4 * time.Second,
		Elapsed: func() time.Duration { return time.Duration(time.Now().UnixNano()) }, // both processes have one clock
	}
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, _ *ends) {
		quick, frozen := connect(t, hub, nil), connect(t, hub, nil)
		synctest.Wait()
		unread := frozen.position()
		release := frozen.stall()
		defer release()
		deliver(t, hub, quick.socketID(), 1, 3)
		deliver(t, hub, frozen.socketID(), 1, 3)
		started := time.Now()
		drained := drain(t, hub, time.Minute)
		<-quick.returned
		requireNumbers(t, quick.heard(), 1, 3)
		events := quick.events()
		last := events[len(events)-1]
		require.Equal(t, "server-shutdown", last.Type)
		wait := last.member("reconnectAfter").(float64)
		require.GreaterOrEqual(t, wait, 500.0)
		require.Less(t, wait, 2000.0, "the client is back before it counts as away")

		deliver(t, hub, quick.socketID(), 4, 4) // a POST that is under way
		read := quick.position()
		for _, position := range []*sse.EventID{read, {Token: read.Token, Sequence: 2}, nil} {
			late := connect(t, hub, position)
			<-late.returned
			require.ErrorIs(t, late.err, sse.ErrDraining)
		}
		require.NoError(t, <-drained)
		require.Less(t, time.Since(started), time.Second)
		<-frozen.returned
		time.Sleep(5 * time.Second)
		away, lives := hub.IsAway(quick.socketID())
		require.True(t, lives)
		require.False(t, away, "its client is not to blame")

		next := sse.NewHub(options)
		require.NoError(t, next.Restore(hub.AppendSnapshot(nil)))
		again, unfrozen := connect(t, next, read), connect(t, next, unread)
		synctest.Wait()
		require.True(t, again.resumed())
		require.Equal(t, quick.socketID(), again.socketID())
		requireNumbers(t, again.heard(), 4, 4)
		require.True(t, unfrozen.resumed())
		requireNumbers(t, unfrozen.heard(), 1, 3)
		again.disconnect()
		unfrozen.disconnect()
	})
}

// A process that has no time to drain leaves sockets that it still serves.
func TestNothingReadsASocketWhoseProcessIsGone(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		state := hub.AppendSnapshot(nil)
		next := sse.NewHub(sse.Options{HandsOver: true})
		require.NoError(t, next.Restore(state))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go next.Run(ctx) // ends with the test
		time.Sleep(4 * time.Second)
		away, lives := next.IsAway(c.socketID())
		require.True(t, away && lives)
		time.Sleep(7 * time.Second)
		_, lives = next.IsAway(c.socketID())
		require.False(t, lives, "its resume window is over")
	})
}

func TestDrainingDoesNotWaitForAFrozenReaderLongerThanAllowed(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		release := c.stall()
		defer release()
		deliver(t, hub, c.socketID(), 1, 1)
		started := time.Now()
		<-drain(t, hub, 3*time.Second) // it may return just before or just after the stream ends
		require.Equal(t, 3*time.Second, time.Since(started))
		<-c.returned
	})
}

// The server itself ended the stream. The rooms must not hear that the client is away: on
// a slow machine such an event came between the last event and server-shutdown.
func TestASocketWhoseStreamWasDrainedIsNotAway(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		drainedFirst, frozen := connect(t, hub, nil), connect(t, hub, nil)
		synctest.Wait()
		release := frozen.stall()
		defer release()
		deliver(t, hub, frozen.socketID(), 1, 1)
		drained := drain(t, hub, 6*time.Second)
		<-drainedFirst.returned
		time.Sleep(5 * time.Second)
		away, lives := hub.IsAway(drainedFirst.socketID())
		require.True(t, lives)
		require.False(t, away)
		<-drained
		<-frozen.returned
	})
}

func TestDrainingAnswersAWaitingPoll(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		waiting := poll(t, hub, opened.position(t), time.Minute)
		synctest.Wait()
		require.NoError(t, <-drain(t, hub, 5*time.Second))
		a := waiting.answer()
		require.Len(t, a.Events, 1)
		require.Contains(t, a.data()[0], `"type":"server-shutdown"`)

		late := poll(t, hub, a.position(t), time.Minute)
		<-late.returned
		require.ErrorIs(t, late.err, sse.ErrDraining, "it has received everything")
	})
}

// An event that was accepted for a client without a reader is not lost because the
// server stops: Drain waits for the client.
func TestDrainingWaitsForClientsThatAreOwedSomething(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		opened := poll(t, hub, nil, 0).answer()
		never := connect(t, hub, nil)
		nothing := connect(t, hub, nil)
		synctest.Wait()
		streamer, position := c.socketID(), c.position()
		poller, _ := opened.hello(t)
		for _, gone := range []*client{c, never, nothing} {
			gone.disconnect()
		}
		deliver(t, hub, streamer, 1, 300)
		deliver(t, hub, poller, 1, 300)
		deliver(t, hub, never.socketID(), 1, 1)

		drained := drain(t, hub, 20*time.Second)
		time.Sleep(2 * time.Second)
		again := connect(t, hub, position)
		<-again.returned
		require.NoError(t, again.err)
		require.True(t, again.resumed())
		requireNumbers(t, again.heard(), 1, 300)
		last, _ := again.lastWord()
		require.Equal(t, "server-shutdown", last)

		first := poll(t, hub, opened.position(t), time.Minute).answer()
		requireNumbers(t, first.data(), 1, 256)
		second := poll(t, hub, first.position(t), time.Minute).answer()
		requireNumbers(t, second.data()[:44], 257, 300)
		require.Contains(t, second.data()[44], "server-shutdown")

		synctest.Wait()
		require.Empty(t, drained, "one client is still owed something")
		require.NoError(t, <-drained)
		require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(never.socketID()), "Drain waited until its resume window ran out")
	})
}
