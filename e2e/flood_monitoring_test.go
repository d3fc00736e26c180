package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Attacks by what the server says of itself.

// A list of long texts must not grow by escapes. It must not wait as a whole for a
// client that does not read it.
func TestAttackListsThatAreNeverRead(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0")
	header := "User-Agent: " + strings.Repeat("<", 15_500) + "\r\n"
	s.each(600, 4, func(_ *asker, _ int) {
		if w, err := s.dial(); err == nil {
			_, _ = w.openStream(header)
		}
	})
	s.each(200, dialers, func(*asker, int) { s.sayOnce(get("/connections", "", "")) })
	s.hold(3 * time.Second)
	s.lift("rate-limited")
}

// A developer's server is open to that developer. A page of another origin sends
// requests to it from the developer's browser.
func TestAttackReadingMonitoringFromAnotherPage(t *testing.T) {
	runsBeside(t)
	url := startServer(t)
	connect(t, url).join("ward", "Ada")
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	for _, path := range []string{"/connections", "/rooms", "/rooms/ward", "/stats", "/metrics"} {
		for name, header := range map[string]http.Header{
			"a page of another site":         {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
			"a picture in such a page":       {"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}},
			"a browser without that field":   {"Origin": {"https://evil.example"}},
			"another server of this machine": {"Origin": {"http://localhost:8080"}, "Sec-Fetch-Site": {"same-site"}},
		} {
			request, err := http.NewRequestWithContext(bounded(t), http.MethodGet, url+path, nil)
			require.NoError(t, err)
			request.Header = header
			response, err := client.Do(request)
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, http.StatusForbidden, response.StatusCode, "%s asks for %s", name, path)
		}
		_, err := fetch(bounded(t), client, url+path)
		require.NoError(t, err, "the developer's own programs may ask")
	}
}
