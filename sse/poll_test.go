package sse_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// poll asks for the events after a position or, if the position is nil, for a new
// socket.
func poll(t *testing.T, hub *sse.Hub, position *sse.EventID, wait time.Duration) *client {
	return pollBy(t, hub, position, wait, func(*client) {})
}

// pollBy is poll with a chance to prepare the client.
func pollBy(t *testing.T, hub *sse.Hub, position *sse.EventID, wait time.Duration, prepare func(*client)) *client {
	return request(t, httptest.NewRequest(http.MethodGet, "/events/poll", nil), prepare, func(w http.ResponseWriter, r *http.Request) error {
		return hub.ServePoll(w, r, position, wait, sse.Client{IP: "192.0.2.2", UserAgent: "poller"})
	})
}

// answer is the body of a poll's answer.
type answer struct {
	Events      []json.RawMessage `json:"events"`
	LastEventID string            `json:"lastEventId"`
}

// answer waits for the answer to a poll, and returns it.
func (c *client) answer() answer {
	c.t.Helper()
	<-c.returned
	require.NoError(c.t, c.err)
	c.mu.Lock()
	defer c.mu.Unlock()
	var a answer
	require.NoError(c.t, json.Unmarshal(c.arrived, &a), "%s", c.arrived)
	require.Equal(c.t, "application/json", c.header.Get("Content-Type"))
	require.Equal(c.t, "no-store", c.header.Get("Cache-Control"))
	return a
}

func (a answer) position(t *testing.T) *sse.EventID {
	t.Helper()
	id, ok := sse.ParseEventID(a.LastEventID)
	require.True(t, ok, a.LastEventID)
	return &id
}

func (a answer) data() []string {
	texts := []string{}
	for _, e := range a.Events {
		texts = append(texts, string(e))
	}
	return texts
}

// hello returns what connected says. It must be the only event of the answer.
func (a answer) hello(t *testing.T) (socketID string, resumed bool) {
	t.Helper()
	require.Len(t, a.Events, 1)
	var hello struct {
		Type, SocketID, Token string
		Resumed               bool
	}
	require.NoError(t, json.Unmarshal(a.Events[0], &hello))
	require.Equal(t, "connected", hello.Type)
	require.Equal(t, hello.Token+".0", a.LastEventID)
	return hello.SocketID, hello.Resumed
}

func TestAPollOpensASocketAndIsAnsweredAtOnce(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		started := time.Now()
		a := poll(t, hub, nil, time.Minute).answer()
		require.Zero(t, time.Since(started))
		socketID, resumed := a.hello(t)
		require.False(t, resumed)
		info, alive := hub.Info(socketID)
		require.True(t, alive)
		require.Equal(t, sse.OverPoll, info.Transport)
		require.Equal(t, "poller", info.Client.UserAgent)
	})
}

func TestAPollTakesWhatIsThereOrWaitsForIt(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		deliver(t, hub, socketID, 1, 3)
		first := poll(t, hub, opened.position(t), time.Minute).answer()
		requireNumbers(t, first.data(), 1, 3)

		waiting := poll(t, hub, first.position(t), time.Minute)
		time.Sleep(30 * time.Second)
		require.Empty(t, waiting.arrived)
		deliver(t, hub, socketID, 4, 4)
		synctest.Wait()
		requireNumbers(t, waiting.answer().data(), 4, 4)
	})
}

func TestAPollWhoseWaitIsOverIsAnsweredWithoutEvents(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		started := time.Now()
		a := poll(t, hub, opened.position(t), 25*time.Second).answer()
		require.Equal(t, 25*time.Second, time.Since(started))
		require.Empty(t, a.Events)
		require.NotNil(t, a.Events, "events is an array, and not null")
		require.Equal(t, opened.LastEventID, a.LastEventID)
	})
}

// An answer alone does not make the outbox forget its events. Only the next poll says
// that they have arrived.
func TestAnAnswerThatWasLostIsRepeated(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		deliver(t, hub, socketID, 1, 5)
		for range 3 {
			requireNumbers(t, poll(t, hub, opened.position(t), 0).answer().data(), 1, 5)
		}
		deliver(t, hub, socketID, 6, 6)
		requireNumbers(t, poll(t, hub, opened.position(t), 0).answer().data(), 1, 6)
	})
}

func TestAPollsAnswerIsBoundedAndTheNextGoesOn(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		deliver(t, hub, socketID, 1, 1000)
		position, heard, polls := opened.position(t), []string{}, 0
		for len(heard) < 1000 {
			a := poll(t, hub, position, 0).answer()
			require.LessOrEqual(t, len(a.Events), 256)
			position, heard = a.position(t), append(heard, a.data()...)
			polls++
		}
		requireNumbers(t, heard, 1, 1000)
		require.Equal(t, 4, polls)

		large := fmt.Appendf(nil, `{"type":"signal","data":%q}`, strings.Repeat("x", 100<<10))
		require.NoError(t, hub.Deliver(socketID, "signal", large))
		require.NoError(t, hub.Deliver(socketID, "signal", large))
		require.Len(t, poll(t, hub, position, 0).answer().Events, 1, "a large event comes alone")
	})
}

// If an answer is lost, the next one must hold the same events. So no answer holds more
// than is retained.
func TestALostAnswerNeverLeavesAGap(t *testing.T) {
	few := sse.OutboxLimits{UnsentEvents: 100, UnsentBytes: 1 << 20, RetainedEvents: 3, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: few}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		deliver(t, hub, socketID, 1, 10)
		for range 2 {
			requireNumbers(t, poll(t, hub, opened.position(t), 0).answer().data(), 1, 3)
		}
	})
}

func TestAClientChangesBetweenStreamAndPollAtAnyMoment(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		streaming := connect(t, hub, nil)
		synctest.Wait()
		socketID := streaming.socketID()
		deliver(t, hub, socketID, 1, 2)
		synctest.Wait()
		requireNumbers(t, streaming.heard(), 1, 2)
		position := streaming.position()
		deliver(t, hub, socketID, 3, 3) // the stream may have written it, but the client has not seen it
		a := poll(t, hub, position, time.Minute).answer()
		<-streaming.returned
		_, reason := streaming.lastWord()
		require.Equal(t, "replaced", reason)
		requireNumbers(t, a.data(), 3, 3)

		waiting := poll(t, hub, a.position(t), time.Minute)
		synctest.Wait()
		again := connect(t, hub, a.position(t))
		synctest.Wait()
		require.True(t, again.resumed())
		parting := waiting.answer()
		require.Len(t, parting.Events, 1)
		require.Contains(t, parting.data()[0], `"reason":"replaced"`)
		require.Equal(t, a.LastEventID, parting.LastEventID)
		deliver(t, hub, socketID, 4, 4)
		synctest.Wait()
		requireNumbers(t, again.heard(), 4, 4)
		again.disconnect()
	})
}

func TestOfTwoPollsTheNewOneTakesOver(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		one := poll(t, hub, opened.position(t), time.Minute)
		synctest.Wait()
		two := poll(t, hub, opened.position(t), time.Minute)
		synctest.Wait()
		require.Contains(t, one.answer().data()[0], `"reason":"replaced"`)
		deliver(t, hub, socketID, 1, 1)
		requireNumbers(t, two.answer().data(), 1, 1)
	})
}

// A poll hangs in its write because its client has gone. The client's next poll must not
// wait for it.
func TestATakeoverDoesNotWaitForAStalledPoll(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		stalled := poll(t, hub, opened.position(t), time.Minute)
		stalled.stall()
		deliver(t, hub, socketID, 1, 1)
		synctest.Wait()
		started := time.Now()
		again := poll(t, hub, opened.position(t), time.Minute)
		requireNumbers(t, again.answer().data(), 1, 1)
		require.Less(t, time.Since(started), time.Second)
		<-stalled.returned
	})
}

func TestASocketThatOnlyPollsLivesWhileItPollsWithinTheWindow(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		a := poll(t, hub, nil, 0).answer()
		socketID, _ := a.hello(t)
		for range 10 {
			time.Sleep(9 * time.Second)
			a = poll(t, hub, a.position(t), 20*time.Second).answer()
		}
		require.Empty(t, ended.of(socketID))
		time.Sleep(10*time.Second + 300*time.Millisecond)
		synctest.Wait()
		require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(socketID))
		_, resumed := poll(t, hub, a.position(t), 0).answer().hello(t)
		require.False(t, resumed)
	})
}

func TestAPollWhoseClientIsGoneTakesNothing(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		gone := poll(t, hub, opened.position(t), time.Minute)
		synctest.Wait()
		gone.disconnect()
		deliver(t, hub, socketID, 1, 1)
		requireNumbers(t, poll(t, hub, opened.position(t), 0).answer().data(), 1, 1)
	})
}

func TestAPollThatCannotResumeOpensANewSocketAndEndsTheOld(t *testing.T) {
	few := sse.OutboxLimits{UnsentEvents: 10, UnsentBytes: 1 << 20, RetainedEvents: 2, RetainedBytes: 1 << 20}
	for name, position := range map[string]func(old *sse.EventID) *sse.EventID{
		"a gap":                      func(old *sse.EventID) *sse.EventID { return &sse.EventID{Token: old.Token} },
		"a position from the future": func(old *sse.EventID) *sse.EventID { return &sse.EventID{Token: old.Token, Sequence: 1000} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sse.Options{Outbox: few}, func(t *testing.T, hub *sse.Hub, ended *ends) {
				c := connect(t, hub, nil)
				synctest.Wait()
				beginning, socketID := c.position(), c.socketID()
				deliver(t, hub, socketID, 1, 5)
				awaitLog()
				c.disconnect()
				newID, resumed := poll(t, hub, position(beginning), time.Minute).answer().hello(t)
				require.False(t, resumed)
				require.NotEqual(t, socketID, newID)
				require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(socketID))
			})
		})
	}
}

func TestAnIdlePollingClientCostsNoGoroutineBetweenPolls(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		before := runtime.NumGoroutine()
		for range 100 {
			poll(t, hub, nil, 0).answer()
		}
		synctest.Wait()
		require.Less(t, runtime.NumGoroutine(), before+50)
	})
}

func TestAPollThatEndsWithItsSocketSaysWhy(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		opened := poll(t, hub, nil, 0).answer()
		socketID, _ := opened.hello(t)
		waiting := poll(t, hub, opened.position(t), time.Minute)
		synctest.Wait()
		hub.End(socketID, sse.SlowConsumer)
		a := waiting.answer()
		require.Len(t, a.Events, 1)
		require.Contains(t, a.data()[0], `"reason":"slow consumer"`)
		require.Equal(t, []sse.Reason{sse.SlowConsumer}, ended.of(socketID))
	})
}
