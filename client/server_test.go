package client_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/httpapi/httpapitest"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// patience is how long a test waits for something that should come at once.
const patience = 20 * time.Second

// testServer is a server on a loopback port. It makes bots for a test.
type testServer struct{ *httpapitest.Server }

func newServer(t *testing.T, options sse.Options) testServer {
	return testServer{httpapitest.Start(t, signaling.Parts{SSE: options})}
}

// bot is a client that keeps its events and errors until the test asks for them.
type bot struct {
	*client.Client
	t      *testing.T
	events chan client.Event
	errs   chan error
}

// dial returns a bot that ends with the test.
func (s testServer) dial(t *testing.T, options client.Options) *bot {
	t.Helper()
	c, err := options.Dial(t.Context(), s.URL)
	require.NoError(t, err)
	b := &bot{c, t, make(chan client.Event, 4096), make(chan error, 4096)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(b.events)
		for event, err := range c.Events() {
			if err != nil {
				b.errs <- err
				continue
			}
			b.events <- event
		}
	})
	t.Cleanup(func() {
		_ = c.Close() // the test may have closed it, or ended its socket
		reading.Wait()
	})
	next[client.ConnectedEvent](b)
	return b
}

func (b *bot) send(m client.Message) {
	b.t.Helper()
	require.NoError(b.t, b.Send(b.t.Context(), m))
}

func (b *bot) join(roomID, userID string) client.RoomJoinedEvent {
	b.t.Helper()
	require.NoError(b.t, b.Join(b.t.Context(), roomID, userID))
	return next[client.RoomJoinedEvent](b)
}

// next returns the next event of the bot, which must be of this type.
func next[E client.Event](b *bot) E {
	b.t.Helper()
	select {
	case event, open := <-b.events:
		require.True(b.t, open, "the events have ended")
		require.IsType(b.t, *new(E), event)
		return event.(E)
	case <-time.After(patience):
		require.Fail(b.t, "no event")
		panic("unreachable")
	}
}

// ended fails if the bot gets another event before its events end.
func (b *bot) ended() {
	b.t.Helper()
	select {
	case event, open := <-b.events:
		require.False(b.t, open, "instead of the end: %v", event)
	case <-time.After(patience):
		require.Fail(b.t, "the events do not end")
	}
}
