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

// SetTrace names the trace of the events that the socket's client causes from now on. The zero ID
// says that they have none. [Options].OnDelivery and [Hub.Context] tell the ID, and no client gets it.
// If a client has two POSTs under way at once, an event of one may get the trace of the other.
func (r Ref) SetTrace(id trace.TraceID) {
	if id.IsValid() {
		r.socket.trace.Store(&id)
	} else {
		r.socket.trace.Store(nil)
	}
}

// Context returns a context for lines of the log about a socket. It has the trace that [Ref.SetTrace]
// has named, if there is one. Any goroutine may call it.
func (h *Hub) Context(socketID string) context.Context {
	ctx := context.Background()
	if s := h.socket(socketID); s != nil {
		if id := s.trace.Load(); id != nil {
			ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: *id}))
		}
	}
	return ctx
}

// traceID returns the ID of the event's trace, or zero.
func (e *event) traceID() (id trace.TraceID) {
	if e.trace != nil {
		id = *e.trace
	}
	return id
}
