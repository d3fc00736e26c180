package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/e2e/fleet"
)

// builtNATS is the NATS server, in the version that go.mod pins.
var builtNATS = binary{folder: ".", program: fleet.Engine, lean: true}

// startFleet starts three nodes as one server for this test. When the test is over, each node
// must end well, and none may have logged an error or a race.
func startFleet(t *testing.T, answered func(fleet.Answer), settings ...string) *fleet.Fleet {
	t.Helper()
	server, err := builtServer.build()
	require.NoError(t, err, "building the server")
	nats, err := builtNATS.build()
	require.NoError(t, err, "building the NATS server")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	folder := t.TempDir()
	if kept := os.Getenv("CLUSTER_REPORTS"); kept != "" {
		folder = filepath.Join(kept, t.Name())
		require.NoError(t, errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)))
	}
	f, err := fleet.Start(ctx, fleet.Options{Server: server, NATS: nats, Folder: folder, Settings: settings, Answered: answered})
	require.NoError(t, err, "starting the fleet")
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("the fleet did not end well: %v", err)
		}
		for _, node := range f.Nodes {
			if log := node.Log(); strings.Contains(log, " ERR ") || strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
				t.Errorf("%s logged an error", node.Name)
			}
		}
		if t.Failed() {
			for _, p := range append(f.Nodes, f.Servers...) {
				log := strings.Split(p.Log(), "\n")
				t.Logf("end of the log of %s:\n%s", p.Name, strings.Join(log[max(0, len(log)-50):], "\n"))
			}
		}
	})
	return f
}

// awaitFleet waits until all of a fleet is ready.
func awaitFleet(t *testing.T, f *fleet.Fleet) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, f.AwaitReady(bounded(t)))
	return time.Since(began)
}
