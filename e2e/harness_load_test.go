package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// builtLoad is the load generator. It is not what is tested, so it does not look for races.
var builtLoad = binary{folder: "..", program: "./cmd/signaling-load", lean: true}

// loadResult is what the load generator says about clients that came back while servers were replaced.
type loadResult struct {
	Check    map[string]int64
	Resuming struct {
		Broken, Resumed, Repeated, Away int64
		Latency                         quantiles `json:"latencyMilliseconds"`
	}
	Sending struct {
		Latency quantiles `json:"latencyMilliseconds"`
	}
	Errors map[string]int
}

type quantiles struct{ P50, P99, Max float64 }

// startLoad starts the load generator, and waits until all clients talk in rooms of four. The
// returned function ends it. Then it requires that all that was accepted came once and in order,
// that nothing was refused, and that nobody has left. It tells how long clients had to wait.
func startLoad(t *testing.T, url string, rooms int, flags ...string) (end func() loadResult) {
	t.Helper()
	path, err := builtLoad.build()
	require.NoError(t, err, "building the load generator")
	command := exec.CommandContext(t.Context(), path, append([]string{
		"-url", url, "-json", "-resume", "-heartbeats", "-settle=0s", "-warmup=0s", "-rate=300", "-duration=10m",
		fmt.Sprint("-clients=", 4*rooms), "-room-size=4",
	}, flags...)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Start())
	server, _, _ := strings.Cut(url, ",")
	require.Eventually(t, func() bool {
		list, err := json.Marshal(told(t, server+"/rooms"))
		return err == nil && strings.Count(string(list), `"users":4`) == rooms
	}, within, 50*time.Millisecond, "all clients have joined")
	time.Sleep(time.Second) // they talk
	return func() (r loadResult) {
		t.Helper()
		time.Sleep(time.Second) // they go on to talk
		require.NoError(t, command.Process.Signal(os.Interrupt))
		failed := command.Wait()
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &r), "%v %s", failed, stderr.String())
		t.Logf("%d events were accepted. %d streams broke. Until a client was back: p50 %.0f ms, p99 %.0f ms, max %.0f ms. From POST to delivery: p50 %.0f ms, p99 %.0f ms, max %.0f ms. %d requests were repeated. user-away came %d times.",
			r.Check["accepted"], r.Resuming.Broken, r.Resuming.Latency.P50, r.Resuming.Latency.P99, r.Resuming.Latency.Max,
			r.Sending.Latency.P50, r.Sending.Latency.P99, r.Sending.Latency.Max, r.Resuming.Repeated, r.Resuming.Away)
		for _, promise := range []string{"lost", "doubled", "reordered", "strays", "ended", "refused", "unannounced", "parted"} {
			require.Zero(t, r.Check[promise], "%s: %v", promise, r.Errors)
		}
		require.NoError(t, failed)
		require.Equal(t, r.Check["accepted"], r.Check["received"])
		require.Equal(t, r.Resuming.Broken, r.Resuming.Resumed)
		return r
	}
}
