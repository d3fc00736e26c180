package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All nodes are replaced under load, one by one, as docs/scaling.md says. Nothing is lost, and nobody
// seems to have left.
func TestNodesAreReplacedUnderLoad(t *testing.T) {
	runsBeside(t)
	f := startFleet(t, nil, append(noLimits, "AWAY_AFTER=2s")...)
	var urls []string
	for _, node := range f.Nodes {
		urls = append(urls, node.URL)
	}
	end := startLoad(t, strings.Join(urls, ","), 15)
	for _, node := range f.Nodes {
		began := time.Now()
		require.NoError(t, node.Stop())
		stopped := time.Since(began)
		require.NoError(t, node.Start())
		require.NoError(t, node.AwaitReady(bounded(t)))
		t.Logf("%s stopped within %d ms, and served again %d ms later", node.Name, stopped.Milliseconds(), (time.Since(began) - stopped).Milliseconds())
		time.Sleep(2 * time.Second) // clients are back, and talk
	}
	r := end()
	require.GreaterOrEqual(t, r.Resuming.Broken, int64(30), "clients of each node have seen it")
}
