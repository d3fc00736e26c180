package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// keyed posts with an Idempotency-Key and returns status and body.
func (p *peer) keyed(path, key, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL+path, strings.NewReader(body))
	require.NoError(p.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Idempotency-Key", key)
	response, err := p.server.Client().Do(r)
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, string(text)
}

func TestARepeatedPostIsAnsweredAsTheFirstAndDeliversNothing(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	event := `{"type":"signal","data":1}`
	batch := `{"events":[{"type":"signal","data":2},{"type":"jump"}]}`
	refused := `{"type":"offer","target":"nobody","offer":{"type":"offer","sdp":"x"}}`
	first := make(map[string]string)
	for range 3 {
		for path, post := range map[string][2]string{"/events": {"one", event}, "/events/batch": {"two", batch}, "/events?x": {"three", refused}} {
			status, text := a.keyed(path, post[0], post[1])
			answer := fmt.Sprint(status, text)
			if first[path] == "" {
				first[path] = answer
			}
			require.Equal(t, first[path], answer)
		}
	}
	require.Equal(t, "202", first["/events"])
	require.Contains(t, first["/events/batch"], `200{"results":[{"status":202},`)
	require.Contains(t, first["/events?x"], "404")
	got := []any{b.next("signal").json["data"], b.next("signal").json["data"]}
	require.ElementsMatch(t, []any{1.0, 2.0}, got)
	b.quiet()
}

func TestAKeyIsForOneBodyOfOneSocketOnly(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	status, _ := a.keyed("/events", "key", `{"type":"signal","data":1}`)
	require.Equal(t, http.StatusAccepted, status)
	status, text := a.keyed("/events", "key", `{"type":"signal","data":2}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, text, "reused")
	status, _ = a.keyed("/events/batch", "key", `{"events":[{"type":"ping"}]}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _ = b.keyed("/events", "key", `{"type":"signal","data":3}`)
	require.Equal(t, http.StatusAccepted, status, "another socket's keys are its own")
	require.Equal(t, 3.0, a.next("signal").json["data"])
	require.Equal(t, 1.0, b.next("signal").json["data"])
	a.quiet()
	b.quiet()
	for _, key := range []string{"", strings.Repeat("x", 65), "a b", "é"} {
		status, text := a.keyed("/events", key, `{"type":"ping"}`)
		require.Equal(t, http.StatusUnprocessableEntity, status, key)
		require.Contains(t, text, "visible ASCII")
	}
	a.quiet()
}

func TestARepeatWhileTheFirstIsUnderWayWaitsForItsAnswer(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	for n := range 20 {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				status, _ := a.keyed("/events", fmt.Sprint("key", n), fmt.Sprintf(`{"type":"signal","data":%d}`, n))
				if status != http.StatusAccepted {
					panic(status)
				}
			})
		}
		all.Wait()
		require.Equal(t, float64(n), b.next("signal").json["data"])
	}
	b.quiet()
}

func TestTheLast64KeysAreRemembered(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	post := func(n int) {
		status, _ := a.keyed("/events", fmt.Sprint("key", n), fmt.Sprintf(`{"type":"signal","data":%d}`, n))
		require.Equal(t, http.StatusAccepted, status)
	}
	for n := range 65 {
		post(n)
		b.next("signal")
	}
	post(64)
	post(1)
	b.quiet()
	post(0) // forgotten
	require.Equal(t, 0.0, b.next("signal").json["data"])
}
