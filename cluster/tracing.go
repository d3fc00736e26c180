package cluster

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// spanRecord is the sequence of a record in the log.
const spanRecord = attribute.Key("signaling.cluster.record")

// appendSpan is the span of a command on its way through the log, from when it waits for a record
// until this node has applied that. The zero appendSpan is none.
type appendSpan struct{ trace.Span }

// startAppend begins a span, if the request that waits for the command has one. The record itself
// says nothing of it.
func startAppend(ctx context.Context) (s appendSpan) {
	if of := trace.SpanFromContext(ctx); of.IsRecording() {
		_, s.Span = of.TracerProvider().Tracer("signaling-server").Start(ctx, "append record")
	}
	return s
}

// end ends the span. The waiter is nil if the request has not waited to the end.
func (s appendSpan) end(w *waiter, err error) {
	if s.Span == nil {
		return
	}
	if w != nil && !w.sent.IsZero() {
		s.AddEvent("record sent", trace.WithTimestamp(w.sent))
	}
	if w != nil && w.record != 0 {
		s.SetAttributes(spanRecord.Int64(int64(w.record)))
	}
	if err != nil {
		s.SetStatus(codes.Error, err.Error())
	}
	s.End()
}
