package cluster_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/internal/clustertest"
	"signaling-server/rooms"
	"signaling-server/server"
)

// A node stops with a sentence when it meets what it must not guess.
func TestANodeStopsAt(t *testing.T) {
	type meet = func(link *clustertest.Link) error
	record := func(text string) meet {
		return func(link *clustertest.Link) error {
			_, err := link.Append(t.Context(), "other/1/1", []byte(text))
			return err
		}
	}
	snapshot := func(link *clustertest.Link) error { return link.PutSnapshot(t.Context(), 1, []byte("\xff")) }
	for name, row := range map[string]struct {
		meets meet
		says  string
	}{
		"a record of another version":   {record("\xff"), "record 1 was written by another version of this server, which this one cannot run beside: see the release notes"},
		"a record that is cut off":      {record("\x01"), "record 1 of the log cannot be read"},
		"a snapshot of another version": {snapshot, "the newest snapshot was written by another version of this server, which this one cannot run beside: see the release notes"},
	} {
		t.Run(name, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				link := &clustertest.Link{Engine: clustertest.NewEngine()}
				require.NoError(t, row.meets(link))
				joined, err := server.Join(server.Parts{
					API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
					Cluster: &cluster.Options{Name: "n1", Engine: link, Times: cluster.DefaultTimes()},
				})
				require.NoError(t, err)
				require.ErrorContains(t, joined.Run(t.Context()), row.says)
			})
		})
	}
}

// Two nodes have one name: the older node stops, and says why.
func TestTwoNodesMustNotHaveOneName(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		engine := clustertest.NewEngine()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		failed := make(chan error, 2)
		for range 2 {
			joined, err := server.Join(server.Parts{
				API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
				Cluster: &cluster.Options{Name: "n1", Engine: &clustertest.Link{Engine: engine}, Times: cluster.DefaultTimes()},
			})
			require.NoError(t, err)
			go func() { failed <- joined.Run(ctx) }()
			soon(t, "it serves", (&node{server: joined}).isReady)
		}
		require.EqualError(t, <-failed, `another node has the name "n1": give each node a name of its own (NODE_NAME)`)
		cancel()
		require.NoError(t, <-failed)
	})
}

// Two nodes have different limits: their states would differ, so the younger node stops. A node that
// starts again is younger than those that went on, although they know its name.
func TestNodesMustHaveTheSameSettings(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		engine := clustertest.NewEngine()
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		start := func(ctx context.Context, name string, members int) chan error {
			joined, err := server.Join(server.Parts{
				Rooms:   rooms.Options{Members: members},
				API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
				Cluster: &cluster.Options{Name: name, Engine: &clustertest.Link{Engine: engine}, Times: cluster.DefaultTimes(), Logger: new(logged).logger(name)},
			})
			require.NoError(t, err)
			failed := make(chan error, 1)
			go func() { failed <- joined.Run(ctx) }()
			soon(t, "it serves, or ends", func() bool { return (&node{server: joined}).isReady() || len(failed) > 0 })
			return failed
		}
		const says = "so their states would differ: give all nodes the same settings"
		first, stopFirst := context.WithCancel(ctx)
		replaced := start(first, "n1", 10)
		same := start(ctx, "n2", 10)
		require.ErrorContains(t, <-start(ctx, "n3", 11), says)
		stopFirst()
		require.NoError(t, <-replaced)
		require.ErrorContains(t, <-start(ctx, "n1", 11), says)
		time.Sleep(5 * time.Second)
		require.Empty(t, same, "a node that is replaced by a wrong one stops no other")
		cancel()
		require.NoError(t, <-same)
	})
}

// An operator deletes the log while a node runs, or NATS loses its end. The node stops, since its
// state is that of another log.
func TestANodeStopsIfTheLogIsAnother(t *testing.T) {
	start := func(ctx context.Context, t *testing.T, name string, link *clustertest.Link) chan error {
		joined, err := server.Join(server.Parts{
			API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
			Cluster: &cluster.Options{Name: name, Engine: link, Times: cluster.DefaultTimes()},
		})
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() { failed <- joined.Run(ctx) }()
		soon(t, "it serves, or ends", func() bool { return (&node{server: joined}).isReady() || len(failed) > 0 })
		return failed
	}
	const says = "the log of the cluster is not the log that this node has applied"
	for name, forget := range map[string]func(*testing.T, *clustertest.Engine, *clustertest.Link){
		"it was deleted": func(t *testing.T, e *clustertest.Engine, link *clustertest.Link) {
			link.SetCut(true) // until the new log is longer than what the node has applied
			length := e.Length()
			e.Truncate(0)
			ctx, cancel := context.WithCancel(t.Context())
			other := start(ctx, t, "n2", &clustertest.Link{Engine: e})
			soon(t, "the log goes on", func() bool { return e.Length() > length+3 })
			link.SetCut(false)
			time.Sleep(5 * cluster.DefaultTimes().Alive) // it appends to the new log before it stops
			require.Empty(t, other, "the node of the new log goes on")
			cancel()
			require.NoError(t, <-other)
		},
		"it has lost its end": func(_ *testing.T, e *clustertest.Engine, _ *clustertest.Link) { e.Truncate(e.Length() - 3) },
	} {
		t.Run(name, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				engine := clustertest.NewEngine()
				link := &clustertest.Link{Engine: engine}
				failed := start(t.Context(), t, "n1", link)
				soon(t, "the log goes on", func() bool { return engine.Length() > 5 })
				forget(t, engine, link)
				require.ErrorContains(t, <-failed, says)
			})
		})
	}
	t.Run("a snapshot is newer than the log", func(t *testing.T) {
		inFakeTime(t, func(t *testing.T) {
			engine := clustertest.NewEngine()
			first, stop := context.WithCancel(t.Context())
			failed := start(first, t, "n1", &clustertest.Link{Engine: engine})
			soon(t, "there is a snapshot", func() bool { return engine.SnapshotAt() > 3 })
			stop()
			require.NoError(t, <-failed)
			engine.Truncate(2)
			require.ErrorContains(t, <-start(t.Context(), t, "n1", &clustertest.Link{Engine: engine}), says)
		})
	})
}
