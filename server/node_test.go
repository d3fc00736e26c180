package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/cluster"
	"signaling-server/internal/clustertest"
	"signaling-server/server"
)

// Operators read what a node knows while the node applies what others ask for. The race detector
// finds what is read without a lock, such as the time of the record under way once was.
func TestANodeIsReadWhileItAppliesRecords(t *testing.T) {
	s, err := server.Join(server.Parts{
		Cluster: &cluster.Options{Name: "node-1", Engine: &clustertest.Link{Engine: clustertest.NewEngine()}, Times: cluster.DefaultTimes()},
	})
	require.NoError(t, err)
	run(t, s)
	web := httptest.NewUnstartedServer(s.Handler())
	serve(t, web)
	ask := func(method, path string) int {
		r, err := http.NewRequest(method, web.URL+path, nil)
		require.NoError(t, err)
		response, err := web.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Eventually(t, func() bool { return ask(http.MethodGet, "/readyz") == http.StatusOK }, patience, patience/1000)
	var reading sync.WaitGroup
	for _, path := range []string{"/revocations", "/rooms", "/connections", "/cluster", "/webhooks", "/stats"} {
		reading.Go(func() {
			for range 20 {
				ask(http.MethodGet, path)
			}
		})
	}
	for i := range 20 {
		require.Equal(t, http.StatusNoContent, ask(http.MethodPut, fmt.Sprintf("/revocations/users/%d", i)))
	}
	reading.Wait()
}
