package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"signaling-server/httpapi"
	"signaling-server/sse"
)

// traced lets a server make spans, and returns a recorder that gets them.
func traced() (*tracetest.SpanRecorder, func(*setup)) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	return spans, func(u *setup) { u.API.Tracer = provider.Tracer("test") }
}

// said returns what a span says.
func said(span sdktrace.ReadOnlySpan) map[string]string {
	all := make(map[string]string)
	for _, a := range span.Attributes() {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}

// spansOf waits for the spans of the last request, with that of the request at the end.
func spansOf(t *testing.T, recorder *tracetest.SpanRecorder, count int) []sdktrace.ReadOnlySpan {
	t.Helper()
	require.Eventually(t, func() bool { return len(recorder.Ended()) >= count }, patience, time.Millisecond)
	all := recorder.Ended()
	require.Len(t, all, count)
	recorder.Reset()
	return all
}

func TestEachRequestHasOneSpan(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing, unheard)
	for _, of := range []struct{ method, path, name, route, status, problem string }{
		{"GET", "/livez", "GET /livez", "/livez", "200", ""},
		{"HEAD", "/livez", "HEAD /livez", "/livez", "200", ""},
		{"GET", "/rooms/a%2Fb", "GET /rooms/{roomId}", "/rooms/{roomId}", "404", "not-found"},
		{"DELETE", "/connections/x?reason=y", "DELETE /connections/{socketId}", "/connections/{socketId}", "404", "not-found"},
		{"GET", "/assets/none.js", "GET /assets/{file}", "/assets/{file}", "404", "not-found"},
		{"GET", "/no-such-path/token", "GET", "", "404", "not-found"},
		{"PUT", "/events", "PUT", "", "405", "method-not-allowed"},
		{"BREW", "/events", "HTTP", "", "405", "method-not-allowed"},
		{"POST", "/events", "POST /events", "/events", "401", "unknown-session"},
		{"GET", "/events/poll?wait=x", "GET /events/poll", "/events/poll", "422", "validation-failed"},
	} {
		_, _ = s.try(t, of.method, of.path, nil)
		span := spansOf(t, recorder, 1)[0]
		require.Equal(t, of.name, span.Name())
		got := said(span)
		require.Equal(t, []string{of.route, of.status, of.problem}, []string{got["http.route"], got["http.response.status_code"], got["signaling.problem"]}, of.path)
	}
}

func TestTheSpanOfAStreamOrPollEndsWhenTheAnswerBegins(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing)
	p := s.connect(t)
	opened := spansOf(t, recorder, 1)[0]
	require.Equal(t, "GET /events", opened.Name())
	require.Equal(t, map[string]string{
		"http.request.method": "GET", "http.route": "/events", "http.response.status_code": "200", "url.scheme": "http", "network.protocol.version": "1.1",
		"signaling.socket.id": p.socketID, "signaling.socket.resumed": "false",
	}, said(opened))

	p.goAway()
	resumed := s.poll(t, p.token, "wait=0")
	require.Empty(t, resumed.Events)
	require.Equal(t, "true", said(spansOf(t, recorder, 1)[0])["signaling.socket.resumed"])
}

func TestEachEventOfABatchHasASpanWithItsOutcome(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing)
	p := s.join(t, "room", "Ada")
	spansOf(t, recorder, 3) // the stream, the join and its event
	status, _ := p.batch(`{"events":[{"type":"signal","data":1},{"type":"jump"},{"type":"signal","target":"nobody","data":3},7]}`)
	require.Equal(t, http.StatusOK, status)
	all := spansOf(t, recorder, 5)
	request := all[4]
	require.Equal(t, p.socketID, said(request)["signaling.socket.id"])
	var got []string
	for _, span := range all[:4] {
		require.Equal(t, request.SpanContext().SpanID(), span.Parent().SpanID())
		require.False(t, span.StartTime().Before(request.StartTime()))
		got = append(got, span.Name()+": "+said(span)["signaling.event.outcome"])
	}
	require.Equal(t, []string{"event signal: accepted", "event _OTHER: validation-failed", "event signal: target-not-found", "event _OTHER: validation-failed"}, got)
}

// The problem of a body that is not JSON is in the span of its POST.
func TestABodyThatIsNotJSONHasNoEvent(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing)
	p := s.connect(t)
	spansOf(t, recorder, 1) // the stream
	status, _ := s.post(t, p.token, `{"type":`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "malformed-json", said(spansOf(t, recorder, 1)[0])["signaling.problem"])
}

func TestARepeatHasNoSpansOfEvents(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing)
	p := s.join(t, "room", "Ada")
	p.keyed("/events", "key", `{"type":"typing-start"}`)
	spansOf(t, recorder, 3+2)
	p.keyed("/events", "key", `{"type":"typing-start"}`)
	require.Equal(t, "true", said(spansOf(t, recorder, 1)[0])["signaling.repeat"])
}

// The time of a delivery has the trace of the POST that caused the event as its exemplar.
func TestTheExemplarOfADeliveryIsTheTraceOfItsPOST(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing, unheard) // the contract has no metrics
	p := s.join(t, "room", "Ada")
	spansOf(t, recorder, 3) // the stream, the join and its event
	p.send(`{"type":"ping"}`)
	p.take("pong")
	of := spansOf(t, recorder, 2)[1].SpanContext().TraceID().String()
	require.Eventually(t, func() bool { return strings.Contains(s.openMetrics(t), `# {trace_id="`+of+`"}`) }, patience, time.Millisecond)
}

// Without traces a scraper gets the names of series that it has always had.
func TestWithoutTracesThereIsNoOpenMetrics(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	require.Contains(t, s.openMetrics(t), `signaling_delivery_seconds_bucket{le="1"} `)
}

// openMetrics returns what a scraper gets that prefers OpenMetrics.
func (s *server) openMetrics(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1")
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// Whatever a client sends as trace context, its request is answered as any other.
func TestNoTraceContextFailsARequest(t *testing.T) {
	recorder, tracing := traced()
	s := newServer(t, sse.Options{}, 100, tracing)
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	valid := "00-" + trace + "-" + span + "-01"
	for _, of := range []struct {
		header http.Header
		parent bool
	}{
		{http.Header{"Traceparent": {valid}}, true},
		{http.Header{"Traceparent": {"00-" + trace + "-" + span + "-ff"}}, false},      // flags that version 00 does not have
		{http.Header{"Traceparent": {"cc-" + trace + "-" + span + "-01-later"}}, true}, // of a later version
		{http.Header{"Traceparent": {valid}, "Tracestate": {"a=1,b=2", "c=3"}}, true},
		{http.Header{"Traceparent": {valid}, "Tracestate": {"=,=,;" + strings.Repeat("a=b,", 2000)}}, true},
		{http.Header{"Traceparent": {valid, valid}}, false},
		{http.Header{"Traceparent": {""}}, false},
		{http.Header{"Traceparent": {valid + "-00"}}, false},
		{http.Header{"Traceparent": {"ff-" + trace + "-" + span + "-01"}}, false},
		{http.Header{"Traceparent": {strings.ToUpper(valid)}}, false},
		{http.Header{"Traceparent": {"00-" + strings.Repeat("0", 32) + "-" + span + "-01"}}, false},
		{http.Header{"Traceparent": {"00-" + trace + "-" + strings.Repeat("0", 16) + "-01"}}, false},
		{http.Header{"Traceparent": {"00-" + trace + "-" + span}}, false},
		{http.Header{"Traceparent": {strings.Repeat("-", 8000)}}, false},
		{http.Header{"Traceparent": {"00-\x80\xff"}}, false},
		{http.Header{"Tracestate": {"a=1"}, "Baggage": {strings.Repeat("a=b,", 2000)}}, false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/livez", nil)
		require.NoError(t, err)
		r.Header = of.header
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, "%.80v", of.header)
		require.Empty(t, response.Header["Traceparent"])
		got := spansOf(t, recorder, 1)[0]
		require.Equal(t, of.parent, got.SpanContext().TraceID().String() == trace && got.Parent().SpanID().String() == span, "%.80v", of.header)
	}
}

func TestWithoutATracerSpansCostNoMemory(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() { httpapi.SkipSpans(t.Context()) }))
}
