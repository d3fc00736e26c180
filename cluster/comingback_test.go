package cluster_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node is cut off for so long that the log forgets what the node must apply next. It begins
// anew with a snapshot, and serves all that the others serve.
func TestANodeThatWasCutOffForTooLongBeginsAnew(t *testing.T) {
	t.Parallel()
	c := newNodes(t, func(c *nodes) { c.times.Snapshot, c.times.KeepLog = 50*time.Millisecond, 200*time.Millisecond })
	storm(t, c, 5, 5*time.Second, func(ctx context.Context) {
		n := c.list()[2]
		n.link.SetCut(true)
		require.Eventually(t, func() bool { return !n.isReady() }, 5*time.Second, 5*time.Millisecond)
		at := c.engine.Forgotten()
		require.Eventually(t, func() bool { return c.engine.Forgotten() > at+100 }, 20*time.Second, 5*time.Millisecond)
		n.link.SetCut(false)
		require.Eventually(t, func() bool { return n.isReady() }, 5*time.Second, 5*time.Millisecond)
		<-ctx.Done()
	})
	c.requireEqual()
}

// A node that stops says so: what it has served is detached at once.
func TestANodeThatStopsLeaves(t *testing.T) {
	t.Parallel()
	c := newNodes(t, func(c *nodes) { c.times.LostAfter = time.Minute })
	n := c.list()[0]
	own := httptest.NewServer(n.server.Handler())
	defer own.Close()
	answer, err := http.Get(own.URL + "/events")
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)

	c.forget(n)
	n.leave()
	require.Eventually(t, func() bool {
		_, away, _ := c.list()[0].server.Hub().Counts()
		return away == 1
	}, 5*time.Second, 10*time.Millisecond)
}
