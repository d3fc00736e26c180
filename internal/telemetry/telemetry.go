// Package telemetry exports spans and log records by OTLP over HTTP (OpenTelemetry Protocol 1.x,
// binary Protobuf). It alone imports the SDK of OpenTelemetry. The other packages make spans
// by its API, go.opentelemetry.io/otel/trace.
//
// A collector that is slow or gone never delays a request: what waits for it is bounded, and
// the rest is dropped and counted.
package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say what is exported, and to where.
type Options struct {
	TracesURL string // takes spans; empty: none are made
	LogsURL   string // takes log records; empty: none are exported

	Headers map[string]string // of each request to the URLs; they may be secret
	Gzip    bool              // requests are compressed
	Timeout time.Duration     // of one request
	TLS     *tls.Config       // nil: the authorities of the system are trusted

	Sampler  string            // a value of OTEL_TRACES_SAMPLER; empty: [DefaultSampler]
	Share    float64           // of the traces that a sampler takes by their IDs, from 0 to 1
	Resource map[string]string // what all spans and records say of this server
	Version  string            // of the server

	// Logger logs that something was dropped. It must not be exported itself.
	Logger *slog.Logger
}

// Telemetry exports spans and log records until Shutdown. A nil Telemetry exports nothing.
// Any goroutine may call its methods.
type Telemetry struct {
	tracer   trace.Tracer // nil: no spans are made
	exported slog.Handler // nil: no log records are exported
	stops    []func(context.Context) error
	transit  *transit
	counts   counts
}

// scope names the origin of the spans and records.
const scope = "signaling-server"

// Start starts the export. Nothing is sent before there is something to export.
func Start(o Options) *Telemetry {
	t := &Telemetry{transit: newTransit(o), counts: newCounts()}
	about := describe(o.Resource)
	if o.TracesURL != "" {
		s := newSignal("traces", o.TracesURL, t.transit, t.counts, o.Logger)
		exporter := otlptrace.NewUnstarted(traceClient{s})
		batches := sdktrace.NewBatchSpanProcessor(exporter, sdktrace.WithMaxQueueSize(maxWaiting))
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(samplerOf(o.Sampler, o.Share)), sdktrace.WithResource(about),
			sdktrace.WithSpanProcessor(spanGate{batches, s}))
		t.tracer = provider.Tracer(scope, trace.WithInstrumentationVersion(o.Version))
		t.stops = append(t.stops, provider.Shutdown)
	}
	if o.LogsURL != "" {
		s := newSignal("logs", o.LogsURL, t.transit, t.counts, o.Logger)
		batches := sdklog.NewBatchProcessor(logExporter{s}, sdklog.WithMaxQueueSize(maxWaiting))
		provider := sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(recordGate{batches, s}))
		t.exported = otelslog.NewHandler(scope, otelslog.WithLoggerProvider(provider), otelslog.WithVersion(o.Version))
		t.stops = append(t.stops, provider.Shutdown)
	}
	return t
}

// describe returns the resource with these attributes.
func describe(attributes map[string]string) *resource.Resource {
	var all []attribute.KeyValue
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		all = append(all, attribute.String(key, attributes[key]))
	}
	about, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(all...))
	if err != nil {
		panic(err) // only if detectors fail, and these cannot
	}
	return about
}

// samplers are those that OTEL_TRACES_SAMPLER may name.
var samplers = map[string]func(share float64) sdktrace.Sampler{
	"always_on":                func(float64) sdktrace.Sampler { return sdktrace.AlwaysSample() },
	"always_off":               func(float64) sdktrace.Sampler { return sdktrace.NeverSample() },
	"traceidratio":             sdktrace.TraceIDRatioBased,
	"parentbased_always_on":    func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.AlwaysSample()) },
	"parentbased_always_off":   func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.NeverSample()) },
	"parentbased_traceidratio": func(share float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share)) },
}

// DefaultSampler is the sampler that OpenTelemetry demands by default.
const DefaultSampler = "parentbased_always_on"

func samplerOf(name string, share float64) sdktrace.Sampler {
	if sampler := samplers[name]; sampler != nil {
		return sampler(share)
	}
	return samplers[DefaultSampler](share)
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
	t.transit.hurry()
	cut := context.AfterFunc(ctx, t.transit.stop)
	defer cut()
	var errs []error
	for _, stop := range t.stops {
		// The goroutines of the SDK would outlive a context that ends. So its context does not
		// end: what they wait for does.
		errs = append(errs, stop(context.WithoutCancel(ctx)))
	}
	t.transit.stop()
	if transport, ok := t.transit.client.Transport.(*http.Transport); ok {
		transport.CloseIdleConnections()
	}
	return errors.Join(errs...)
}
