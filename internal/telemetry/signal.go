package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// maxWaiting is how many spans, and how many log records, wait for the collector.
	maxWaiting = 4096
	// sayEvery is how often the log says that something is dropped.
	sayEvery = 10 * time.Minute
)

var errFull = errors.New("too much waits for the collector already")

// counts are the metrics of the export, by signal.
type counts struct{ exported, dropped *prometheus.CounterVec }

func newCounts() counts {
	of := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"signal"})
	}
	return counts{
		of("signaling_telemetry_exported_total", "Spans and log records that a collector has taken."),
		of("signaling_telemetry_dropped_total", "Spans and log records that were dropped, because the collector did not take them in time or at all."),
	}
}

// signal is what is exported of one kind: spans, or log records. The SDK gathers them in
// batches, but does not say what it drops. So a signal admits only what the SDK has room for.
type signal struct {
	// set once
	name              string
	url               string
	transit           *transit
	exported, dropped prometheus.Counter
	logger            *slog.Logger

	waiting atomic.Int64

	mu   sync.Mutex
	said time.Time // when the log last said that something is dropped
}

func newSignal(name, url string, t *transit, c counts, logger *slog.Logger) *signal {
	return &signal{name: name, url: url, transit: t, exported: c.exported.WithLabelValues(name), dropped: c.dropped.WithLabelValues(name), logger: logger}
}

// admit reports whether one more may wait. Otherwise it is dropped.
func (s *signal) admit() bool {
	if s.waiting.Add(1) <= maxWaiting {
		return true
	}
	s.waiting.Add(-1)
	s.drop(1, errFull)
	return false
}

// export sends a message with so many items. It returns no error: the SDK would only print that.
func (s *signal) export(ctx context.Context, m proto.Message, items int) {
	defer s.waiting.Add(int64(-items))
	rejected, err := s.transit.send(ctx, s.url, m)
	if err != nil {
		s.drop(items, err)
		return
	}
	rejected = min(rejected, items)
	s.exported.Add(float64(items - rejected))
	if rejected > 0 {
		s.drop(rejected, errors.New("the collector rejects some of them"))
	}
}

func (s *signal) drop(items int, why error) {
	s.dropped.Add(float64(items))
	s.mu.Lock()
	isNew := s.said.IsZero() || time.Since(s.said) >= sayEvery
	if isNew {
		s.said = time.Now()
	}
	s.mu.Unlock()
	if isNew {
		s.logger.Warn("telemetry is dropped: see the metric signaling_telemetry_dropped_total", "signal", s.name, "error", why)
	}
}

// spanGate admits spans.
type spanGate struct {
	sdktrace.SpanProcessor
	signal *signal
}

// OnEnd implements [sdktrace.SpanProcessor].
func (g spanGate) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanContext().IsSampled() && g.signal.admit() {
		g.SpanProcessor.OnEnd(span)
	}
}

// traceClient sends spans. It implements otlptrace.Client.
type traceClient struct{ signal *signal }

// Start does nothing: a connection is opened when there is something to send.
func (traceClient) Start(context.Context) error { return nil }

// Stop does nothing: [Telemetry.Shutdown] closes the connections.
func (traceClient) Stop(context.Context) error { return nil }

// UploadTraces sends spans. TracesData has the bytes of ExportTraceServiceRequest, whose package
// links gRPC.
func (c traceClient) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	items := 0
	for _, of := range spans {
		for _, scope := range of.ScopeSpans {
			items += len(scope.Spans)
		}
	}
	c.signal.export(ctx, &tracepb.TracesData{ResourceSpans: spans}, items)
	return nil
}

// recordGate admits log records.
type recordGate struct {
	sdklog.Processor
	signal *signal
}

// OnEmit implements [sdklog.Processor].
func (g recordGate) OnEmit(ctx context.Context, r *sdklog.Record) error {
	if !g.signal.admit() {
		return nil
	}
	return g.Processor.OnEmit(ctx, r)
}

// logExporter sends log records. It implements [sdklog.Exporter].
type logExporter struct{ signal *signal }

// Export implements [sdklog.Exporter]. LogsData has the bytes of ExportLogsServiceRequest.
func (e logExporter) Export(ctx context.Context, records []sdklog.Record) error {
	e.signal.export(ctx, &logspb.LogsData{ResourceLogs: resourceLogs(records)}, len(records))
	return nil
}

// Shutdown does nothing: [Telemetry.Shutdown] closes the connections.
func (logExporter) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing: Export returns when its records are sent.
func (logExporter) ForceFlush(context.Context) error { return nil }
