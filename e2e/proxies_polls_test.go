package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// openByPoll opens a socket, and returns its ID as well.
func openByPoll(t *testing.T, w way) (p *poller, socketID string) {
	t.Helper()
	p = &poller{t: t, client: &http.Client{Transport: w.transport(t)}, url: w.url}
	got := p.poll(25)
	require.Len(t, got.Events, 1)
	require.Equal(t, "connected", got.Events[0].Type)
	p.token = got.Events[0].Token
	require.Equal(t, p.token+".0", got.LastEventID)
	return p, got.Events[0].SocketID
}

// requireSignals makes sure that the answer contains exactly these numbers.
func (got polled) requireSignals(t *testing.T, from, to int) {
	t.Helper()
	require.Len(t, got.Events, to-from+1)
	for i, e := range got.Events {
		require.Equal(t, "signal", e.Type)
		require.Equal(t, fmt.Sprint(from+i), string(e.Data))
	}
}

// polling measures three polls. Something happens during the first one, and nothing
// during the others. All proxies keep a request open for 45 s.
func (c *proxyCheck) polling(t *testing.T) {
	long(t)
	p, _ := openByPoll(t, c.way)
	posted := later(time.Second, func() error {
		return post(t.Context(), p.client, p.url, p.token, fields{"type": "ping"})
	})
	started := time.Now()
	got := p.poll(25)
	took := time.Since(started)
	require.NoError(t, <-posted)
	require.Len(t, got.Events, 1)
	require.Equal(t, "pong", got.Events[0].Type)
	require.Less(t, took, 25*time.Second, "the pong, and not the end of the wait, is answered")
	p.after = sequence(got.LastEventID)

	for _, wait := range []int{25, 45} {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		started := time.Now()
		got, err := p.tryPoll(ctx, wait)
		cancel()
		require.NoError(t, err, "a poll that waits %d s", wait)
		require.Empty(t, got.Events)
		require.GreaterOrEqual(t, time.Since(started), time.Duration(wait)*time.Second)
	}
	c.row.set(polling, "✓ %d ms", (took - time.Second).Milliseconds())
}

// resumeByPolls loses an answer, gives up a poll, and changes to a stream. The signals
// that are sent meanwhile arrive once and in order.
func (c *proxyCheck) resumeByPolls(t *testing.T) {
	sender := c.connect(t, "sender")
	receiver, id := openByPoll(t, c.way)
	receiver.post(fields{"type": "join-room", "roomId": roomOf(t), "userId": "receiver"})
	got := receiver.poll(25)
	require.Len(t, got.Events, 1)
	require.Equal(t, "room-joined", got.Events[0].Type)
	receiver.after = sequence(got.LastEventID)

	for n := range 5 {
		sender.signal(id, n)
	}
	for range 2 {
		got = receiver.poll(25)
		got.requireSignals(t, 0, 4)
	}
	receiver.after = sequence(got.LastEventID)

	impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
	_, err := receiver.tryPoll(impatient, 25)
	cancel()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for n := range 5 {
		sender.signal(id, 5+n)
	}
	got = receiver.poll(25)
	got.requireSignals(t, 5, 9)

	sender.signal(id, 10)
	var types []string
	err = readStream(bounded(t), receiver.client, http.MethodGet, receiver.url+"/events?lastEventId="+got.LastEventID, func(e event) bool {
		types = append(types, e.Type)
		if e.Type == "connected" {
			var hello struct{ Resumed bool }
			e.decode(t, &hello)
			require.True(t, hello.Resumed)
		}
		return e.Type != "signal"
	})
	require.NoError(t, err)
	require.Equal(t, []string{"connected", "heartbeat", "signal"}, types)
}
