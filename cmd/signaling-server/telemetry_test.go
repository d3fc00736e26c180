package main

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"signaling-server/sse"
)

// collector takes OTLP over HTTP on loopback.
type collector struct {
	*httptest.Server

	mu       sync.Mutex // guards what follows
	bodies   bytes.Buffer
	headers  []http.Header
	resource map[string]string
	spans    []*tracepb.Span
	records  []*logspb.LogRecord
}

func newCollector(t *testing.T) *collector {
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.take(t, r) }))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(t *testing.T, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	packed, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Errorf("a request is not compressed: %v", err)
		return
	}
	body, err := io.ReadAll(packed)
	if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("a request cannot be read: %v, %v", err, r.Header)
	}
	c.bodies.Write(body)
	c.headers = append(c.headers, r.Header)
	switch r.URL.Path {
	case "/otlp/v1/traces":
		var all tracepb.TracesData // has the bytes of ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &all); err != nil {
			t.Errorf("spans cannot be read: %v", err)
		}
		for _, of := range all.ResourceSpans {
			c.resource = texts(of.Resource.Attributes)
			for _, scope := range of.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	case "/otlp/v1/logs":
		var all logspb.LogsData
		if err := proto.Unmarshal(body, &all); err != nil {
			t.Errorf("records cannot be read: %v", err)
		}
		for _, of := range all.ResourceLogs {
			for _, scope := range of.ScopeLogs {
				c.records = append(c.records, scope.LogRecords...)
			}
		}
	default:
		t.Errorf("nobody takes %s", r.URL.Path)
	}
}

// texts returns attributes by their names, as text.
func texts(attributes []*commonpb.KeyValue) map[string]string {
	all := make(map[string]string)
	for _, a := range attributes {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_IntValue:
			all[a.Key] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_BoolValue:
			all[a.Key] = fmt.Sprint(v.BoolValue)
		default:
			all[a.Key] = a.Value.GetStringValue()
		}
	}
	return all
}

// span returns the only span with a name and an attribute.
func (c *collector) span(t *testing.T, name, key, value string) *tracepb.Span {
	t.Helper()
	var found []*tracepb.Span
	for _, s := range c.spans {
		if s.Name == name && (key == "" || texts(s.Attributes)[key] == value) {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, "%s with %s=%s", name, key, value)
	return found[0]
}

func (c *collector) record(t *testing.T, message string) *logspb.LogRecord {
	t.Helper()
	for _, r := range c.records {
		if r.Body.GetStringValue() == message {
			return r
		}
	}
	require.Fail(t, "there is no record", message)
	return nil
}

// settings let a server export everything to the collector.
func (c *collector) settings() []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL + "/otlp/", "OTEL_LOGS_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
		"OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20key", "OTEL_SERVICE_NAME=calls", "OTEL_RESOURCE_ATTRIBUTES=team=a%2Cb,service.name=other",
	}
}

// What a caller's tracer sends.
const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	traceParent = "00-" + traceID + "-b7ad6b7169203331-01"
)

// traced posts an event as a part of a trace.
func (s *started) traced(t *testing.T, token, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url+"/events", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Traceparent", traceParent)
	r.Header.Set("Tracestate", "vendor=opaque")
	r.Header.Set("Baggage", "baggage=opaque")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response
}

func TestACollectorReceivesTheSpansAndTheLogOfAServer(t *testing.T) {
	c := newCollector(t)
	s := start(t, append(c.settings(), "LOG_LEVEL=debug")...)
	_, peer, peerToken := s.open(t)
	_, _, token := s.open(t)
	require.Equal(t, http.StatusAccepted, s.post(t, peerToken, `{"type":"join-room","roomId":"room-12","userId":"user-34"}`))
	require.Equal(t, http.StatusConflict, s.traced(t, token, `{"type":"typing-start"}`).StatusCode)
	require.Equal(t, http.StatusAccepted, s.traced(t, token, `{"type":"join-room","roomId":"room-12","userId":"user-56"}`).StatusCode)
	answer := s.traced(t, token, `{"type":"send-message","message":"for members only"}`)
	require.Equal(t, http.StatusAccepted, answer.StatusCode)
	require.Equal(t, http.StatusUnprocessableEntity, s.traced(t, token, `{"type":"no-such-type"}`).StatusCode)
	began := uint64(time.Now().UnixNano())
	require.Zero(t, s.stop(t))

	// A stream has a span that ended when its answer had begun, and other spans are of one trace.
	for _, of := range []string{peerToken, token} {
		opened := c.span(t, "GET /events", "signaling.socket.id", socketOf(t, of))
		require.Less(t, opened.EndTimeUnixNano, began)
		require.Equal(t, "200", texts(opened.Attributes)["http.response.status_code"])
		require.Equal(t, "false", texts(opened.Attributes)["signaling.socket.resumed"])
	}
	event := c.span(t, "event send-message", "signaling.event.outcome", "accepted")
	require.Equal(t, traceID, fmt.Sprintf("%x", event.TraceId))
	request := c.parent(t, event)
	require.Equal(t, "POST /events", request.Name)
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, request.Kind)
	require.Equal(t, "b7ad6b7169203331", fmt.Sprintf("%x", request.ParentSpanId))
	require.Equal(t, map[string]string{
		"http.request.method": "POST", "http.route": "/events", "http.response.status_code": "202", "url.scheme": "http",
		"network.protocol.version": "1.1", "signaling.socket.id": texts(request.Attributes)["signaling.socket.id"],
	}, texts(request.Attributes))
	c.span(t, "event typing-start", "signaling.event.outcome", "not-in-room")
	invalid := c.span(t, "event _OTHER", "signaling.event.outcome", "validation-failed")
	require.Equal(t, "validation-failed", texts(c.parent(t, invalid).Attributes)["signaling.problem"])

	require.Equal(t, "calls", c.resource["service.name"])
	require.Equal(t, "a,b", c.resource["team"])
	require.Equal(t, "development", c.resource["deployment.environment.name"])
	require.Equal(t, "a key", c.headers[0].Get("Api-Key"))

	// The log is exported up to its last line. Lines about a request name its trace.
	require.Equal(t, logspb.SeverityNumber_SEVERITY_NUMBER_INFO, c.record(t, "stopped").SeverityNumber)
	require.Equal(t, "room-12", texts(c.record(t, "room joined").Attributes)["roomId"])
	require.Len(t, c.record(t, "socket connected").TraceId, 16)
	require.Regexp(t, `request method=POST path=/events .*status=202 .*trace_id=`+traceID, s.log.String())
	require.Regexp(t, `socket connected .*trace_id=[0-9a-f]{32}`, s.log.String())
	require.Regexp(t, `room joined .*userId=user-56 .*trace_id=`+traceID, s.log.String())
	require.Len(t, c.record(t, "room joined").TraceId, 16)

	// No token and no payload gets to the collector, and spans have neither rooms nor users.
	for _, secret := range []string{peerToken, token, "for members only"} {
		require.NotContains(t, c.bodies.String(), secret)
	}
	for _, span := range c.spans {
		require.NotRegexp(t, `room-12|user-|127\.0\.0\.1`, span.String())
	}

	// No peer learns of the trace.
	received, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Contains(t, string(received), "for members only")
	var header bytes.Buffer
	require.NoError(t, answer.Header.Write(&header))
	for _, bytes := range []string{string(received), header.String()} {
		require.NotRegexp(t, `(?i)trace|baggage|opaque|`+traceID+`|b7ad6b7169203331`, bytes)
	}
}

func socketOf(t *testing.T, token string) string {
	parsed, ok := sse.ParseToken(token)
	require.True(t, ok)
	return parsed.SocketID()
}

// parent returns the span in which a span was made.
func (c *collector) parent(t *testing.T, of *tracepb.Span) *tracepb.Span {
	t.Helper()
	for _, s := range c.spans {
		if bytes.Equal(s.SpanId, of.ParentSpanId) {
			return s
		}
	}
	require.Fail(t, "the span has no parent", of.Name)
	return nil
}

// The log has a collector of its own, which shows a certificate that only a variable of the log trusts.
func TestEachSignalMayHaveItsOwnCollector(t *testing.T) {
	ofTraces, ofLogs := newCollector(t), newCollector(t)
	encrypted := httptest.NewTLSServer(ofLogs.Config.Handler)
	defer encrypted.Close()
	authority := filepath.Join(t.TempDir(), "authority.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encrypted.Certificate().Raw}), 0o600))
	s := start(t, append(ofTraces.settings(), "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="+encrypted.URL+"/otlp/v1/logs",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS=api-key=other", "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE="+authority)...)
	s.open(t)
	require.Zero(t, s.stop(t))
	ofTraces.span(t, "GET /events", "", "")
	require.Empty(t, ofTraces.records)
	require.Equal(t, "a key", ofTraces.headers[0].Get("Api-Key"))
	ofLogs.record(t, "stopped")
	require.Empty(t, ofLogs.spans)
	require.Equal(t, "other", ofLogs.headers[0].Get("Api-Key"))
}

func TestACollectorThatIsGoneHoldsUpNeitherEventsNorTheStop(t *testing.T) {
	s := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+nobody+"/a-secret-path", "OTEL_LOGS_EXPORTER=otlp", "SHUTDOWN_TIMEOUT=1h")
	_, _, token := s.open(t)
	for range 10 {
		require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"heartbeat"}`))
	}
	require.Zero(t, s.stop(t))
	log := s.log.String()
	require.Equal(t, 2, strings.Count(log, "telemetry is dropped"), log) // once for each signal
	require.Contains(t, log, "signal=traces")
	require.NotContains(t, log, "a-secret-path")
}

func TestNothingIsExportedUnlessAVariableAsksForIt(t *testing.T) {
	for setting, want := range map[string][2]bool{
		"":                                 {false, false},
		"OTEL_SERVICE_NAME=calls":          {false, false},
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc": {false, false},
		"OTEL_TRACES_EXPORTER=otlp":        {true, false},
		"OTEL_LOGS_EXPORTER=otlp":          {false, true},
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318":                                {true, false},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318":                         {true, false},
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c:4318":                           {false, false},
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_TRACES_EXPORTER=none":           {false, false},
		"OTEL_SDK_DISABLED=true OTEL_TRACES_EXPORTER=otlp OTEL_LOGS_EXPORTER=otlp": {false, false},
	} {
		c, err := loadConfig(strings.Fields(setting))
		require.NoError(t, err)
		require.Equal(t, want, [2]bool{c.Telemetry.exportsTraces(), c.Telemetry.exportsLogs()}, setting)
		exported, err := c.newTelemetry(nil)
		require.NoError(t, err)
		require.Equal(t, want != [2]bool{}, exported != nil, setting)
		require.NoError(t, exported.Shutdown(t.Context()))
		require.Equal(t, want[0], exported.Tracer() != nil)
	}
}

func TestWithoutTelemetryNothingOfItRuns(t *testing.T) {
	s := start(t)
	s.open(t)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	require.Contains(t, string(stacks), "signaling-server/server")
	require.NotContains(t, string(stacks), "opentelemetry")
	require.Zero(t, s.stop(t))
}

func TestTheAddressesOfACollectorAreThoseOfTheSpecification(t *testing.T) {
	for base, want := range map[string]string{
		"": "http://localhost:4318/v1/traces", "http://c:4318": "http://c:4318/v1/traces", "http://c:4318/": "http://c:4318/v1/traces",
		"https://c/otlp": "https://c/otlp/v1/traces", "https://c/a%2Fb/": "https://c/a%2Fb/v1/traces",
	} {
		require.Equal(t, want, telemetrySettings{Endpoint: base}.urlOf("", "v1/traces"), base)
	}
	require.Equal(t, "http://c", telemetrySettings{Endpoint: "http://other"}.urlOf("http://c", "v1/traces"))
}

func TestWrongTelemetrySettingsEndTheStart(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for setting, want := range map[string]string{
		"OTEL_TRACES_EXPORTER=jaeger":                        `OTEL_TRACES_EXPORTER is "jaeger", but must be otlp or none`,
		"OTEL_EXPORTER_OTLP_ENDPOINT=hush:4317":              "OTEL_EXPORTER_OTLP_ENDPOINT must be an address of http or https",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://a:hush@c":        "OTEL_EXPORTER_OTLP_ENDPOINT must be an address of http or https, without user and query",
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c?key=hush": "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT must be an address of http or https, without user and query",
		"OTEL_EXPORTER_OTLP_HEADERS=api-key=100%":            "OTEL_EXPORTER_OTLP_HEADERS must be a comma-separated list",
		"OTEL_EXPORTER_OTLP_HEADERS=hush":                    "OTEL_EXPORTER_OTLP_HEADERS must be a comma-separated list",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS=api key=hush":       "OTEL_EXPORTER_OTLP_LOGS_HEADERS must be a comma-separated list",
		"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION=br":             `OTEL_EXPORTER_OTLP_LOGS_COMPRESSION is "br", but must be none or gzip`,
		"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=0":                  "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT is",
		"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/json":         `OTEL_EXPORTER_OTLP_LOGS_PROTOCOL is "http/json", but this server speaks only http/protobuf`,
		"OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE=" + missing:     "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE cannot be used",
		"OTEL_RESOURCE_ATTRIBUTES==x":                        "OTEL_RESOURCE_ATTRIBUTES is",
		"OTEL_TRACES_SAMPLER=often":                          "OTEL_TRACES_SAMPLER is",
		"OTEL_TRACES_SAMPLER_ARG=2":                          "OTEL_TRACES_SAMPLER_ARG is",
		"OTEL_EXPORTER_OTLP_TIMEOUT=10s":                     "a whole number of milliseconds",
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":                   `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc", but this server speaks only http/protobuf, which collectors take at port 4318`,
		"OTEL_EXPORTER_OTLP_CERTIFICATE=" + missing:          "OTEL_EXPORTER_OTLP_CERTIFICATE cannot be used",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY=" + missing:           "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is not set",
	} {
		var stderr bytes.Buffer
		require.Equal(t, 1, run(process{environment: []string{"PORT=0", "HOST=127.0.0.1", "OTEL_LOGS_EXPORTER=otlp", setting}, stdout: io.Discard, stderr: &stderr}))
		require.Contains(t, stderr.String(), want)
		require.NotContains(t, stderr.String(), "hush")
	}
}
