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
	t.Parallel()
	engineWith := func(record string) *clustertest.Engine {
		engine := clustertest.NewEngine()
		_, err := (&clustertest.Link{Engine: engine}).Append(t.Context(), "other/1/1", []byte(record))
		require.NoError(t, err)
		return engine
	}
	withSnapshot := clustertest.NewEngine()
	require.NoError(t, (&clustertest.Link{Engine: withSnapshot}).PutSnapshot(t.Context(), 1, []byte("\xff")))
	for name, row := range map[string]struct {
		engine *clustertest.Engine
		says   string
	}{
		"a record of another version":   {engineWith("\xff"), "record 1 was written by another version of this server, which this one cannot run beside: see the release notes"},
		"a record that is cut off":      {engineWith("\x01"), "record 1 of the log cannot be read"},
		"a snapshot of another version": {withSnapshot, "the newest snapshot was written by another version of this server, which this one cannot run beside: see the release notes"},
	} {
		t.Run(name, func(t *testing.T) {
			joined, err := server.Join(server.Parts{
				API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
				Cluster: &cluster.Options{Name: "n1", Engine: &clustertest.Link{Engine: row.engine}, Times: quick},
			})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			require.ErrorContains(t, joined.Run(ctx), row.says)
		})
	}
}

// Two nodes have one name: the older node stops, and says why.
func TestTwoNodesMustNotHaveOneName(t *testing.T) {
	t.Parallel()
	engine := clustertest.NewEngine()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	failed := make(chan error, 2)
	for range 2 {
		joined, err := server.Join(server.Parts{
			API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
			Cluster: &cluster.Options{Name: "n1", Engine: &clustertest.Link{Engine: engine}, Times: quick},
		})
		require.NoError(t, err)
		go func() { failed <- joined.Run(ctx) }()
		require.Eventually(t, func() bool { return (&node{server: joined}).isReady() }, 5*time.Second, 5*time.Millisecond)
	}
	require.EqualError(t, <-failed, `another node has the name "n1": give each node a name of its own (NODE_NAME)`)
	cancel()
	require.NoError(t, <-failed)
}

// Two nodes have different limits: their states would differ, so the younger node stops.
func TestNodesMustHaveTheSameSettings(t *testing.T) {
	t.Parallel()
	engine := clustertest.NewEngine()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	start := func(name string, members int) chan error {
		joined, err := server.Join(server.Parts{
			Rooms:   rooms.Options{Members: members},
			API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
			Cluster: &cluster.Options{Name: name, Engine: &clustertest.Link{Engine: engine}, Times: quick, Logger: new(logged).logger(name)},
		})
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() { failed <- joined.Run(ctx) }()
		require.Eventually(t, func() bool { return (&node{server: joined}).isReady() || len(failed) > 0 }, 5*time.Second, 5*time.Millisecond)
		return failed
	}
	older := start("n1", 10)
	same := start("n2", 10)
	require.ErrorContains(t, <-start("n3", 11), "so their states would differ: give all nodes the same settings")
	cancel()
	require.NoError(t, <-older)
	require.NoError(t, <-same)
}

// An operator deletes the log while a node runs, or NATS loses its end. The node stops, since its
// state is that of another log.
func TestANodeStopsIfTheLogIsAnother(t *testing.T) {
	t.Parallel()
	start := func(ctx context.Context, name string, link *clustertest.Link) chan error {
		joined, err := server.Join(server.Parts{
			API:     httpapi.Options{Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
			Cluster: &cluster.Options{Name: name, Engine: link, Times: quick},
		})
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() { failed <- joined.Run(ctx) }()
		require.Eventually(t, func() bool { return (&node{server: joined}).isReady() || len(failed) > 0 }, 10*time.Second, 5*time.Millisecond)
		return failed
	}
	const says = "the log of the cluster is not the log that this node has applied"
	for name, forget := range map[string]func(*clustertest.Engine, *clustertest.Link){
		"it was deleted": func(e *clustertest.Engine, link *clustertest.Link) {
			link.SetCut(true) // until the new log is longer than what the node has applied
			length := e.Length()
			e.Truncate(0)
			ctx, cancel := context.WithCancel(t.Context())
			other := start(ctx, "n2", &clustertest.Link{Engine: e})
			require.Eventually(t, func() bool { return e.Length() > length+3 }, 20*time.Second, 5*time.Millisecond)
			link.SetCut(false)
			time.Sleep(5 * quick.Alive) // it appends to the new log before it stops
			require.Empty(t, other, "the node of the new log goes on")
			cancel()
			require.NoError(t, <-other)
		},
		"it has lost its end": func(e *clustertest.Engine, _ *clustertest.Link) { e.Truncate(e.Length() - 3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := clustertest.NewEngine()
			link := &clustertest.Link{Engine: engine}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			failed := start(ctx, "n1", link)
			require.Eventually(t, func() bool { return engine.Length() > 5 }, 10*time.Second, 5*time.Millisecond)
			forget(engine, link)
			require.ErrorContains(t, <-failed, says)
		})
	}
	t.Run("a snapshot is newer than the log", func(t *testing.T) {
		engine := clustertest.NewEngine()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		first, stop := context.WithCancel(ctx)
		defer cancel()
		failed := start(first, "n1", &clustertest.Link{Engine: engine})
		require.Eventually(t, func() bool { return engine.SnapshotAt() > 3 }, 10*time.Second, 5*time.Millisecond)
		stop()
		require.NoError(t, <-failed)
		engine.Truncate(2)
		require.ErrorContains(t, <-start(ctx, "n1", &clustertest.Link{Engine: engine}), says)
	})
}
