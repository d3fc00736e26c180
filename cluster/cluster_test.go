package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/internal/clustertest"
	"signaling-server/server"
)

// caller is one of two clients in a room. Each sends numbers to the other.
type caller struct {
	*client.Client
	room     string
	peer     atomic.Pointer[string] // the socket ID of the other
	accepted atomic.Int64           // the highest number that was accepted
	heard    atomic.Int64           // the highest number that was heard
	wrong    atomic.Pointer[string] // the first promise that was broken
	opened   atomic.Int64           // sockets
}

// call lets a client connect for a room.
func (c *nodes) call(room string) *caller {
	connected, err := client.Options{HTTP: c.http}.Dial(c.t.Context(), theCluster)
	require.NoError(c.t, err)
	return &caller{Client: connected, room: room}
}

func (c *caller) breaks(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.wrong.CompareAndSwap(nil, &text)
}

// listen reads events until the client ends.
func (c *caller) listen() {
	for event, err := range c.Events() {
		if err != nil {
			continue
		}
		switch e := event.(type) {
		case client.ConnectedEvent:
			if c.opened.Add(1) > 1 {
				c.breaks("%s lost its socket", c.room)
			}
		case client.RoomJoinedEvent:
			for _, u := range e.Users {
				if u.SocketID != c.SocketID() {
					c.peer.Store(&u.SocketID)
				}
			}
		case client.UserConnectedEvent:
			c.peer.Store(&e.SocketID)
		case client.UserDisconnectedEvent:
			c.breaks("%s heard that its peer has gone: %s", c.room, e.Reason)
		case client.SignalEvent:
			n, _ := strconv.ParseInt(string(e.Data), 10, 64)
			if want := c.heard.Load() + 1; n != want {
				c.breaks("%s heard %v in place of %d", c.room, n, want)
			}
			c.heard.Store(n)
		}
	}
}

// send sends numbers until ctx ends, and then until the last is accepted or refused for good.
func (c *caller) send(ctx context.Context) {
	for n := int64(1); ctx.Err() == nil; n++ {
		peer := c.peer.Load()
		if peer == nil {
			n--
			time.Sleep(time.Millisecond)
			continue
		}
		within, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		err := c.Send(within, client.SignalMessage{Target: *peer, Data: n})
		cancel()
		if err != nil {
			c.breaks("%s could not send %d: %v", c.room, n, err)
			return
		}
		c.accepted.Store(n)
		time.Sleep(rand.N(pause))
	}
}

// pause is how long a caller waits at most before it sends the next number.
const pause = 200 * time.Millisecond

// storm lets pairs call each other while faults does harm, and requires that all that was
// accepted has arrived, once and in order.
func storm(t *testing.T, c *nodes, pairs int, lasts time.Duration, faults func(ctx context.Context)) {
	var listening, calling sync.WaitGroup
	var all []*caller
	for i := range pairs {
		room := fmt.Sprintf("room%d", i)
		for range 2 {
			one := c.call(room)
			all = append(all, one)
			listening.Go(one.listen)
			require.NoError(t, one.Join(t.Context(), room, "user"))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	for _, one := range all {
		calling.Go(func() { one.send(ctx) })
	}
	faults(ctx)
	calling.Wait()
	total := int64(0)
	for i, one := range all {
		other := all[i^1]
		arrives := func() bool { return one.heard.Load() == other.accepted.Load() || one.wrong.Load() != nil }
		soon(t, fmt.Sprintf("%s: all that was accepted arrives", one.room), arrives)
		if wrong := one.wrong.Load(); wrong != nil {
			require.Fail(t, *wrong)
		}
		total += one.heard.Load()
	}
	t.Logf("%d events were accepted, and arrived once and in order", total)
	require.Greater(t, total, int64(pairs))
	for _, one := range all {
		_ = one.Close()
	}
	listening.Wait()
}

func nothing(ctx context.Context) { <-ctx.Done() }

func TestThreeNodesAreOneServer(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		storm(t, c, 5, 10*time.Second, nothing)
		c.requireEqual()
	})
}

// requireEqual requires that all nodes list the same.
func (c *nodes) requireEqual() {
	c.t.Helper()
	soon(c.t, "all nodes count the same", func() bool {
		var seen []string
		for _, n := range c.list() {
			active, away, total := n.server.Hub().Counts()
			seen = append(seen, fmt.Sprint(active, away, total))
		}
		return strings.Count(strings.Join(seen, "|"), seen[0]) == len(seen)
	})
}

// A node is killed, and comes back, again and again.
func TestNodesMayBeKilled(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		storm(t, c, 5, 30*time.Second, func(ctx context.Context) {
			for ctx.Err() == nil {
				all := c.list()
				n := all[rand.IntN(len(all))]
				c.kill(n)
				time.Sleep(time.Second + rand.N(10*time.Second))
				c.start(n.name)
				time.Sleep(2 * time.Second)
			}
		})
		c.requireEqual()
	})
}

// Answers to appends are lost, and copies of records are lost, doubled and late.
func TestCopiesAndAnswersMayBeLost(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t, func(c *nodes) { c.lossy, c.delay = 4, 3*time.Millisecond })
		storm(t, c, 5, 20*time.Second, nothing)
		c.requireEqual()
	})
}

// Nodes are cut off from the engine, one after the other.
func TestNodesMayBeCutOff(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		storm(t, c, 5, 30*time.Second, func(ctx context.Context) {
			for ctx.Err() == nil {
				all := c.list()
				n := all[rand.IntN(len(all))]
				n.link.SetCut(true)
				time.Sleep(rand.N(12 * time.Second))
				n.link.SetCut(false)
				time.Sleep(3 * time.Second)
			}
		})
		c.requireEqual()
	})
}

// The engine is away for longer than any window, and nobody loses anything.
func TestTheEngineMayBeAway(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		storm(t, c, 5, time.Minute, func(ctx context.Context) {
			time.Sleep(5 * time.Second)
			c.engine.SetDown(true)
			time.Sleep(2 * c.times.UnknownIn) // so clients repeat their POSTs
			c.engine.SetDown(false)
			<-ctx.Done()
		})
		c.requireEqual()
	})
}

// A node may be stopped at any moment of its start, and ends. Real time passes here: fake time would
// stop it only while it waits.
func TestANodeThatIsStoppedEnds(t *testing.T) {
	t.Parallel()
	engine := clustertest.NewEngine()
	for range 300 {
		joined, err := server.Join(server.Parts{
			API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
			Cluster: &cluster.Options{Name: "n1", Engine: &clustertest.Link{Engine: engine}, Times: cluster.DefaultTimes()},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(400*time.Microsecond))
		require.NoError(t, joined.Run(ctx))
		cancel()
	}
}
