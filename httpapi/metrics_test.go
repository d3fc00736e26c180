package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// exposition is what /metrics answered at one moment.
type exposition struct {
	text     string
	families map[string]*dto.MetricFamily
}

func (s *server) metrics(t *testing.T) exposition {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
	require.NoError(t, err)
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, expfmt.TypeTextPlain, expfmt.Format(response.Header.Get("Content-Type")).FormatType())
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err)
	return exposition{string(text), families}
}

// value returns the value of a series, which is named as in the text: name{label="value"}.
func (e exposition) value(t *testing.T, series string) float64 {
	t.Helper()
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(e.text)
	require.NotNil(t, match, "no series %s", series)
	var value float64
	_, err := fmt.Sscan(match[1], &value)
	require.NoError(t, err)
	return value
}

// becomes waits until a series has a value. The server counts an event only after it has
// written it, so a client can read the event before it is counted.
func (s *server) becomes(t *testing.T, series string, want float64) {
	t.Helper()
	var got float64
	require.Eventually(t, func() bool {
		got = s.metrics(t).value(t, series)
		return got == want
	}, patience, time.Millisecond, "%s never became %v", series, want)
}

func TestMetricsCountWhatHappens(t *testing.T) {
	s := newServer(t, sse.Options{AwayAfter: 20 * time.Millisecond}, 100)
	require.Zero(t, s.metrics(t).value(t, `signaling_events_accepted_total{type="offer"}`), "the series exists from the start")

	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	s.connect(t)
	a.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":1}`, b.socketID))
	b.next("signal")
	a.refuse(http.StatusUnprocessableEntity, "validation-failed", `{"type":"signal"}`)
	a.refuse(http.StatusNotFound, "target-not-found", fmt.Sprintf(`{"type":"signal","target":%q,"data":1}`, sse.NewToken().SocketID()))

	const deliveries = 4 // two room-joined, one user-connected and one signal
	s.becomes(t, "signaling_events_delivered_total", deliveries)
	m := s.metrics(t)
	for series, want := range map[string]float64{
		`signaling_sockets{state="connected"}`:               3,
		`signaling_sockets{state="away"}`:                    0,
		`signaling_rooms`:                                    1,
		`signaling_room_members`:                             2,
		`signaling_events_accepted_total{type="join-room"}`:  2,
		`signaling_events_accepted_total{type="signal"}`:     1,
		`signaling_events_accepted_total{type="offer"}`:      0,
		`signaling_delivery_seconds_count`:                   deliveries,
		`signaling_delivery_seconds_bucket{le="30"}`:         deliveries,
		`signaling_streams_opened_total{transport="stream"}`: 3,
		`signaling_streams_opened_total{transport="poll"}`:   0,
		`signaling_streams{transport="stream"}`:              3,
		`signaling_streams{transport="poll"}`:                0,
		`signaling_sockets_max`:                              20_000,
		`signaling_outboxes_nearly_full`:                     0,
		`signaling_client_memory_max_bytes`:                  0, // it is not counted
		`signaling_resumes_total{transport="stream"}`:        0,
	} {
		require.Equal(t, want, m.value(t, series), series)
	}

	batched, _ := a.batch(`{"events":[{"type":"ping"},{"type":"ping"},{"type":"nothing"}]}`)
	require.Equal(t, http.StatusOK, batched)
	require.Equal(t, 2.0, s.metrics(t).value(t, `signaling_events_accepted_total{type="ping"}`))

	b.goAway()
	s.becomes(t, `signaling_sockets{state="away"}`, 1)
	require.Equal(t, 2.0, s.metrics(t).value(t, `signaling_sockets{state="connected"}`))
	s.poll(t, b.token, "wait=0")
	require.Equal(t, 1.0, s.metrics(t).value(t, `signaling_streams_opened_total{transport="poll"}`))
	b, resumed := s.resume(t, b.lastID) // after a poll alone, the socket would soon be away again
	require.True(t, resumed)
	s.becomes(t, `signaling_sockets{state="away"}`, 0)
	_, resumed = s.resume(t, string(sse.NewToken().Secret())+".0")
	require.False(t, resumed)
	m = s.metrics(t)
	for series, want := range map[string]float64{
		`signaling_resumes_total{transport="stream"}`:        1,
		`signaling_resumes_total{transport="poll"}`:          1,
		`signaling_resumes_failed_total{transport="stream"}`: 1,
		`signaling_resumes_failed_total{transport="poll"}`:   0,
	} {
		require.Equal(t, want, m.value(t, series), series)
	}

	b.send(`{"type":"disconnect"}`)
	s.becomes(t, `signaling_sockets_ended_total{reason="client disconnect"}`, 1)
	m = s.metrics(t)
	require.Equal(t, 3.0, m.value(t, `signaling_sockets{state="connected"}`))
	require.Equal(t, 1.0, m.value(t, `signaling_room_members`))
	require.Zero(t, m.value(t, `signaling_sockets_ended_total{reason="slow consumer"}`))
}

func TestASocketThatEndsWhileItIsAwayIsNoLongerCountedAsAway(t *testing.T) {
	s := newServer(t, sse.Options{AwayAfter: 20 * time.Millisecond, ResumeWindow: 200 * time.Millisecond}, 100)
	s.join(t, "room", "Ada").goAway()
	s.becomes(t, `signaling_sockets_ended_total{reason="transport close"}`, 1)
	m := s.metrics(t)
	require.Zero(t, m.value(t, `signaling_sockets{state="away"}`))
	require.Zero(t, m.value(t, `signaling_sockets{state="connected"}`))
}

func TestMetricsReportTheMemoryForClients(t *testing.T) {
	const limit = 1 << 20
	memory := budget.New(limit)
	s := newServer(t, sse.Options{Budget: memory}, 100, func(u *setup) { u.API.Budget = memory })
	s.join(t, "room", "Ada")
	m := s.metrics(t)
	require.EqualValues(t, limit, m.value(t, "signaling_client_memory_max_bytes"))
	require.Positive(t, m.value(t, "signaling_client_memory_bytes"))
	require.Less(t, m.value(t, "signaling_client_memory_bytes"), float64(limit))
}

func TestMetricsIdentifyNobody(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "secret-room", "secret-user")
	p.send(`{"type":"send-message","message":"secret-message"}`)
	p.next("new-message")
	m := s.metrics(t)
	for _, secret := range []string{p.token, p.socketID, "secret", "127.0.0.1", "Go-http-client"} {
		require.NotContains(t, m.text, secret)
	}
	labels := make(map[string][]string)
	for name, family := range m.families {
		if !strings.HasPrefix(name, "signaling_") {
			continue
		}
		for _, metric := range family.Metric {
			for _, label := range metric.Label {
				if known := labels[label.GetName()]; !slices.Contains(known, label.GetValue()) {
					labels[label.GetName()] = append(known, label.GetValue())
				}
			}
		}
	}
	require.Equal(t, []string{"limit", "problem", "reason", "state", "transport", "type", "why"}, slices.Sorted(maps.Keys(labels)))
	require.ElementsMatch(t, []string{"connected", "away", "new", "active", "idle", "reserve"}, labels["state"])
	require.ElementsMatch(t, []string{"stream", "poll"}, labels["transport"])
	require.ElementsMatch(t, []string{"client disconnect", "transport close", "slow consumer", "kicked"}, labels["reason"])
	require.Len(t, labels["why"], len(conns.Reasons()))
	require.Len(t, labels["type"], 12)
	require.Len(t, labels["problem"], 23)
	require.Contains(t, labels["limit"], "posts per address")
	for _, family := range []string{"go_goroutines", "go_memstats_heap_alloc_bytes"} {
		require.Contains(t, m.families, family)
	}
}
