// Package telemetry exports spans and log records by OTLP over HTTP (OpenTelemetry Protocol 1.x,
// binary Protobuf). It alone imports the SDK of OpenTelemetry and its exporters. The other packages
// make spans by its API, go.opentelemetry.io/otel/trace.
//
// A collector that is slow or gone never delays a request: what waits for it is bounded, and
// the rest is dropped and counted.
package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say what is exported. The SDK itself reads the other variables that the specification has
// for it: headers, compression, sampler, resource and batches. It passes over wrong values, so the
// caller checks them.
type Options struct {
	Traces *Collector // takes spans; nil: none are made
	Logs   *Collector // takes log records; nil: none are exported

	Resource map[string]string // what all spans and records say of this server; variables win

	// Logger logs that something was dropped. It must not be exported itself.
	Logger *slog.Logger
}

// Collector is an address that takes spans or log records.
type Collector struct {
	URL     string        // with its whole path
	Timeout time.Duration // of one request; 0: none
	TLS     *tls.Config   // nil: the authorities of the system are trusted
}

// Telemetry exports spans and log records until Shutdown. A nil Telemetry exports nothing.
// Any goroutine may call its methods.
type Telemetry struct {
	tracer   trace.Tracer // nil: no spans are made
	exported slog.Handler // nil: no log records are exported
	logger   *slog.Logger
	counts   counts
	signals  []*signal
	stops    []func(context.Context) error

	ctx      context.Context // ends when nothing more is sent
	stop     context.CancelFunc
	patience context.Context // ends when nothing is sent a second time
	hurry    context.CancelFunc
}

// scope names the origin of the spans and records. It has no version: the resource says that, and
// package cluster, which makes spans of this scope too, knows none.
const scope = "signaling-server"

// Start starts the export. Nothing is sent before there is something to export. What the SDK finds
// wrong goes to the logger.
func Start(o Options) (*Telemetry, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Logger.Warn("OpenTelemetry reports an error", "error", err) }))
	var own []attribute.KeyValue
	for name, value := range o.Resource {
		own = append(own, attribute.String(name, value))
	}
	about, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(own...), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	t := &Telemetry{logger: o.Logger, counts: newCounts()}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.patience, t.hurry = context.WithCancel(t.ctx)
	if c := o.Traces; c != nil {
		s := t.newSignal("traces", c)
		exporter := otlptracehttp.NewUnstarted(otlptracehttp.WithEndpointURL(c.URL), otlptracehttp.WithHTTPClient(s.client(c.Timeout)))
		batches := sdktrace.NewBatchSpanProcessor(spanExporter{exporter, s}, sdktrace.WithMaxQueueSize(maxWaiting))
		provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSpanProcessor(spanGate{batches, s}))
		t.tracer = provider.Tracer(scope)
		t.stops = append(t.stops, provider.Shutdown)
	}
	if c := o.Logs; c != nil {
		s := t.newSignal("logs", c)
		exporter, err := otlploghttp.New(t.ctx, otlploghttp.WithEndpointURL(c.URL), otlploghttp.WithHTTPClient(s.client(c.Timeout)),
			otlploghttp.WithTLSClientConfig(nil)) // the client has it
		if err != nil {
			return nil, errors.Join(err, t.Shutdown(t.ctx))
		}
		batches := sdklog.NewBatchProcessor(recordExporter{exporter, s}, sdklog.WithMaxQueueSize(maxWaiting))
		provider := sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(recordGate{batches, s}))
		t.exported = otelslog.NewHandler(scope, otelslog.WithLoggerProvider(provider))
		t.stops = append(t.stops, provider.Shutdown)
	}
	return t, nil
}

// Tracer returns what makes spans, or nil if none are made.
func (t *Telemetry) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.tracer
}

// Collectors returns the metrics of the export.
func (t *Telemetry) Collectors() []prometheus.Collector {
	if t == nil {
		return nil
	}
	return []prometheus.Collector{t.counts.exported, t.counts.dropped}
}

// Shutdown exports what waits, until ctx is done, and stops the export. What waits after
// that is dropped. It returns when all goroutines of the export have ended.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	t.hurry()
	defer context.AfterFunc(ctx, t.stop)()
	defer t.stop()
	var errs []error
	for _, stop := range t.stops {
		// The goroutines of the SDK would outlive a context that ends. So its context does not
		// end: what they wait for does.
		errs = append(errs, stop(context.WithoutCancel(ctx)))
	}
	for _, s := range t.signals {
		(&http.Client{Transport: s.transport}).CloseIdleConnections()
	}
	return errors.Join(errs...)
}
