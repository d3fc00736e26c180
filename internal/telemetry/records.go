package telemetry

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
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
