package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is what answers requests. Time is faked, so there is no network.
type collector func(*http.Request) (*http.Response, error)

func (c collector) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

func answer(status int, header, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {header}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// start starts an export to a collector, and returns its log.
func start(c collector) (*Telemetry, *bytes.Buffer) {
	log := new(bytes.Buffer)
	t := Start(Options{TracesURL: "http://c/hush/v1/traces", LogsURL: "http://c/hush/v1/logs", Logger: slog.New(slog.NewTextHandler(log, nil))})
	t.transit.client.Transport = c
	return t, log
}

func (t *Telemetry) spans(n int) {
	for range n {
		_, span := t.Tracer().Start(context.Background(), "x")
		span.End()
	}
}

func (t *Telemetry) dropped(signal string) float64 {
	return testutil.ToFloat64(t.counts.dropped.WithLabelValues(signal))
}

func (t *Telemetry) done(signal string) float64 {
	return testutil.ToFloat64(t.counts.exported.WithLabelValues(signal))
}

func TestWhatACollectorDoesNotTakeIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const more = 1000
		exported, log := start(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done() // it never answers
			return nil, r.Context().Err()
		})
		began := time.Now()
		exported.spans(maxWaiting + more)
		logger := slog.New(exported.Handler(slog.DiscardHandler))
		for range maxWaiting + more {
			logger.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "x", 0))
		}
		require.Equal(t, began, time.Now(), "nobody waits")
		require.EqualValues(t, more, exported.dropped("traces"))
		require.EqualValues(t, more, exported.dropped("logs"))

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.NoError(t, exported.Shutdown(ctx))
		require.Equal(t, 3*time.Second, time.Since(began), "the stop has a bound")
		require.EqualValues(t, maxWaiting+more, exported.dropped("traces"))
		require.EqualValues(t, maxWaiting+more, exported.dropped("logs"))
		require.Equal(t, 2, strings.Count(log.String(), "\n"), log)
		require.NotContains(t, log.String(), "hush")
	})
}

func TestACollectorThatIsBusyIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		exported, log := start(func(*http.Request) (*http.Response, error) {
			switch at = append(at, time.Since(began)); len(at) {
			case 1:
				return nil, errors.New("no route")
			case 2:
				return answer(http.StatusServiceUnavailable, "7", "")
			}
			return answer(http.StatusOK, "", "")
		})
		exported.spans(3)
		time.Sleep(time.Minute)
		require.NoError(t, exported.Shutdown(t.Context()))
		require.Equal(t, []time.Duration{5 * time.Second, 6 * time.Second, 13 * time.Second}, at)
		require.EqualValues(t, 3, exported.done("traces"))
		require.Zero(t, exported.dropped("traces"))
		require.Empty(t, log.String())
	})
}

func TestARefusalIsNotRepeated(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusFound, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			exported, log := start(func(*http.Request) (*http.Response, error) {
				asked++
				return answer(status, "", "")
			})
			exported.spans(3)
			require.NoError(t, exported.Shutdown(t.Context()))
			require.Equal(t, 1, asked)
			require.EqualValues(t, 3, exported.dropped("traces"))
			require.Contains(t, log.String(), fmt.Sprint("the collector answers ", status))
		})
	}
}

func TestWhatACollectorRejectsIsCounted(t *testing.T) {
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2)
	reply := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	synctest.Test(t, func(t *testing.T) {
		exported, _ := start(func(*http.Request) (*http.Response, error) { return answer(http.StatusOK, "", string(reply)) })
		exported.spans(3)
		require.NoError(t, exported.Shutdown(t.Context()))
		require.EqualValues(t, 2, exported.dropped("traces"))
		require.EqualValues(t, 1, exported.done("traces"))
	})
}

// An answer may be any bytes: a proxy may have written it.
func FuzzAnswersOfCollectors(f *testing.F) {
	f.Add([]byte("<html>"))
	f.Add([]byte{0x0a, 0x02, 0x08, 0x02})
	f.Fuzz(func(t *testing.T, reply []byte) {
		if n := rejectedIn(reply); n < 0 || n > maxWaiting {
			t.Errorf("%d are rejected", n)
		}
	})
}

func TestTheSamplersAreThoseOfTheSpecification(t *testing.T) {
	for name, want := range map[string][3]bool{ // without a parent, of a sampled parent, of another
		"always_on": {true, true, true}, "always_off": {false, false, false}, "traceidratio": {false, false, false},
		"parentbased_always_on": {true, true, false}, "parentbased_always_off": {false, true, false}, "parentbased_traceidratio": {false, true, false},
		"": {true, true, false},
	} {
		exported := Start(Options{TracesURL: "http://c", Sampler: name, Share: 0})
		exported.transit.client.Transport = collector(func(*http.Request) (*http.Response, error) { return answer(http.StatusOK, "", "") })
		var got [3]bool
		for i, flags := range []trace.TraceFlags{0, trace.FlagsSampled, 0} {
			ctx := t.Context()
			if i > 0 {
				ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags}))
			}
			_, span := exported.Tracer().Start(ctx, "x")
			got[i] = span.SpanContext().IsSampled()
			span.End()
		}
		require.Equal(t, want, got, name)
		require.NoError(t, exported.Shutdown(t.Context()))
	}
}

// hidden hides its field from fmt, as a token does.
type hidden struct{ Secret string }

func (hidden) String() string { return "[secret]" }

func TestWhatTheLogHidesIsNotExported(t *testing.T) {
	var body []byte
	exported, _ := start(func(r *http.Request) (*http.Response, error) {
		body, _ = io.ReadAll(r.Body)
		return answer(http.StatusOK, "", "")
	})
	logger := slog.New(exported.Handler(slog.NewTextHandler(io.Discard, nil))).With("of", "logger")
	logger.Info("x", "token", hidden{"hush"}, "took", 1500*time.Millisecond, "count", 7, "is", true, "half", 0.5, "error", errors.New("why"))
	require.NoError(t, exported.Shutdown(t.Context()))
	for _, want := range []string{"[secret]", "1.5s", "why", "logger"} {
		require.Contains(t, string(body), want)
	}
	require.NotContains(t, string(body), "hush")
}

func TestNoTelemetryIsNothing(t *testing.T) {
	var none *Telemetry
	require.Nil(t, none.Tracer())
	require.Nil(t, none.Collectors())
	require.Equal(t, slog.DiscardHandler, none.Handler(slog.DiscardHandler))
	require.NoError(t, none.Shutdown(t.Context()))
}

// The attributes of spans arrive as they were set.
func TestASpanArrivesWhole(t *testing.T) {
	var all tracepb.TracesData
	exported, _ := start(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		require.NoError(t, proto.Unmarshal(body, &all))
		return answer(http.StatusOK, "", "")
	})
	_, span := exported.Tracer().Start(t.Context(), "x", trace.WithAttributes(attribute.Int("n", 7)))
	span.End()
	require.NoError(t, exported.Shutdown(t.Context()))
	got := all.ResourceSpans[0].ScopeSpans[0]
	require.Equal(t, scope, got.Scope.Name)
	require.EqualValues(t, 7, got.Spans[0].Attributes[0].Value.GetIntValue())
}
