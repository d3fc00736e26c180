package sse_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// onlyAlone skips a test of what is otherwise if the hub has a log. Then other nodes serve the
// clients of a node that stops. And what was written counts when the log has brought it.
func onlyAlone(t *testing.T) {
	if hasLog {
		t.Skip("with a log this is otherwise")
	}
}

// awaitLog waits until the log has brought what was written, if there is one.
func awaitLog() {
	if hasLog {
		time.Sleep(2 * writtenEvery)
	}
	synctest.Wait()
}

const writtenEvery = 50 * time.Millisecond // what was written goes into the log

// memoryLog is a log in memory, for the hubs of one process. All hubs apply the commands in
// one order.
type memoryLog struct {
	mu   sync.Mutex // guards what follows; held while a command is applied
	hubs []*sse.Hub

	wake chan struct{} // holds a value if something is proposed

	proposing sync.Mutex // guards what follows
	proposed  []sse.Command
}

// Submit implements [sse.Log] for the first hub.
func (l *memoryLog) Submit(_ context.Context, c sse.Command) error { return l.apply(0, c) }

// Propose implements [sse.Log].
func (l *memoryLog) Propose(c sse.Command) {
	l.proposing.Lock()
	l.proposed = append(l.proposed, c)
	l.proposing.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // a value waits already
	}
}

func (l *memoryLog) takeProposed() []sse.Command {
	l.proposing.Lock()
	defer l.proposing.Unlock()
	proposed := l.proposed
	l.proposed = nil
	return proposed
}

// apply applies a command at all hubs, and returns what the hub at a place has returned.
func (l *memoryLog) apply(at int, c sse.Command) (result error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, h := range l.hubs {
		err := h.Apply(c)
		h.Settle()
		h.Flush()
		if i == at {
			result = err
		}
	}
	return result
}

// run applies what is proposed, and tells the hubs what readers have written, until ctx is
// done.
func (l *memoryLog) run(ctx context.Context, hub *sse.Hub) {
	ticker := time.NewTicker(writtenEvery)
	defer ticker.Stop()
	for {
		var commands []sse.Command
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			commands = l.takeProposed()
		case <-ticker.C:
			hub.Heard()
			commands = hub.Written()
		}
		for _, c := range commands {
			_ = l.apply(0, c)
		}
	}
}

// What a client confirms counts at once, also if the log has not brought yet what was written.
func TestWhatAClientConfirmsCountsAtOnce(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID, before := c.socketID(), *c.position()
		deliver(t, hub, socketID, 1, 3)
		synctest.Wait()
		ref, lives := hub.Ref(socketID)
		require.True(t, lives)
		ref.Posted(3)
		before.Sequence = 2
		late := connect(t, hub, &before)
		synctest.Wait()
		require.False(t, late.resumed(), "the client has said that more has arrived")
		require.Empty(t, ended.of(socketID))
		awaitLog()
		deliver(t, hub, socketID, 4, 4)
		synctest.Wait()
		requireNumbers(t, c.heard(), 1, 4)
		late.disconnect()
		c.disconnect()
	})
}

// What was written takes no share of an outbox, also if the log has not brought that yet.
func TestWhatWasWrittenTakesNoShare(t *testing.T) {
	inBubble(t, sse.Options{Outbox: sse.OutboxLimits{UnsentEvents: 256, UnsentBytes: 1 << 20, RetainedEvents: 256, RetainedBytes: 1 << 20}}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		for n := range 500 {
			require.NoError(t, hub.Send(c.socketID(), sse.Message{Kind: "signal", Data: sse.Line(numbered(n + 1)), From: "another"}))
			hub.Flush()
			synctest.Wait()
		}
		requireNumbers(t, c.heard(), 1, 500)
		c.disconnect()
	})
}

// However long the log stands, that does not count to a resume window.
func TestNoWindowRunsOutWhileTheLogStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{wake: make(chan struct{}, 1)}
		hub := sse.NewHub(sse.Options{Log: log, Node: "one", AwayAfter: 3 * time.Second, ResumeWindow: 10 * time.Second})
		log.hubs = []*sse.Hub{hub}
		running, cancel := context.WithCancel(t.Context())
		defer cancel()
		go hub.Run(running)           // ends with running
		goesOn := func(seconds int) { // and applies what is proposed
			for range seconds {
				time.Sleep(time.Second)
				hub.Heard()
				for _, c := range log.takeProposed() {
					_ = log.apply(0, c)
				}
			}
			synctest.Wait()
		}
		requireCounts := func(active, away int) {
			t.Helper()
			isActive, isAway, _ := hub.Counts()
			require.Equal(t, []int{active, away}, []int{isActive, isAway}, "sockets, and those that are away")
		}
		attachment := sse.Attachment{Node: "one", Number: 1}
		require.NoError(t, log.apply(0, sse.Command{Kind: sse.OpenSocket, SocketID: "socket", Attachment: attachment}))
		require.NoError(t, log.apply(0, sse.Command{Kind: sse.DetachReader, SocketID: "socket", Attachment: attachment}))
		goesOn(2)
		time.Sleep(time.Hour) // the log stands, and 2 s of that count
		goesOn(4)
		requireCounts(1, 1)
		goesOn(4)
		requireCounts(0, 0)
	})
}

// What is due for the sockets of a node that is gone is not left to that node.
func TestNobodyWaitsForANodeThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, wentAway := &memoryLog{wake: make(chan struct{}, 1)}, make(chan time.Time, 1)
		hub := sse.NewHub(sse.Options{Log: log, Node: "one", OnPresence: func(string) { wentAway <- time.Now() }})
		log.hubs = []*sse.Hub{hub}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { hub.Run(ctx) })
		running.Go(func() { log.run(ctx, hub) })
		there := sse.Command{Kind: sse.OpenSocket, SocketID: "socket", Attachment: sse.Attachment{Node: "two", Number: 1}, Transport: sse.OverStream}
		require.NoError(t, log.apply(0, there))
		there.Kind = sse.DetachReader
		require.NoError(t, log.apply(0, there))
		detached := time.Now()
		log.mu.Lock()
		hub.DetachNode("two")
		log.mu.Unlock()
		const awayAfter, tick = 3 * time.Second, 250 * time.Millisecond
		require.InDelta(t, awayAfter, (<-wentAway).Sub(detached), float64(tick))
		cancel()
		running.Wait()
	})
}

// A node is frozen or without power: nothing tells its clients, which notice by silence. Their
// windows are longer by that.
func TestAClientMayNoticeLateThatItsNodeIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, ended := &memoryLog{wake: make(chan struct{}, 1)}, make(chan time.Time, 1)
		hub := sse.NewHub(sse.Options{
			Log: log, Node: "one", ResumeWindow: 10 * time.Second, HeartbeatInterval: 5 * time.Second,
			OnEnd: func(sse.Ref, sse.Reason) { ended <- time.Now() },
		})
		log.hubs = []*sse.Hub{hub}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { hub.Run(ctx) })
		running.Go(func() { log.run(ctx, hub) })
		require.NoError(t, log.apply(0, sse.Command{Kind: sse.OpenSocket, SocketID: "socket", Attachment: sse.Attachment{Node: "two", Number: 1}, Transport: sse.OverStream}))
		lost := time.Now()
		log.mu.Lock()
		hub.DetachNode("two")
		log.mu.Unlock()
		const window, threeHeartbeats, tick = 10 * time.Second, 15 * time.Second, 250 * time.Millisecond
		require.InDelta(t, window+threeHeartbeats, (<-ended).Sub(lost), float64(tick))
		cancel()
		running.Wait()
	})
}

// The memory of a node is short. It makes all nodes forget what was written, but ends no socket that
// another node serves: only that knows what the client has read.
func TestANodeWithoutMemoryEndsNoSocketOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{wake: make(chan struct{}, 1)}
		hub := sse.NewHub(sse.Options{Log: log, Node: "one", Budget: budget.New(200_000)})
		log.hubs = []*sse.Hub{hub}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { hub.Run(ctx) })
		for i, node := range []string{"one", "two"} {
			require.NoError(t, log.apply(0, sse.Command{Kind: sse.OpenSocket, SocketID: node, Attachment: sse.Attachment{Node: node, Number: uint64(i + 1)}, Transport: sse.OverStream}))
		}
		require.NoError(t, log.apply(0, sse.Command{Kind: sse.DetachReader, SocketID: "one", Attachment: sse.Attachment{Node: "one", Number: 1}}))
		large := fmt.Appendf(nil, `{"x":"%0*d"}`, 10_000, 0)
		for range 15 {
			require.NoError(t, hub.Deliver("two", "signal", large))
		}
		for range 10 {
			require.NoError(t, hub.Deliver("one", "signal", large))
		}
		time.Sleep(time.Second)
		ended := make(map[string]bool)
		kinds := make(map[sse.CommandKind]bool)
		for _, c := range log.takeProposed() {
			kinds[c.Kind] = true
			if c.Kind == sse.EndSocket {
				ended[c.SocketID] = true
			}
		}
		require.True(t, kinds[sse.TrimOutboxes])
		require.Equal(t, map[string]bool{"one": true}, ended)
		cancel()
		running.Wait()
	})
}
