package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
	"signaling-server/webhooks"
)

// withWebhooks lets a server post webhooks to an address.
func withWebhooks(address string) func(*setup) {
	return func(u *setup) {
		u.Webhooks = &webhooks.Options{URL: address, Secrets: [][]byte{make([]byte, 32)}}
	}
}

func webhooksAreSent(t *testing.T, w *witness) {
	var status atomic.Int32
	status.Store(http.StatusServiceUnavailable)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(backend.Close)
	s := w.newServer(t, sse.Options{}, 100, withAdminToken, withWebhooks(backend.URL))
	s.join(t, "standup", "Ada")
	view := func() map[string]any { return s.operate(t, http.StatusOK, http.MethodGet, "/webhooks", "") }
	require.Eventually(t, func() bool { return view()["failing"] == true }, patience, 20*time.Millisecond)
	failed := view()
	require.Equal(t, []any{true, true, 2.0, 503.0}, []any{failed["enabled"], failed["sending"], failed["waiting"], failed["lastFailure"].(map[string]any)["status"]})
	require.NotEmpty(t, failed["oldest"])

	status.Store(http.StatusOK)
	replay := "/webhooks/replay?since=" + url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))
	s.operate(t, http.StatusNoContent, http.MethodPost, replay, "")
	require.Eventually(t, func() bool { return view()["delivered"] == 2.0 }, patience, 20*time.Millisecond)
	s.operate(t, http.StatusNoContent, http.MethodPost, replay, "")
	require.Eventually(t, func() bool { return view()["delivered"] == 4.0 }, patience, 20*time.Millisecond)

	nowhere := w.newServer(t, sse.Options{}, 100, withAdminToken, withWebhooks("http://127.0.0.1:1"))
	nowhere.join(t, "standup", "Ada")
	require.Eventually(t, func() bool {
		return nowhere.operate(t, http.StatusOK, http.MethodGet, "/webhooks", "")["failing"] == true
	}, patience, 20*time.Millisecond)
}

func TestTheMetricsSayWhatBecameOfTheWebhooks(t *testing.T) {
	var fails atomic.Bool
	fails.Store(true)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if fails.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(backend.Close)
	s := newServer(t, sse.Options{}, 100, withWebhooks(backend.URL))
	s.join(t, "standup", "Ada")
	value := func(name string) float64 { return s.metrics(t).value(t, "signaling_webhooks_"+name) }
	require.Eventually(t, func() bool { return value("failing") == 1 }, patience, 10*time.Millisecond)
	require.Equal(t, 1.0, value("sending"))
	require.Equal(t, 2.0, value("waiting"))
	require.Positive(t, value("oldest_seconds"))
	require.Positive(t, value("failed_attempts_total"))
	fails.Store(false)
	s.operate(t, http.StatusNoContent, http.MethodPost, "/webhooks/replay?since=2026-03-01T12:00:00Z", "")
	require.Eventually(t, func() bool { return value("delivered_total") == 2 }, patience, 10*time.Millisecond)
	for _, name := range []string{"failing", "waiting", "oldest_seconds", "dropped_total"} {
		require.Zero(t, value(name), name)
	}
}
