package telemetry

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

// Handler returns a handler that exports the records that next logs. If spans are made, next
// gets each record with the ID of its trace, as trace_id.
func (t *Telemetry) Handler(next slog.Handler) slog.Handler {
	if t == nil {
		return next
	}
	return handler{next, t.exported}
}

type handler struct {
	slog.Handler
	exported slog.Handler // nil: records are not exported
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if h.exported != nil {
		_ = h.exported.Handle(ctx, asText(r)) // it only queues the record, and counts what it drops
	}
	if of := trace.SpanContextFromContext(ctx); of.HasTraceID() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", of.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	if h.exported != nil {
		h.exported = h.exported.WithAttrs(attrs)
	}
	return h
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	if h.exported != nil {
		h.exported = h.exported.WithGroup(name)
	}
	return h
}

// asText returns a record whose values are texts and numbers. The bridge would read the fields
// of a value that hides them from fmt, as a token does.
func asText(r slog.Record) slog.Record {
	own := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Value = a.Value.Resolve(); a.Value.Kind() {
		case slog.KindAny, slog.KindDuration, slog.KindTime:
			a.Value = slog.StringValue(fmt.Sprint(a.Value.Any()))
		}
		own.AddAttrs(a)
		return true
	})
	return own
}

// resourceLogs returns records in the form of OTLP. All have one resource, since they come from
// one provider.
func resourceLogs(records []sdklog.Record) []*logspb.ResourceLogs {
	if len(records) == 0 {
		return nil
	}
	about := records[0].Resource()
	all := &logspb.ResourceLogs{Resource: &resourcepb.Resource{Attributes: keyValues(about.Attributes())}, SchemaUrl: about.SchemaURL()}
	scopes := make(map[instrumentation.Scope]*logspb.ScopeLogs)
	for i := range records {
		origin := records[i].InstrumentationScope()
		of := scopes[origin]
		if of == nil {
			of = &logspb.ScopeLogs{Scope: &commonpb.InstrumentationScope{Name: origin.Name, Version: origin.Version}, SchemaUrl: origin.SchemaURL}
			scopes[origin] = of
			all.ScopeLogs = append(all.ScopeLogs, of)
		}
		of.LogRecords = append(of.LogRecords, logRecord(&records[i]))
	}
	return []*logspb.ResourceLogs{all}
}

func logRecord(r *sdklog.Record) *logspb.LogRecord {
	record := &logspb.LogRecord{
		TimeUnixNano:         uint64(max(0, r.Timestamp().UnixNano())),
		ObservedTimeUnixNano: uint64(max(0, r.ObservedTimestamp().UnixNano())),
		SeverityNumber:       logspb.SeverityNumber(r.Severity()), // both have the numbers of the specification
		SeverityText:         r.SeverityText(),
		Body:                 valueOf(r.Body()),
		Flags:                uint32(r.TraceFlags()),
	}
	r.WalkAttributes(func(a attribute.KeyValue) bool {
		record.Attributes = append(record.Attributes, keyValue(a))
		return true
	})
	if id := r.TraceID(); id.IsValid() {
		record.TraceId = id[:]
	}
	if id := r.SpanID(); id.IsValid() {
		record.SpanId = id[:]
	}
	return record
}

func keyValues(all []attribute.KeyValue) (pairs []*commonpb.KeyValue) {
	for _, a := range all {
		pairs = append(pairs, keyValue(a))
	}
	return pairs
}

func keyValue(a attribute.KeyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: string(a.Key), Value: valueOf(a.Value)}
}

// valueOf returns a value in the form of OTLP. What [asText] leaves has few types; any other is
// a text.
func valueOf(v attribute.Value) *commonpb.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v.String()}}
}
