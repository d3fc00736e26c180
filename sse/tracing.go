package sse

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// What the span of a request says of the socket that it reads, or for which it posts.
const (
	SpanSocket  = attribute.Key("signaling.socket.id")
	spanResumed = attribute.Key("signaling.socket.resumed")
)

// traceReader notes in the span of a request which socket it reads, and whether that is new.
func traceReader(ctx context.Context, s *socket, isResumed bool) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(SpanSocket.String(s.id), spanResumed.Bool(isResumed))
	}
}
