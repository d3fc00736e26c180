package cluster_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A request's trace shows in which record of the log its command is. The record of a POST has the
// ID of the trace, so that each node can tell it with the time of a delivery, and nothing more.
func TestATraceShowsTheWayThroughTheLog(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		c := newNodes(t, func(c *nodes) { c.tracer = provider.Tracer("test") })
		url := c.at(c.list()[0])
		p := c.listen(t.Context(), url, "")
		token := p.next("connected")["token"].(string)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/events", strings.NewReader(`{"type":"join-room","roomId":"a","userId":"u"}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := c.http.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusAccepted, answer.StatusCode)

		find := func(name string) (found []sdktrace.ReadOnlySpan) {
			for _, span := range spans.Ended() {
				if span.Name() == name {
					found = append(found, span)
				}
			}
			return found
		}
		for _, name := range []string{"GET /events", "POST /events"} {
			soon(t, name, func() bool { return len(find(name)) == 1 })
			request := find(name)[0]
			var sequence int64
			for _, span := range find("append record") {
				if span.Parent().SpanID() != request.SpanContext().SpanID() {
					continue
				}
				values := attribute.NewSet(span.Attributes()...)
				value, _ := values.Value("signaling.cluster.record")
				sequence = value.AsInt64()
				require.Equal(t, "record sent", span.Events()[0].Name)
				require.WithinRange(t, span.Events()[0].Time, span.StartTime(), span.EndTime())
			}
			require.NotZero(t, sequence, name)
			record, err := c.list()[0].link.Get(t.Context(), uint64(sequence))
			require.NoError(t, err)
			of, span := request.SpanContext().TraceID(), request.SpanContext().SpanID()
			require.Equal(t, name == "POST /events", bytes.Contains(record, of[:]))
			require.False(t, bytes.Contains(record, span[:]))
		}
	})
}
