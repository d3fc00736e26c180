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
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is what answers requests. Time is faked, so there is no network.
type collector func(*http.Request) (*http.Response, error)

func (c collector) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

func answer(status int, header http.Header, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// start starts an export to a collector, and returns its log.
func start(c collector) (*Telemetry, *bytes.Buffer) {
	log := new(bytes.Buffer)
	t, err := Start(Options{Traces: &Collector{URL: "http://c/hush/v1/traces"}, Logs: &Collector{URL: "http://c/hush/v1/logs"}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		panic(err)
	}
	for _, s := range t.signals {
		s.transport = c
	}
	return t, log
}

func (t *Telemetry) spans(n int) {
	for range n {
		_, span := t.Tracer().Start(context.Background(), "x")
		span.End()
	}
}

func (t *Telemetry) records(n int) {
	handler := t.Handler(slog.DiscardHandler)
	for range n {
		handler.Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelInfo, "x", 0))
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
		exported.records(maxWaiting + more)
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

func TestTheLogSaysThatACollectorDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exported, log := start(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		exported.spans(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, exported.Shutdown(ctx))
		require.Contains(t, log.String(), `error="the collector has not answered in time"`)
	})
}

func TestACollectorThatIsBusyIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		exported, log := start(func(*http.Request) (*http.Response, error) {
			switch at = append(at, time.Now()); len(at) {
			case 1:
				return nil, errors.New("no route")
			case 2:
				return answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {"15"}}, "")
			}
			return answer(http.StatusOK, nil, "")
		})
		exported.spans(3)
		time.Sleep(time.Minute)
		require.NoError(t, exported.Shutdown(t.Context()))
		require.Len(t, at, 3)
		require.GreaterOrEqual(t, at[2].Sub(at[1]), 15*time.Second)
		require.EqualValues(t, 3, exported.done("traces"))
		require.Zero(t, exported.dropped("traces"))
		require.Empty(t, log.String())
	})
}

func TestAStopWaitsForNoSecondAttempt(t *testing.T) {
	for _, isUp := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			exported, _ := start(func(*http.Request) (*http.Response, error) {
				asked++
				if isUp {
					return answer(http.StatusServiceUnavailable, nil, "")
				}
				return nil, errors.New("no route")
			})
			exported.spans(3)
			time.Sleep(6 * time.Second)
			synctest.Wait()
			require.Equal(t, 1, asked)
			exported.spans(2)
			began := time.Now()
			require.NoError(t, exported.Shutdown(t.Context()))
			require.Equal(t, began, time.Now())
			require.Equal(t, 2, asked)
			require.EqualValues(t, 5, exported.dropped("traces"))
		})
	}
}

func TestARefusalIsNotRepeated(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusTemporaryRedirect, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			exported, log := start(func(*http.Request) (*http.Response, error) {
				asked++
				return answer(status, http.Header{"Location": {"http://elsewhere"}}, "hush (1 spans rejected)")
			})
			exported.spans(3)
			time.Sleep(time.Minute)
			require.NoError(t, exported.Shutdown(t.Context()))
			require.Equal(t, 1, asked)
			require.EqualValues(t, 3, exported.dropped("traces"))
			require.Contains(t, log.String(), fmt.Sprint("the collector answers ", status))
			require.NotContains(t, log.String(), "hush")
		})
	}
}

// Both signals have the same numbers in their answers.
func TestWhatACollectorRejectsIsCounted(t *testing.T) {
	for rejected, lost := range map[int64]int{0: 0, 2: 2, 3: 3, 7: 3, -1: 3} {
		reply, err := proto.Marshal(&coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: "hush\n"}})
		require.NoError(t, err)
		synctest.Test(t, func(t *testing.T) {
			exported, log := start(func(*http.Request) (*http.Response, error) {
				return answer(http.StatusOK, http.Header{"Content-Type": {"application/x-protobuf"}}, string(reply))
			})
			exported.spans(3)
			exported.records(3)
			require.NoError(t, exported.Shutdown(t.Context()))
			for _, signal := range []string{"traces", "logs"} {
				require.EqualValues(t, lost, exported.dropped(signal))
				require.EqualValues(t, 3-lost, exported.done(signal))
			}
			require.NotContains(t, log.String(), "hush")
		})
	}
}

func TestTheSDKReadsItsVariables(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "soon")
	exported, log := start(nil)
	_, span := exported.Tracer().Start(t.Context(), "x")
	require.False(t, span.SpanContext().IsSampled())
	require.Contains(t, log.String(), "OTEL_BLRP_SCHEDULE_DELAY")
	require.NoError(t, exported.Shutdown(t.Context()))
}

// hidden hides its field from fmt, as a token does.
type hidden struct{ Secret string }

func (hidden) String() string { return "[secret]" }

func TestWhatTheLogHidesIsNotExported(t *testing.T) {
	var body []byte
	exported, _ := start(func(r *http.Request) (*http.Response, error) {
		body, _ = io.ReadAll(r.Body)
		return answer(http.StatusOK, nil, "")
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

// The attributes of spans arrive as they were set. A span that another package makes within is of the same scope.
func TestASpanArrivesWhole(t *testing.T) {
	var all tracepb.TracesData
	exported, _ := start(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		require.NoError(t, proto.Unmarshal(body, &all))
		return answer(http.StatusOK, nil, "")
	})
	ctx, span := exported.Tracer().Start(t.Context(), "x", trace.WithAttributes(attribute.Int("n", 7)))
	span.End()
	_, within := span.TracerProvider().Tracer("signaling-server").Start(ctx, "y")
	within.End()
	require.NoError(t, exported.Shutdown(t.Context()))
	require.Len(t, all.ResourceSpans[0].ScopeSpans, 1)
	got := all.ResourceSpans[0].ScopeSpans[0]
	require.Equal(t, scope, got.Scope.Name)
	require.EqualValues(t, 7, got.Spans[0].Attributes[0].Value.GetIntValue())
}
