package sse_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
	"signaling-server/sse"
)

// These tests are about parked connections that take a write in parts, at the worst moments.

// line is a parked connection that takes as many bytes as a test says.
type line struct {
	stream sse.Parkable
	closed chan struct{}

	mu      sync.Mutex // guards what follows
	room    int        // how many bytes it takes now; negative: any number
	onShort func()     // called within a Write that it did not take as a whole
	arrived []byte
}

// lines parks the connection of each request at a line.
type lines chan *line

func (lines) CanPark(http.ResponseWriter, *http.Request) bool { return true }

func (l lines) Park(_ http.ResponseWriter, _ *http.Request, s sse.Parkable) (sse.Parked, error) {
	parked := &line{stream: s, closed: make(chan struct{}), room: -1}
	l <- parked
	return parked, nil
}

// open opens a stream at a line.
func (l lines) open(t *testing.T, hub *sse.Hub, position *sse.EventID) *line {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/events", nil)
	request.Proto, request.ProtoMajor, request.ProtoMinor = "HTTP/1.0", 1, 0 // the frames are easier to read without chunks
	require.NoError(t, hub.ServeStream(httptest.NewRecorder(), request, position, sse.Client{}))
	return <-l
}

// inLines runs a test with a hub whose streams are at lines.
func inLines(t *testing.T, options sse.Options, test func(t *testing.T, hub *sse.Hub, ended *ends, l lines)) {
	l := make(lines, 1)
	options.Parking = l
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, ended *ends) { test(t, hub, ended, l) })
}

func (l *line) Write(text []byte) (int, error) {
	l.mu.Lock()
	taken := len(text)
	if l.room >= 0 {
		taken = min(taken, l.room)
		l.room -= taken
	}
	l.arrived = append(l.arrived, text[:taken]...)
	onShort := l.onShort
	l.mu.Unlock()
	if taken < len(text) && onShort != nil {
		onShort()
	}
	return taken, nil
}

func (l *line) Close() { close(l.closed) }

// takes makes the line take only so many more bytes.
func (l *line) takes(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room = bytes
}

// goesOn makes the line take so many more bytes, and tells the stream.
func (l *line) goesOn(bytes int) {
	l.takes(bytes)
	l.stream.Writable()
}

func (l *line) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// events returns the events that have arrived as a whole.
func (l *line) events(t *testing.T) []ssetest.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, body, _ := strings.Cut(string(l.arrived), "\r\n\r\n")
	body = body[:strings.LastIndex(body, "\n\n")+2]
	events, err := ssetest.ReadAll(strings.NewReader(body))
	require.NoError(t, err)
	return events
}

func (l *line) socketID(t *testing.T) string {
	return received{l.events(t)[0]}.member("socketId").(string)
}

// heard returns the data of the numbered events.
func (l *line) heard(t *testing.T) (data []string) {
	for _, e := range l.events(t) {
		if e.Type == "signal" {
			data = append(data, e.Data)
		}
	}
	return data
}

// The kernel may have sent what it held before Write has even returned.
func TestAConnectionMaySayThatItTakesMoreBeforeTheWriteReturns(t *testing.T) {
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
		c := l.open(t, hub, nil)
		c.takes(10)
		c.onShort = func() { c.goesOn(-1) }
		deliver(t, hub, c.socketID(t), 1, 3)
		requireNumbers(t, c.heard(t), 1, 3)
		c.stream.Gone(nil)
		<-c.closed
	})
}

// The kernel gives a connection up. Only a client that took nothing reads too slowly: if the
// connection had taken all, the client has vanished.
func TestAConnectionThatTheKernelGivesUpSaysWhetherItTookAll(t *testing.T) {
	for room, want := range map[int]sse.Reason{-1: sse.TransportClose, 10: sse.SlowConsumer} {
		inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends, l lines) {
			c := l.open(t, hub, nil)
			socketID := c.socketID(t)
			c.takes(room)
			deliver(t, hub, socketID, 1, 1)
			c.stream.Gone(syscall.ETIMEDOUT)
			<-c.closed
			time.Sleep(11 * time.Second) // the resume window runs out
			require.Equal(t, []sse.Reason{want}, ended.of(socketID), "takes %d", room)
		})
	}
}

// Events of one batch are put before any of them is written. What the stream is about to
// write is on its way, so the next event with its key comes after it.
func TestEventsOfOneBatchDoNotReplaceEachOther(t *testing.T) {
	onlyAlone(t)
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
		c := l.open(t, hub, nil)
		for n := range 2 {
			m := sse.Message{Kind: "signal", Data: sse.Line(fmt.Sprintf(`{"typing":%d}`, n)), Key: 1}
			require.NoError(t, hub.DeliverMessage(c.socketID(t), m))
		}
		hub.Flush()
		require.Equal(t, []string{`{"typing":0}`, `{"typing":1}`}, c.heard(t))
		c.stream.Gone(nil)
		<-c.closed
	})
}

func TestALastWordSurvivesAConnectionThatTakesItInParts(t *testing.T) {
	for name, c := range map[string]struct {
		blockedAfter int   // bytes of the event, before the end
		parts        []int // what it takes after that
	}{
		"all at once":                        {20, []int{-1}},
		"nothing at first":                   {0, []int{0, 0, -1}},
		"nothing after a part of the event":  {20, []int{0, -1}},
		"the event, and then the rest":       {20, []int{1000 - 20, -1}},
		"the event, and then single bytes":   {20, append([]int{1000}, ones(400)...)},
		"a few bytes, and then all":          {0, []int{1, 2, 3, 5, 8, 13, -1}},
		"large parts, and both events begun": {1, []int{500, 500, 500, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
				parked := l.open(t, hub, nil)
				socketID := parked.socketID(t)
				parked.takes(c.blockedAfter)
				large := `{"type":"signal","fill":"` + strings.Repeat("x", 900) + `"}`
				require.NoError(t, hub.Deliver(socketID, "signal", []byte(large)))
				require.NoError(t, hub.Deliver(socketID, "signal", numbered(2)))
				require.True(t, hub.Kick(socketID, "noise"))
				for _, part := range c.parts {
					if !parked.isClosed() {
						parked.goesOn(part)
					}
				}
				require.True(t, parked.isClosed())
				events := parked.events(t)
				last := received{events[len(events)-1]}
				require.Equal(t, "disconnected", last.Type)
				require.Equal(t, "noise", last.member("detail"))
				position, ok := sse.ParseEventID(last.ID)
				require.True(t, ok)
				require.EqualValues(t, len(parked.heard(t)), position.Sequence, "the last word confirms nothing that the client did not get")
			})
		})
	}
}

func ones(count int) []int {
	all := make([]int, count)
	for i := range all {
		all[i] = 1
	}
	return all
}

// While one goroutine writes what it took out of the queue, others may write to the same
// streams, and queue them again.
func TestNothingIsLostWhenManyWriteToManyStreamsAtOnce(t *testing.T) {
	l := make(lines, 1)
	withHub(t, sse.Options{Parking: l}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		const streams, senders, each = 8, 4, 500
		var all []*line
		var ids []string
		for range streams {
			c := l.open(t, hub, nil)
			all, ids = append(all, c), append(ids, c.socketID(t))
		}
		var sending sync.WaitGroup
		for sender := range senders {
			sending.Go(func() {
				for n := range each {
					for i := range ids {
						_ = hub.DeliverMessage(ids[(i+sender)%streams], sse.Message{Kind: "signal", Data: sse.Line(numbered(n))})
						if i%3 == sender%3 {
							hub.Flush()
						}
					}
					hub.Flush()
				}
			})
		}
		sending.Wait()
		for i, c := range all {
			require.Eventually(t, func() bool { return len(c.heard(t)) == senders*each }, 10*time.Second, 10*time.Millisecond, "stream %d heard %d", i, len(c.heard(t)))
			c.stream.Gone(nil)
		}
	})
}

// A client on a slow link cannot answer a heartbeat before it has what was sent before it.
func TestAConnectionThatTakesItsTimeShowsThatItsClientLives(t *testing.T) {
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
		c := l.open(t, hub, nil)
		socketID := c.socketID(t)
		require.NoError(t, hub.Heartbeat(socketID))
		for n := range 20 { // each event is stopped at its very beginning
			c.takes(0)
			deliver(t, hub, socketID, n, n)
			time.Sleep(3 * time.Second)
			c.goesOn(-1)
		}
		synctest.Wait()
		requireNumbers(t, c.heard(t), 0, 19)
		c.stream.Gone(nil)
		<-c.closed
	})
}

func TestAConnectionThatIsBlockedEndsAfterTheWriteTimeoutOrTheLimitOfTheEnd(t *testing.T) {
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends, l lines) {
		c := l.open(t, hub, nil)
		socketID := c.socketID(t)
		c.takes(5)
		deliver(t, hub, socketID, 1, 2)
		time.Sleep(7 * time.Second)
		c.goesOn(5)
		time.Sleep(7 * time.Second)
		require.False(t, c.isClosed(), "it has taken something")
		started := time.Now()
		<-c.closed
		require.Equal(t, time.Second, time.Since(started))
		time.Sleep(11 * time.Second)
		require.Equal(t, []sse.Reason{sse.SlowConsumer}, ended.of(socketID))

		c = l.open(t, hub, nil)
		c.takes(0)
		deliver(t, hub, c.socketID(t), 1, 1)
		started = time.Now()
		hub.Kick(c.socketID(t), "")
		<-c.closed
		require.Equal(t, 250*time.Millisecond, time.Since(started))
	})
}

func TestATakeoverOfABlockedStreamNeitherLosesNorRepeats(t *testing.T) {
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
		first := l.open(t, hub, nil)
		socketID := first.socketID(t)
		first.takes(30)
		deliver(t, hub, socketID, 1, 5)
		position, _ := sse.ParseEventID(first.events(t)[0].ID)
		started := time.Now()
		second := l.open(t, hub, &position) // it waits for the first one
		require.Equal(t, 250*time.Millisecond, time.Since(started))
		require.True(t, first.isClosed())
		requireNumbers(t, second.heard(t), 1, 5)
		first.goesOn(-1) // a call that was on its way
		first.stream.Gone(nil)
		require.Empty(t, first.heard(t))
		second.stream.Gone(nil)
		<-second.closed
	})
}

// Large events are written in windows, and a stream leaves the rest to Run after a few.
func TestALargeBacklogArrivesThroughManyWindowsOnceAndInOrder(t *testing.T) {
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
		c := l.open(t, hub, nil)
		socketID := c.socketID(t)
		c.takes(0)
		deliver(t, hub, socketID, 1, 1)
		for n := 2; n <= 40; n++ {
			require.NoError(t, hub.Deliver(socketID, "signal", []byte(strings.Replace(string(numbered(n)), "}", `,"fill":"`+strings.Repeat("x", 40<<10)+`"}`, 1))))
		}
		for !t.Failed() && len(c.heard(t)) < 40 {
			c.goesOn(100_001)
			synctest.Wait()
		}
		for i, e := range c.events(t)[2:] {
			position, _ := sse.ParseEventID(e.ID)
			require.EqualValues(t, i+1, position.Sequence)
		}
		c.stream.Gone(nil)
		<-c.closed
	})
}

// alwaysGone parks connections whose clients have gone, or cannot park them at all.
type alwaysGone struct{ cannotPark error }

func (alwaysGone) CanPark(http.ResponseWriter, *http.Request) bool { return true }

func (a alwaysGone) Park(_ http.ResponseWriter, _ *http.Request, s sse.Parkable) (sse.Parked, error) {
	s.Gone(nil)
	return &line{stream: s, closed: make(chan struct{})}, a.cannotPark
}

func TestAStreamWhoseClientGoesWhileItIsParkedEnds(t *testing.T) {
	for name, parking := range map[string]alwaysGone{"parked": {}, "not parked": {errors.New("no place")}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sse.Options{Parking: parking}, func(t *testing.T, hub *sse.Hub, ended *ends) {
				open := func() {
					_ = hub.ServeStream(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/events", nil), nil, sse.Client{})
				}
				if parking.cannotPark == nil {
					open()
				} else {
					require.PanicsWithValue(t, http.ErrAbortHandler, open)
				}
				id := infos(hub)[0].SocketID
				time.Sleep(11 * time.Second)
				require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(id), "its resume window runs as after any other stream")
				require.NoError(t, hub.Drain(t.Context()), "nobody reads")
			})
		})
	}
}

func TestADrainWaitsForABlockedStreamWithinItsTimeout(t *testing.T) {
	inLines(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, l lines) {
		slow, dead := l.open(t, hub, nil), l.open(t, hub, nil)
		for _, c := range []*line{slow, dead} {
			c.takes(7)
			deliver(t, hub, c.socketID(t), 1, 3)
		}
		time.AfterFunc(5*time.Second, func() { slow.goesOn(-1) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_ = hub.Drain(ctx) // its result is that of what the dead stream is owed
		requireNumbers(t, slow.heard(t), 1, 3)
		events := slow.events(t)
		require.Equal(t, "server-shutdown", events[len(events)-1].Type)
		require.True(t, slow.isClosed())
		require.True(t, dead.isClosed())
	})
}
