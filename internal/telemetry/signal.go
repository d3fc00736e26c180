package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/time/rate"
)

const (
	// maxWaiting is how many spans, and how many log records, wait for the collector.
	maxWaiting = 4096
	// sayEvery is how often the log says that something is dropped.
	sayEvery = 10 * time.Minute
)

var (
	errFull = errors.New("too much waits for the collector already")
	errSlow = errors.New("the collector has not answered in time")
)

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
	of                *Telemetry
	name              string
	exported, dropped prometheus.Counter
	transport         http.RoundTripper

	waiting atomic.Int64
	says    rate.Sometimes // the log, that something is dropped

	resting atomic.Bool // the exporter may be waiting before it sends a batch again
	refusal error       // why a batch is not delivered yet; only the goroutine that exports uses it
}

func (t *Telemetry) newSignal(name string, c *Collector) *signal {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	s := &signal{
		of: t, name: name, transport: transport, says: rate.Sometimes{Interval: sayEvery},
		exported: t.counts.exported.WithLabelValues(name), dropped: t.counts.dropped.WithLabelValues(name),
	}
	t.signals = append(t.signals, s)
	return s
}

// client returns the client of an exporter.
func (s *signal) client(timeout time.Duration) *http.Client {
	return &http.Client{
		Transport: s,
		Timeout:   timeout,
		// A redirect would carry the headers to an address that nobody has named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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

// export lets an exporter send so many items, and counts what becomes of them. It returns no error:
// the SDK would only print that.
func (s *signal) export(ctx context.Context, items int, send func(context.Context) error) error {
	defer s.waiting.Add(int64(-items))
	s.resting.Store(false)
	s.refusal = errors.New("there was no time to send them")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.of.ctx, cancel)()
	defer context.AfterFunc(s.of.patience, func() {
		if s.resting.Load() {
			cancel()
		}
	})()
	lost := s.lost(send(ctx), items)
	if lost > 0 {
		s.drop(lost, s.refusal)
	}
	s.exported.Add(float64(items - lost))
	return nil
}

// rejection is how the error of an exporter ends if the collector has rejected a part of a batch.
var rejection = regexp.MustCompile(`\((\d+) \w+ rejected\)$`)

// lost returns how many of so many items an exporter has not delivered, by its error.
func (s *signal) lost(err error, items int) int {
	if err == nil {
		return 0
	}
	if s.refusal == nil { // the request has succeeded
		s.refusal = errors.New("the collector rejects them")
		if number := rejection.FindStringSubmatch(err.Error()); number != nil {
			if rejected, err := strconv.Atoi(number[1]); err == nil {
				return min(rejected, items)
			}
		}
	}
	return items
}

func (s *signal) drop(items int, why error) {
	s.dropped.Add(float64(items))
	s.says.Do(func() {
		s.of.logger.Warn("telemetry is dropped: see the metric signaling_telemetry_dropped_total", "signal", s.name, "error", why)
	})
}

// passing is an error after which an exporter sends a batch again. By itself it would give up at
// once if nothing listens, as while a collector is replaced.
type passing struct{ error }

// Temporary is what the exporter asks.
func (passing) Temporary() bool { return true }

// RoundTrip sends a request to the collector, and notes why that does not take it. The error of the
// exporter would not do for the log: it has the address, which may be secret, and the whole answer.
// It implements [http.RoundTripper].
func (s *signal) RoundTrip(r *http.Request) (*http.Response, error) {
	s.resting.Store(false)
	answer, err := s.transport.RoundTrip(r)
	switch {
	case err != nil && r.Context().Err() != nil:
		s.refusal, err = errSlow, passing{err}
	case err != nil:
		s.refusal, err = err, passing{err}
	case answer.StatusCode/100 == 2:
		s.refusal = nil
		return answer, nil
	default:
		s.refusal = fmt.Errorf("the collector answers %d", answer.StatusCode)
	}
	s.resting.Store(true)
	if s.of.patience.Err() == nil {
		return answer, err // the exporter knows what it may repeat
	}
	if err == nil {
		answer.Body.Close()
	}
	return nil, s.refusal
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

// spanExporter counts the spans that an exporter sends.
type spanExporter struct {
	sdktrace.SpanExporter
	signal *signal
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return e.signal.export(ctx, len(spans), func(ctx context.Context) error { return e.SpanExporter.ExportSpans(ctx, spans) })
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

// recordExporter counts the log records that an exporter sends.
type recordExporter struct {
	sdklog.Exporter
	signal *signal
}

// Export implements [sdklog.Exporter].
func (e recordExporter) Export(ctx context.Context, records []sdklog.Record) error {
	return e.signal.export(ctx, len(records), func(ctx context.Context) error { return e.Exporter.Export(ctx, records) })
}
