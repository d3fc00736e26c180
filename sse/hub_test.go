package sse_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// ends collects the calls of OnEnd.
type ends struct {
	mu      sync.Mutex              // guards what follows
	reasons map[string][]sse.Reason // by socket ID
}

func (e *ends) of(socketID string) []sse.Reason {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reasons[socketID]
}

// inBubble runs a test with a hub and a fake clock. When inBubble returns, all goroutines
// of the test have ended, or it has failed.
func inBubble(t *testing.T, options sse.Options, test func(t *testing.T, hub *sse.Hub, ended *ends)) {
	synctest.Test(t, func(t *testing.T) { withHub(t, options, test) })
}

// inBubbleWithin is inBubble for a hub with a budget.
func inBubbleWithin(t *testing.T, limit int64, options sse.Options, test func(t *testing.T, hub *sse.Hub, ended *ends, account *budget.Budget)) {
	synctest.Test(t, func(t *testing.T) {
		options.Budget = budget.New(limit) // made inside the bubble, because the hub waits for its channel
		withHub(t, options, func(t *testing.T, hub *sse.Hub, ended *ends) { test(t, hub, ended, options.Budget) })
	})
}

func withHub(t *testing.T, options sse.Options, test func(t *testing.T, hub *sse.Hub, ended *ends)) {
	ended := &ends{reasons: make(map[string][]sse.Reason)}
	options.OnEnd = func(r sse.Ref, reason sse.Reason) {
		socketID := r.SocketID()
		ended.mu.Lock()
		defer ended.mu.Unlock()
		ended.reasons[socketID] = append(ended.reasons[socketID], reason)
	}
	if options.Parking == nil {
		options.Parking = parkingOfTests()
	}
	var log *memoryLog
	if hasLog {
		log = &memoryLog{wake: make(chan struct{}, 1)}
		options.Log, options.Node = log, "one"
	}
	hub := sse.NewHub(options)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { hub.Run(ctx) })
	if log != nil {
		log.hubs = []*sse.Hub{hub}
		running.Go(func() { log.run(ctx, hub) })
	}
	test(t, hub, ended)
	cancel()
	running.Wait()
}

func numbered(n int) []byte { return fmt.Appendf(nil, `{"type":"signal","n":%d}`, n) }

// deliver delivers numbered events to a socket.
func deliver(t *testing.T, hub *sse.Hub, socketID string, from, to int) {
	for n := from; n <= to; n++ {
		require.NoError(t, hub.Deliver(socketID, "signal", numbered(n)))
	}
}

// requireNumbers requires that a client heard exactly these numbered events, in order.
func requireNumbers(t *testing.T, heard []string, from, to int) {
	t.Helper()
	var want []string
	for n := from; n <= to; n++ {
		want = append(want, string(numbered(n)))
	}
	require.Equal(t, want, heard)
}

func TestAStreamBeginsWithConnectedAndThenAHeartbeat(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.Equal(t, http.StatusOK, c.status)
		require.Equal(t, "text/event-stream", c.header.Get("Content-Type"))
		require.Equal(t, "no-cache, no-store, no-transform", c.header.Get("Cache-Control"))
		require.Equal(t, "no", c.header.Get("X-Accel-Buffering"))
		require.NotContains(t, c.header, "Connection", "HTTP/2 forbids it")

		events := c.events()
		require.Len(t, events, 2)
		hello := events[0]
		require.Equal(t, "connected", hello.Type)
		require.Equal(t, "2000", hello.Retry)
		require.Equal(t, "connected", hello.member("type"))
		require.Equal(t, false, hello.member("resumed"))
		require.Equal(t, 10_000.0, hello.member("heartbeatInterval"))
		require.Equal(t, 10_000.0, hello.member("resumeWindow"))
		token, ok := sse.ParseToken(hello.member("token").(string))
		require.True(t, ok)
		require.Equal(t, token.SocketID(), hello.member("socketId"))
		require.Equal(t, token.Secret()+".0", hello.ID)

		require.Equal(t, "heartbeat", events[1].Type)
		require.Equal(t, hello.ID, events[1].ID)
		require.Empty(t, events[1].Retry)
		c.disconnect()
	})
}

func TestEventsArriveInOrderEachWithItsID(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		for n := range 100 {
			deliver(t, hub, c.socketID(), n+1, n+1)
			synctest.Wait()
		}
		requireNumbers(t, c.heard(), 1, 100)
		for i, e := range c.events()[2:] {
			id, ok := sse.ParseEventID(e.ID)
			require.True(t, ok)
			require.Equal(t, uint64(i+1), id.Sequence)
			require.Equal(t, "signal", e.Type)
		}
		require.Equal(t, 1+100, c.flushes, "one write for the first two frames, and one for each further frame")
		c.disconnect()
	})
}

func TestHeartbeatsFillSilenceOnlyAndDoNotMoveThePosition(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		deliver(t, hub, c.socketID(), 1, 1)
		synctest.Wait()
		before := len(c.events())
		for range 10 { // the silence never lasts 10 s
			time.Sleep(6 * time.Second)
			deliver(t, hub, c.socketID(), 2, 2)
		}
		synctest.Wait()
		require.Len(t, c.events(), before+10)

		time.Sleep(61 * time.Second)
		synctest.Wait()
		events := c.events()[before+10:]
		require.GreaterOrEqual(t, len(events), 5)
		require.LessOrEqual(t, len(events), 6)
		for _, e := range events {
			require.Equal(t, "heartbeat", e.Type)
			require.Equal(t, c.events()[before+9].ID, e.ID)
		}
		c.disconnect()
	})
}

func TestAResumeGoesOnAfterTheLastEventSeen(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID := c.socketID()
		deliver(t, hub, socketID, 1, 5)
		synctest.Wait()
		position := c.position()
		c.disconnect()
		deliver(t, hub, socketID, 6, 8)
		time.Sleep(9 * time.Second)

		resumed := connect(t, hub, position)
		synctest.Wait()
		require.True(t, resumed.resumed())
		require.Equal(t, socketID, resumed.socketID())
		require.Equal(t, "connected", resumed.events()[0].Type)
		require.Equal(t, c.events()[len(c.events())-1].ID, resumed.events()[0].ID, "connected repeats the position: nothing before it is confirmed")
		requireNumbers(t, resumed.heard(), 6, 8)
		deliver(t, hub, socketID, 9, 9)
		synctest.Wait()
		requireNumbers(t, resumed.heard(), 6, 9)
		time.Sleep(time.Minute)
		require.Empty(t, ended.of(socketID))
		resumed.disconnect()
	})
}

func TestResumeWorksBeforeAnyEventAndAnyNumberOfTimes(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID, position := c.socketID(), c.position()
		c.disconnect()
		deliver(t, hub, socketID, 1, 2)
		for range 5 { // none of these streams confirms anything: the position stays
			again := connect(t, hub, position)
			synctest.Wait()
			require.True(t, again.resumed())
			requireNumbers(t, again.heard(), 1, 2)
			again.disconnect()
		}
	})
}

func TestAPositionThatCannotBeResumedGivesANewSocket(t *testing.T) {
	unknown := sse.EventID{Token: sse.NewToken(), Sequence: 3}
	future := func(p sse.EventID) sse.EventID { p.Sequence += 7; return p }
	forgotten := func(p sse.EventID) sse.EventID { p.Sequence = 1; return p }
	for name, change := range map[string]func(sse.EventID) sse.EventID{
		"unknown":              func(sse.EventID) sse.EventID { return unknown },
		"from the future":      future,
		"no longer all held":   forgotten,
		"of an expired socket": func(p sse.EventID) sse.EventID { time.Sleep(12 * time.Second); return p },
	} {
		t.Run(name, func(t *testing.T) {
			limits := sse.OutboxLimits{UnsentEvents: 100, UnsentBytes: 1 << 20, RetainedEvents: 4, RetainedBytes: 1 << 20}
			inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, ended *ends) {
				c := connect(t, hub, nil)
				synctest.Wait()
				socketID := c.socketID()
				deliver(t, hub, socketID, 1, 10)
				awaitLog()
				last := *c.position()
				c.disconnect()

				position := change(last)
				again := connect(t, hub, &position)
				synctest.Wait()
				require.False(t, again.resumed())
				require.NotEqual(t, socketID, again.socketID())
				require.Empty(t, again.heard())
				if name != "unknown" {
					require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(socketID), "the old socket must not stay")
				}
				again.disconnect()
			})
		})
	}
}

func TestASecondStreamTakesOver(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		first := connect(t, hub, nil)
		synctest.Wait()
		socketID := first.socketID()
		deliver(t, hub, socketID, 1, 3)
		synctest.Wait()
		second := connect(t, hub, first.position())
		synctest.Wait()
		<-first.returned
		kind, reason := first.lastWord()
		require.Equal(t, "disconnected", kind)
		require.Equal(t, "replaced", reason)
		require.True(t, second.resumed())

		deliver(t, hub, socketID, 4, 6)
		synctest.Wait()
		requireNumbers(t, first.heard(), 1, 3)
		requireNumbers(t, second.heard(), 4, 6)
		require.Empty(t, ended.of(socketID))
		second.disconnect()
	})
}

func TestATakeoverDoesNotWaitForAStalledStream(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		first := connect(t, hub, nil)
		synctest.Wait()
		position := first.position()
		release := first.stall()
		defer release()
		deliver(t, hub, first.socketID(), 1, 3)
		synctest.Wait() // the write of the first stream hangs

		started := time.Now()
		second := connect(t, hub, position)
		synctest.Wait()
		require.Empty(t, second.events(), "two streams of one socket never both deliver")
		<-first.returned
		synctest.Wait()
		require.LessOrEqual(t, time.Since(started), time.Second)
		requireNumbers(t, second.heard(), 1, 3)
		second.disconnect()
	})
}

// A write of the old stream is under way during a takeover, and ends after it. The
// outbox must not forget the event that was written: the new stream has not written it
// yet.
func TestALateWriteOfAReplacedStreamTakesNothingFromItsSuccessor(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 10, UnsentBytes: 1 << 20, RetainedEvents: 1, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		first := connect(t, hub, nil)
		synctest.Wait()
		position := first.position()
		deliver(t, hub, first.socketID(), 1, 1)
		synctest.Wait()
		release := first.stall()
		deliver(t, hub, first.socketID(), 2, 2)
		synctest.Wait() // the second event is being written
		second := connect(t, hub, position)
		synctest.Wait()
		release()
		<-first.returned
		synctest.Wait()
		requireNumbers(t, second.heard(), 1, 2)
		second.disconnect()
	})
}

func TestOfManyTakeoversAtOnceOneStreamRemains(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		first := connect(t, hub, nil)
		synctest.Wait()
		socketID, position := first.socketID(), first.position()
		all := []*client{first}
		for range 20 {
			all = append(all, connect(t, hub, position))
		}
		synctest.Wait()
		deliver(t, hub, socketID, 1, 5)
		synctest.Wait()
		live := 0
		for _, c := range all {
			select {
			case <-c.returned:
				require.Empty(t, c.heard())
			default:
				live++
				requireNumbers(t, c.heard(), 1, 5)
				c.disconnect()
			}
		}
		require.Equal(t, 1, live)
	})
}

func TestASocketEndsWhenItsResumeWindowRunsOut(t *testing.T) {
	inBubble(t, sse.Options{ResumeWindow: 5 * time.Second}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID := c.socketID()
		c.disconnect()
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		require.Empty(t, ended.of(socketID))
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(socketID))
		require.ErrorIs(t, hub.Deliver(socketID, "signal", numbered(1)), sse.ErrGone)
		active, _, total := hub.Counts()
		require.Equal(t, 0, active)
		require.Equal(t, uint64(1), total)
	})
}

// A client resumes at the very moment when its window runs out. It gets its socket back,
// or a new one. It never gets a stream that says resumed while the socket ends.
func TestAResumeAtTheLastMomentSucceedsOrFailsWhole(t *testing.T) {
	inBubble(t, sse.Options{ResumeWindow: time.Second}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		outcomes := make(map[bool]int)
		for range 300 {
			c := connect(t, hub, nil)
			synctest.Wait()
			socketID, position := c.socketID(), c.position()
			c.disconnect()
			time.Sleep(time.Second) // at this moment the hub looks at its sockets, too
			again := connect(t, hub, position)
			synctest.Wait()
			outcomes[again.resumed()]++
			if again.resumed() {
				require.Empty(t, ended.of(socketID))
				require.NoError(t, hub.Deliver(socketID, "signal", numbered(1)))
			} else {
				require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(socketID))
			}
			again.disconnect()
			hub.End(again.socketID(), sse.ClientDisconnect)
		}
		t.Log("resumed or not:", outcomes)
	})
}

func TestEndingASocketEndsItsStreamAtOnce(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID := c.socketID()
		hub.End(socketID, sse.ClientDisconnect)
		require.Equal(t, []sse.Reason{sse.ClientDisconnect}, ended.of(socketID), "OnEnd has returned when End returns")
		<-c.returned
		kind, _ := c.lastWord()
		require.Equal(t, "heartbeat", kind, "a client that ended its socket receives nothing more")
		hub.End(socketID, sse.ClientDisconnect)
		time.Sleep(time.Minute)
		require.Len(t, ended.of(socketID), 1, "OnEnd is called once")
	})
}

func TestAKickedClientReceivesTheReasonAndItsSocketEnds(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID := c.socketID()
		require.True(t, hub.Kick(socketID, "not here"))
		require.Equal(t, []sse.Reason{sse.Kicked}, ended.of(socketID), "OnEnd has returned when Kick returns")
		<-c.returned
		events := c.events()
		last := events[len(events)-1]
		require.Equal(t, []any{"disconnected", "kicked", "not here"}, []any{last.member("type"), last.member("reason"), last.member("detail")})
		require.False(t, hub.Kick(socketID, "again"), "the socket has ended already")

		again := connect(t, hub, c.position())
		synctest.Wait()
		require.False(t, again.resumed())
		again.disconnect()
	})
}

// net/http writes the last chunk of a response over the engine. That write must not hang
// either.
func TestTheEndOfAResponseHasADeadline(t *testing.T) {
	if linkOfStreams == "parked" {
		t.Skip("net/http does not write to a parked connection")
	}
	inBubble(t, sse.Options{WriteTimeout: 8 * time.Second}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		hub.End(c.socketID(), sse.ClientDisconnect)
		<-c.returned
		require.Equal(t, 8*time.Second, time.Until(c.deadline))
	})
}

func TestAFrozenReaderEndsAsASlowConsumerAndDelaysNobody(t *testing.T) {
	onlyAlone(t)
	limits := sse.OutboxLimits{UnsentEvents: 50, UnsentBytes: 1 << 20, RetainedEvents: 50, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		frozen, healthy := connect(t, hub, nil), connect(t, hub, nil)
		synctest.Wait()
		release := frozen.stall()
		defer release()
		frozenID, healthyID := frozen.socketID(), healthy.socketID()
		var err error
		n := 0
		for err == nil {
			n++
			err = hub.Deliver(frozenID, "signal", numbered(n))
			deliver(t, hub, healthyID, n, n)
			synctest.Wait()
		}
		require.ErrorIs(t, err, sse.ErrOverflow)
		require.Equal(t, 51, n)
		synctest.Wait()
		require.Equal(t, []sse.Reason{sse.SlowConsumer}, ended.of(frozenID))
		requireNumbers(t, healthy.heard(), 1, n)
		<-frozen.returned
		require.ErrorIs(t, hub.Deliver(frozenID, "signal", numbered(n)), sse.ErrGone)
		healthy.disconnect()
	})
}

// A client whose connection takes nothing reads too slowly. The deadline of the write may
// find that out, or the kernel: which of the two is first depends on chance. If a client
// hangs up instead, it was not too slow.
func TestTheReasonSaysWhetherTheConnectionTookNothing(t *testing.T) {
	kernels := func(errno syscall.Errno) error {
		return &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", errno)}
	}
	for err, want := range map[error]sse.Reason{
		os.ErrDeadlineExceeded:      sse.SlowConsumer,
		kernels(syscall.ETIMEDOUT):  sse.SlowConsumer,
		kernels(syscall.ECONNRESET): sse.TransportClose,
		kernels(syscall.EPIPE):      sse.TransportClose,
	} {
		inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
			opened := poll(t, hub, nil, 0).answer()
			socketID, _ := opened.hello(t)
			polling, streaming := poll(t, hub, opened.position(t), time.Minute), connect(t, hub, nil)
			synctest.Wait()
			clients := map[string]*client{socketID: polling, streaming.socketID(): streaming}
			for socketID, c := range clients {
				c.mu.Lock()
				c.broken = err
				c.mu.Unlock()
				deliver(t, hub, socketID, 1, 1)
				<-c.returned
			}
			time.Sleep(11 * time.Second) // the resume windows run out
			synctest.Wait()
			for socketID := range clients {
				require.Equal(t, []sse.Reason{want}, ended.of(socketID), "%v", err)
			}
		})
	}
}

func TestABoundOnBytesHoldsButOneLargeEventAlwaysFits(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 50, UnsentBytes: 100, RetainedEvents: 50, RetainedBytes: 100}
	inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		large := fmt.Appendf(nil, `{"type":"signal","data":"%0200d"}`, 0)
		for range 3 {
			require.NoError(t, hub.Deliver(c.socketID(), "signal", large))
			synctest.Wait()
		}
		require.Len(t, c.heard(), 3)
		socketID := c.socketID()
		c.disconnect()
		require.NoError(t, hub.Deliver(socketID, "signal", large))
		require.ErrorIs(t, hub.Deliver(socketID, "signal", large), sse.ErrOverflow)
		_, lives := hub.IsAway(socketID)
		require.False(t, lives, "the socket has ended at once, before OnEnd is called")
		synctest.Wait()
	})
}

func TestALastWordReachesASlowConsumerThatReadsAgain(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 5, UnsentBytes: 1 << 20, RetainedEvents: 5, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		release := c.stall()
		deliver(t, hub, c.socketID(), 1, 5)
		synctest.Wait()
		require.ErrorIs(t, hub.Deliver(c.socketID(), "signal", numbered(6)), sse.ErrOverflow)
		time.Sleep(100 * time.Millisecond)
		release()
		<-c.returned
		kind, reason := c.lastWord()
		require.Equal(t, "disconnected", kind)
		require.Equal(t, "slow consumer", reason)
	})
}

func TestAWriteThatHangsEndsTheStreamButNotTheSocket(t *testing.T) {
	inBubble(t, sse.Options{WriteTimeout: 8 * time.Second}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID, position := c.socketID(), c.position()
		release := c.stall()
		defer release()
		deliver(t, hub, socketID, 1, 2)
		started := time.Now()
		<-c.returned
		require.Equal(t, 8*time.Second, time.Since(started))
		require.Empty(t, ended.of(socketID))
		resumed := connect(t, hub, position)
		synctest.Wait()
		requireNumbers(t, resumed.heard(), 1, 2)
		resumed.disconnect()
	})
}

func TestAFailedWriteEndsTheStream(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		c.mu.Lock()
		c.broken = errors.New("connection reset")
		c.mu.Unlock()
		deliver(t, hub, c.socketID(), 1, 1)
		<-c.returned
		time.Sleep(4 * time.Second)
		require.True(t, isAway(hub, c.socketID()))
	})
}

func TestAtCapacityNoNewSocketButOldOnesResume(t *testing.T) {
	inBubble(t, sse.Options{MaxSockets: 2}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		one, two := connect(t, hub, nil), connect(t, hub, nil)
		synctest.Wait()
		three := connect(t, hub, nil)
		<-three.returned
		require.ErrorIs(t, three.err, sse.ErrAtCapacity)
		require.Empty(t, three.events())
		position := one.position()
		one.disconnect()
		again := connect(t, hub, position)
		synctest.Wait()
		require.True(t, again.resumed())
		again.disconnect()
		two.disconnect()
	})
}

func TestRefusalIsAnEventStreamThatKeepsTheClientsPosition(t *testing.T) {
	recorder := httptest.NewRecorder()
	sse.Refuse(recorder, "at capacity", 1500*time.Millisecond)
	require.Equal(t, http.StatusOK, recorder.Code)
	require.Equal(t, "text/event-stream", recorder.Header().Get("Content-Type"))
	events := parse(t, recorder.Body.String())
	require.Len(t, events, 1)
	require.Equal(t, "disconnected", events[0].Type)
	require.NotContains(t, recorder.Body.String(), "id:")
	require.Equal(t, "1500", events[0].Retry)
	require.Equal(t, "at capacity", events[0].member("reason"))
	require.Equal(t, 1500.0, events[0].member("retryAfter"))
}

// A client's connections drop at many moments while events come in. Each event arrives
// once and in order.
func TestNothingIsLostOrRepeatedAcrossDroppedStreams(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID := c.socketID()
		var heard []string
		for n := range 300 {
			deliver(t, hub, socketID, n, n)
			if n%7 == 3 {
				if n%2 == 0 {
					synctest.Wait() // without it, the connection drops while the event is being written
				}
				c.disconnect()
				heard = append(heard, c.heard()...)
				c = connect(t, hub, c.position())
				if n%3 == 0 {
					synctest.Wait()
				}
			}
			if len(c.events()) == 0 {
				synctest.Wait() // a client needs its first event to know its position
			}
		}
		synctest.Wait()
		heard = append(heard, c.heard()...)
		requireNumbers(t, heard, 0, 299)
		require.Empty(t, ended.of(socketID))
		c.disconnect()
	})
}

func TestARefusedSocketIsForgotten(t *testing.T) {
	inBubble(t, sse.Options{MaxSockets: 1}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		before := heap()
		const refused, each = 1000, 8 << 10
		for range refused {
			client := sse.Client{UserAgent: strings.Repeat("x", each)}
			err := hub.ServeStream(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/events", nil), nil, client)
			require.ErrorIs(t, err, sse.ErrAtCapacity)
		}
		time.Sleep(time.Minute)
		require.Less(t, heap()-before, int64(refused*each/2))
		c.disconnect()
	})
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
