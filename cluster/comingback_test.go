package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node is cut off for so long that the log forgets what the node must apply next. It begins
// anew with a snapshot, and serves all that the others serve.
func TestANodeThatWasCutOffForTooLongBeginsAnew(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t, func(c *nodes) { c.times.Snapshot, c.times.KeepLog = 500*time.Millisecond, 2*time.Second })
		storm(t, c, 5, 20*time.Second, func(ctx context.Context) {
			n := c.list()[2]
			n.link.SetCut(true)
			soon(t, "the node is out", func() bool { return !n.isReady() })
			at := c.engine.Forgotten()
			soon(t, "the log forgets", func() bool { return c.engine.Forgotten() > at+100 })
			n.link.SetCut(false)
			soon(t, "the node is back", n.isReady)
			require.Positive(t, n.log.count("this node begins with a snapshot"))
			<-ctx.Done()
		})
		c.requireEqual()
	})
}

// As before, but a record of the node arrived when its link was cut. The node hears of that only when
// it has begun anew, with a snapshot that has the record.
func TestANodeThatBeginsAnewHearsLateOfItsOwnRecord(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		var isFragile atomic.Bool // the link is cut when the next record of n3 arrives
		var isMute atomic.Bool    // the engine does not answer n3's appends
		c := newNodes(t, func(c *nodes) {
			c.times.Snapshot, c.times.KeepLog = 500*time.Millisecond, 2*time.Second
			c.arrives = func(n *node, isRepeat bool) (isAnswered bool) {
				if n.name != "n3" {
					return true
				}
				if isFragile.CompareAndSwap(true, false) {
					isMute.Store(true)
					n.link.SetCut(true)
				}
				return !isMute.Load()
			}
		})
		storm(t, c, 5, 20*time.Second, func(ctx context.Context) {
			n := c.list()[2]
			isFragile.Store(true)
			soon(t, "the node is out", func() bool { return !n.isReady() })
			at := c.engine.Forgotten()
			soon(t, "the log forgets", func() bool { return c.engine.Forgotten() > at+100 })
			n.link.SetCut(false)
			soon(t, "the node has begun anew", func() bool { return n.log.count("this node begins with a snapshot") > 0 })
			isMute.Store(false)
			soon(t, "the node is back", n.isReady)
			<-ctx.Done()
		})
		c.requireEqual()
	})
}

// A node that stops says so: what it has served is detached at once.
func TestANodeThatStopsLeaves(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t, func(c *nodes) { c.times.LostAfter = time.Minute })
		n := c.list()[0]
		answer, err := c.http.Get(c.at(n) + "/events")
		require.NoError(t, err)
		defer answer.Body.Close()
		require.Equal(t, http.StatusOK, answer.StatusCode)

		c.forget(n)
		n.leave()
		soon(t, "its client is away", func() bool {
			_, away, _ := c.list()[0].server.Hub().Counts()
			return away == 1
		})
	})
}

// While a node asks where the log ends, others append, and it hears of that before the answer.
func TestNodesJoinWhileOthersAppend(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t, func(c *nodes) { c.delay = 100 * time.Millisecond })
		storm(t, c, 5, 20*time.Second, func(ctx context.Context) {
			for i := range 5 {
				c.kill(c.start(fmt.Sprint("late", i)))
			}
			<-ctx.Done()
		})
		c.requireEqual()
	})
}
