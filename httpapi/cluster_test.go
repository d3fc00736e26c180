package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/machine"
	"signaling-server/sse"
)

// clustered makes a server one of two nodes, by a state that fails on demand.
func clustered(state *failing) func(*setup) {
	return func(u *setup) {
		u.State = func(alone machine.State) machine.State {
			state.State = alone
			return state
		}
	}
}

func TestANodeTellsHowItIs(t *testing.T) {
	state := &failing{}
	s := newServer(t, sse.Options{}, 100, clustered(state))
	nodes := []any{
		map[string]any{"name": "n1", "lost": false, "silence": 0.0, "streams": 0.0, "polls": 0.0},
		map[string]any{"name": "n2", "lost": true, "silence": 75.0, "streams": 0.0, "polls": 0.0},
	}
	_, view := s.get(t, "/cluster")
	require.Equal(t, map[string]any{"node": "n1", "ready": true, "engineReached": true, "position": 5.0, "lag": 0.0, "nodes": nodes}, view)
	_, ready := s.get(t, "/readyz")
	require.Equal(t, map[string]any{"status": "ready", "lag": 0.0}, ready)

	err := error(machine.ErrNotReady)
	state.err.Store(&err)
	_, view = s.get(t, "/cluster")
	const why = "This node does not serve: it joins the others, 4 records behind."
	require.Equal(t, map[string]any{"node": "n1", "ready": false, "reason": why, "engineReached": true, "position": 5.0, "lag": 4.0, "nodes": nodes}, view)
	status, refusal := s.get(t, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "/problems/not-ready", refusal["type"])
	require.Equal(t, why, refusal["detail"])
}

func TestANodeThatIsAloneHasNoOthers(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	_, view := s.get(t, "/cluster")
	require.Equal(t, map[string]any{"nodes": []any{}}, view)
	require.NotContains(t, s.metrics(t).text, "signaling_cluster")
}

func TestMetricsReportTheLog(t *testing.T) {
	state := &failing{}
	s := newServer(t, sse.Options{}, 100, clustered(state))
	for _, want := range []string{
		`signaling_cluster_node_info{node="n1"} 1`, "signaling_cluster_ready 1", "signaling_cluster_engine_reached 1", `signaling_cluster_nodes{state="alive"} 1`, `signaling_cluster_nodes{state="lost"} 1`,
		"signaling_cluster_position 5", "signaling_cluster_lag_records 0",
		"signaling_cluster_snapshot_bytes 100", "signaling_cluster_snapshot_age_seconds ", "signaling_cluster_snapshot_pause_seconds 0.001",
		"signaling_cluster_append_seconds_count 0", "signaling_cluster_append_failures_total 0", "signaling_cluster_record_commands_count 0",
	} {
		require.Contains(t, s.metrics(t).text, "\n"+want)
	}
	err := error(machine.ErrNotReady)
	state.err.Store(&err)
	m := s.metrics(t).text
	require.True(t, strings.Contains(m, "\nsignaling_cluster_ready 0\n") && strings.Contains(m, "\nsignaling_cluster_lag_records 4\n"), m)
}
