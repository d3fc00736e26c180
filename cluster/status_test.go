package cluster_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// view is what GET /cluster answers.
type view struct {
	Node     string
	Ready    bool
	Reason   string
	Position uint64
	Lag      uint64
	Nodes    []struct {
		Name           string
		Lost           bool
		Silence        float64
		Streams, Polls int
	}
}

func (n *node) view(t *testing.T) (v view) {
	t.Helper()
	status, body := n.get("/cluster")
	require.Equal(t, 200, status)
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	return v
}

// tells returns which nodes there are, with what they serve, as a node sees it.
func (n *node) tells(t *testing.T) (all []string) {
	for _, one := range n.view(t).Nodes {
		what := fmt.Sprintf("%s %d", one.Name, one.Streams)
		if one.Lost {
			what += " lost"
		}
		all = append(all, what)
	}
	return all
}

// soon requires that something becomes true. In fake time a minute costs nothing.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(100 * time.Millisecond) {
		require.Less(t, time.Since(began), time.Minute, what)
	}
}

// metric returns the value of a metric of a node, or -1.
func (n *node) metric(t *testing.T, name string) float64 {
	_, body := n.get("/metrics")
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if match == nil {
		return -1
	}
	value, err := strconv.ParseFloat(match[1], 64)
	require.NoError(t, err)
	return value
}

func TestEachNodeTellsOfAll(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		for range 6 {
			one := c.call("room")
			go one.listen() // ends with the client
			t.Cleanup(func() { _ = one.Close() })
			require.NoError(t, one.Join(t.Context(), "room", "user"))
		}
		all := c.list()
		tell := func(want ...string) func() bool {
			return func() bool {
				for _, n := range c.list() {
					if fmt.Sprint(n.tells(t)) != fmt.Sprint(want) {
						return false
					}
				}
				return true
			}
		}
		streams := func(n *node) string { return fmt.Sprint(n.metric(t, `signaling_streams{transport="stream"}`)) }
		soon(t, "all nodes tell of six streams", func() bool {
			return tell("n1 "+streams(all[0]), "n2 "+streams(all[1]), "n3 "+streams(all[2]))() &&
				all[0].metric(t, `signaling_streams{transport="stream"}`)+all[1].metric(t, `signaling_streams{transport="stream"}`)+
					all[2].metric(t, `signaling_streams{transport="stream"}`) == 6
		})
		joined := 0
		for _, n := range all {
			joined += n.log.count("room joined")
		}
		require.Equal(t, 6, joined, "one node logs what all apply")
		leaver := c.call("another")
		go leaver.listen() // ends with the client
		require.NoError(t, leaver.Join(t.Context(), "another", "user"))
		require.NoError(t, leaver.Close())
		for _, n := range all {
			soon(t, "seven sockets were opened and one has ended", func() bool {
				active, _, total := n.server.Hub().Counts()
				return active == 6 && total == 7
			})
		}
		ended := func() (sum float64) {
			for _, n := range all {
				sum += n.metric(t, `signaling_sockets_ended_total{reason="client disconnect"}`)
			}
			return sum
		}
		soon(t, "a node counts it", func() bool { return ended() > 0 })
		require.Equal(t, 1.0, ended(), "one node counts what all apply")
		time.Sleep(c.times.Snapshot)
		soon(t, "the first node has taken a snapshot", func() bool { return all[0].metric(t, "signaling_cluster_snapshot_bytes") > 100 })
		require.Negative(t, all[1].metric(t, "signaling_cluster_snapshot_bytes"))
		for _, n := range all {
			require.Positive(t, n.metric(t, "signaling_cluster_append_seconds_count"))
			require.Positive(t, n.metric(t, "signaling_cluster_record_commands_sum"))
		}

		c.kill(all[2])
		soon(t, "n3 is lost", func() bool {
			seen := all[0].view(t).Nodes
			return len(seen) == 3 && seen[2].Lost && seen[2].Silence >= c.times.LostAfter.Seconds()
		})
		soon(t, "its clients are elsewhere", func() bool {
			return all[0].metric(t, `signaling_streams{transport="stream"}`)+all[1].metric(t, `signaling_streams{transport="stream"}`) == 6
		})
		require.Equal(t, 1.0, all[0].metric(t, `signaling_cluster_nodes{state="lost"}`))
		back := c.start("n3")
		for _, n := range all[:2] {
			soon(t, "n3 is back", func() bool { return n.log.count(`"a node is back" n=`+n.name+` node=n3`) == 1 })
			require.Equal(t, 1, n.log.count("a node is lost"))
			require.False(t, n.view(t).Nodes[2].Lost)
		}
		require.Zero(t, back.log.count("a node is"), "what happened before it joined is not news")

		c.forget(back)
		back.leave()
		for _, n := range all[:2] {
			soon(t, "n3 has left", func() bool { return n.log.count("a node has left") == 1 })
			require.Equal(t, 1, n.log.count("a node is lost"))
		}
	})
}

// A node says why it is not ready, and logs it once.
func TestANodeSaysWhyItIsNotReady(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		all := c.list()
		says := func(n *node, why string) func() bool {
			return func() bool {
				status, body := n.get("/readyz")
				return status == 503 && regexp.MustCompile(`"detail":"This node does not serve: `+why+`\."`).MatchString(body) && !n.view(t).Ready
			}
		}
		all[1].link.SetCut(true)
		soon(t, "n2 is cut off", says(all[1], "it does not reach the engine"))
		soon(t, "n2 is lost", func() bool { return all[0].log.count("a node is lost") == 1 })
		require.Positive(t, all[1].metric(t, "signaling_cluster_append_failures_total"))
		require.Zero(t, all[1].metric(t, "signaling_cluster_engine_reached"))
		require.Equal(t, 1, all[1].log.count("level=WARN"))
		all[1].link.SetCut(false)
		soon(t, "n2 is back", all[1].isReady)

		c.engine.SetDown(true)
		late := c.begin("n4")
		t.Cleanup(late.leave)
		soon(t, "n4 waits", says(late, "it waits for the engine"))
		soon(t, "n4 warns", func() bool { return late.log.count("level=WARN") > 0 })
		for _, n := range all {
			soon(t, "the engine is away", says(n, "it does not reach the engine"))
		}
		time.Sleep(12 * time.Second) // it has asked again by now
		require.Equal(t, 1, late.log.count("level=WARN"), "the wait is logged once")
		c.engine.SetDown(false)
		soon(t, "n4 serves", late.isReady)
	})
}

// All parts of a cluster may start at the same time.
func TestANodeDoesNotComplainOfAnEngineThatStartsWithIt(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		c.engine.SetDown(true)
		n := c.begin("n4")
		t.Cleanup(n.leave)
		time.Sleep(2 * time.Second) // the first attempt is lost
		c.engine.SetDown(false)
		soon(t, "n4 serves", n.isReady)
		require.Zero(t, n.log.count("level=WARN"))
	})
}

// It stops while it takes a snapshot.
func TestANodeThatStopsDoesNotComplainOfItsSnapshot(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t, func(c *nodes) { c.times.Snapshot = time.Second })
		n := c.list()[0]
		soon(t, "it takes snapshots", func() bool { return c.engine.SnapshotAt() > 0 })
		c.engine.SetDown(true)
		time.Sleep(1500 * time.Millisecond)
		c.forget(n)
		n.leave()
		require.Zero(t, n.log.count("no snapshot of the state was taken"))
	})
}

func TestANodeThatStopsDoesNotComplainOfTheEngine(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		c.engine.SetDown(true)
		n := c.begin("n4")
		soon(t, "n4 warns", func() bool { return n.log.count("level=WARN") > 0 })
		n.leave()
		require.Equal(t, 1, n.log.count("level=WARN"))
	})
}
