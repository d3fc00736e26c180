package sse_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// A request was held up on the way, and asks for events that its client has confirmed
// meanwhile. The client must not lose its socket because of that request, whether the
// socket has a reader at that moment or not.
func TestAnOvertakenRequestDoesNotHarmTheSocket(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, hub *sse.Hub, position *sse.EventID) (end func()){
		"stream": func(t *testing.T, hub *sse.Hub, position *sse.EventID) func() {
			late := connect(t, hub, position)
			synctest.Wait()
			require.False(t, late.resumed())
			return late.disconnect
		},
		"poll": func(t *testing.T, hub *sse.Hub, position *sse.EventID) func() {
			_, resumed := poll(t, hub, position, time.Minute).answer().hello(t)
			require.False(t, resumed)
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
				c := connect(t, hub, nil)
				synctest.Wait()
				socketID, beginning := c.socketID(), c.position()
				deliver(t, hub, socketID, 1, 3)
				synctest.Wait()
				again := connect(t, hub, c.position())
				synctest.Wait()
				endLate := ask(t, hub, beginning)
				defer endLate()
				deliver(t, hub, socketID, 4, 4)
				synctest.Wait()
				requireNumbers(t, again.heard(), 4, 4)

				again.disconnect()
				endLater := ask(t, hub, beginning)
				defer endLater()
				deliver(t, hub, socketID, 5, 5)
				require.Empty(t, ended.of(socketID))
				last := connect(t, hub, again.position())
				synctest.Wait()
				require.True(t, last.resumed())
				requireNumbers(t, last.heard(), 5, 5)
				last.disconnect()
			})
		})
	}
}

// A client may say what has arrived without beginning to read. What it confirms is not kept.
// It cannot confirm what was never written, and takes nothing back.
func TestWhatAClientConfirmsIsNotKept(t *testing.T) {
	onlyAlone(t)
	inBubbleWithin(t, 1<<30, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends, account *budget.Budget) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID, beginning, idle := c.socketID(), *c.position(), account.Used()
		deliver(t, hub, socketID, 1, 100)
		synctest.Wait()
		at := func(sequence uint64) sse.EventID { return sse.EventID{Token: beginning.Token, Sequence: sequence} }
		all := account.Used() - idle
		confirm(hub, at(101)) // from the future
		confirm(hub, sse.EventID{Token: sse.NewToken(), Sequence: 1})
		require.Equal(t, all, account.Used()-idle)
		confirm(hub, at(60))
		require.InDelta(t, all*40/100, account.Used()-idle, 200)
		confirm(hub, at(20))
		confirm(hub, at(100))
		require.Equal(t, idle, account.Used())
		c.disconnect()
		confirm(hub, at(100))

		again := connect(t, hub, c.position())
		synctest.Wait()
		require.True(t, again.resumed())
		deliver(t, hub, socketID, 101, 102)
		synctest.Wait()
		requireNumbers(t, again.heard(), 101, 102)
		before := at(99)
		late := connect(t, hub, &before)
		synctest.Wait()
		require.False(t, late.resumed(), "the client has said that more has arrived")
		require.Empty(t, ended.of(socketID))
		late.disconnect()
		again.disconnect()
	})
}

// An event may have arrived before the server has noted that it was written.
func TestAClientMayConfirmWhatIsStillBeingWritten(t *testing.T) {
	onlyAlone(t)
	inBubbleWithin(t, 1<<30, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, account *budget.Budget) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID, first, idle := c.socketID(), *c.position(), account.Used()
		first.Sequence = 1
		release := c.stall()
		deliver(t, hub, socketID, 1, 1)
		synctest.Wait()
		confirm(hub, first)
		require.Equal(t, idle, account.Used())
		release()
		deliver(t, hub, socketID, 2, 3)
		synctest.Wait()
		requireNumbers(t, c.heard(), 1, 3)
		c.disconnect()
	})
}

// Two programs may use the session of one client. If the reader is behind the program that
// confirms, the reader still receives all that it asked for.
func TestNobodyConfirmsWhatThePresentReaderIsYetToBring(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		socketID, beginning := c.socketID(), c.position()
		long := fmt.Appendf(nil, `{"type":"signal","data":%q}`, strings.Repeat("x", 100<<10))
		for range 3 {
			require.NoError(t, hub.Deliver(socketID, "signal", long))
		}
		synctest.Wait()
		require.Equal(t, 3, len(c.heard()))
		arrived := c.position()

		var release func()
		behind := connectTo(t, hub, beginning, httptest.NewRequest(http.MethodGet, "/events", nil), func(c *client) { release = c.stall() })
		synctest.Wait()
		confirm(hub, *arrived)
		release()
		synctest.Wait()
		require.True(t, behind.resumed())
		require.Equal(t, 3, len(behind.heard()))
		behind.disconnect()
	})
}

// confirm confirms a position, if its socket lives.
func confirm(hub *sse.Hub, position sse.EventID) {
	if r, lives := hub.Authenticate(position.Token); lives {
		r.Tell(r.Confirms(position))
	}
}
