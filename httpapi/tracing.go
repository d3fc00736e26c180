package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/sse"
)

// The names of what a span says. Those with http., network. and url. are of OpenTelemetry's
// semantic conventions for HTTP (stable, 1.23 and later); the others are the server's own. No span
// has a token, a payload, a room, a user or an address: the socket ID leads to the log line with
// these.
const (
	spanMethod   = attribute.Key("http.request.method")
	spanRoute    = attribute.Key("http.route")
	spanStatus   = attribute.Key("http.response.status_code")
	spanScheme   = attribute.Key("url.scheme")
	spanProtocol = attribute.Key("network.protocol.version")
	spanError    = attribute.Key("error.type")

	spanProblem = attribute.Key("signaling.problem")
	spanEvent   = attribute.Key("signaling.event.type")
	spanOutcome = attribute.Key("signaling.event.outcome")
	spanRepeat  = attribute.Key("signaling.repeat")
)

// other stands for a method or a type that the server does not know.
const other = "_OTHER"

// traced is an answer whose request has a span. The span ends with the answer. That of a stream
// or a poll ends when the answer begins: a span is only seen when it has ended, and a stream may
// live for days. What happens to the stream later has spans of its own, and log lines.
type traced struct {
	http.ResponseWriter
	span   trace.Span
	isLong bool // the answer may last
	status int
	ended  bool
}

// trace begins the span of a request. Its parent is what traceparent names (W3C Trace Context),
// if that is valid.
func (a *API) trace(w http.ResponseWriter, r *http.Request) (*traced, *http.Request) {
	method, scheme := knownMethod(r.Method), "http"
	if a.isEncrypted(r) {
		scheme = "https"
	}
	ctx, span := a.tracer.Start(parentOf(r), nameOf(method), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		spanMethod.String(method), spanScheme.String(scheme), spanProtocol.String(versionOf(r))))
	return &traced{ResponseWriter: w, span: span, isLong: kindOf(r) == limits.Reading}, r.WithContext(ctx)
}

// parentOf returns the context of a request, with the span that has caused the request.
func parentOf(r *http.Request) context.Context {
	if len(r.Header["Traceparent"]) != 1 { // of several, none is right
		return r.Context()
	}
	return propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return other
}

// nameOf returns how the name of a span begins. The conventions want HTTP for an unknown method.
func nameOf(method string) string {
	if method == other {
		return "HTTP"
	}
	return method
}

// versionOf returns the version of HTTP, as the conventions write it: 1.1 or 2.
func versionOf(r *http.Request) string {
	if r.ProtoMajor >= 2 {
		return strconv.Itoa(r.ProtoMajor)
	}
	return strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}

// WriteHeader implements [http.ResponseWriter].
func (t *traced) WriteHeader(status int) {
	if t.status == 0 && status >= http.StatusOK {
		t.begin(status)
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (t *traced) Write(part []byte) (int, error) {
	if t.status == 0 {
		t.begin(http.StatusOK)
	}
	return t.ResponseWriter.Write(part)
}

// Unwrap is for [http.ResponseController].
func (t *traced) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// begin notes that the answer begins.
func (t *traced) begin(status int) {
	t.status = status
	if t.isLong {
		t.end()
	}
}

// end ends the span, unless it has ended. A request without an answer has no status.
func (t *traced) end() {
	if t.ended {
		return
	}
	t.ended = true
	if t.status != 0 {
		t.span.SetAttributes(spanStatus.Int(t.status))
	}
	if t.status >= http.StatusInternalServerError {
		t.span.SetAttributes(spanError.String(strconv.Itoa(t.status)))
		t.span.SetStatus(codes.Error, "")
	}
	t.span.End()
}

// beginParked notes that an answer begins on a parked connection.
func beginParked(w http.ResponseWriter) {
	for {
		switch answer := w.(type) {
		case *traced:
			answer.begin(http.StatusOK)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = answer.Unwrap()
		default:
			return
		}
	}
}

// variables are the variable parts of a path in httprouter's notation.
var variables = regexp.MustCompile(`[:*](\w+)`)

// named wraps the handler of a route, so that the span has its name.
func (a *API) named(path string, next handler) handler {
	if a.tracer == nil {
		return next
	}
	path = variables.ReplaceAllString(path, "{$1}") // as the contract writes it
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		span := trace.SpanFromContext(r.Context())
		span.SetName(knownMethod(r.Method) + " " + path)
		span.SetAttributes(spanRoute.String(path))
		return next(w, r, p)
	}
}

// traceRefusal notes in the span of a request why it was refused.
func (a *API) traceRefusal(ctx context.Context, problem string) {
	if a.tracer != nil {
		trace.SpanFromContext(ctx).SetAttributes(spanProblem.String(problem))
	}
}

// traceSocket notes in the span of a request which socket posts.
func (a *API) traceSocket(ctx context.Context, socket sse.Ref) {
	if a.tracer != nil {
		trace.SpanFromContext(ctx).SetAttributes(sse.SpanSocket.String(socket.SocketID()))
	}
}

// eventSpans are the spans of the events of a POST, in their order. They begin when their event is
// read, and all end when the POST was applied. Nil: nothing is traced. One goroutine uses them.
type eventSpans struct {
	tracer trace.Tracer
	ctx    context.Context // of the POST
	all    []trace.Span
}

// eventSpans returns no spans yet.
func (a *API) eventSpans(ctx context.Context) *eventSpans {
	if a.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return nil
	}
	return &eventSpans{tracer: a.tracer, ctx: ctx}
}

// traceID returns the ID of the trace that the spans are of.
func (s *eventSpans) traceID() (id trace.TraceID) {
	if s != nil {
		id = trace.SpanContextFromContext(s.ctx).TraceID()
	}
	return id
}

// now returns when the next span begins.
func (s *eventSpans) now() (t time.Time) {
	if s != nil {
		t = time.Now()
	}
	return t
}

// add begins the span of the next event. The type is empty if the event has none that is known.
func (s *eventSpans) add(began time.Time, kind string) {
	if s == nil {
		return
	}
	if kind == "" {
		kind = other
	}
	_, span := s.tracer.Start(s.ctx, "event "+kind, trace.WithTimestamp(began), trace.WithAttributes(spanEvent.String(kind)))
	s.all = append(s.all, span)
}

// end ends all spans with the outcomes of their events, or with the error of the whole POST.
func (s *eventSpans) end(outcomes machine.Outcomes, isRepeat bool, err error) {
	if s == nil {
		return
	}
	if isRepeat {
		trace.SpanFromContext(s.ctx).SetAttributes(spanRepeat.Bool(true))
	}
	for i, span := range s.all {
		outcome := err
		if err == nil && i < len(outcomes) {
			outcome = outcomes.At(i).Err()
		}
		span.SetAttributes(spanOutcome.String(outcomeName(outcome)))
		span.End()
	}
}

// outcomeName returns accepted, or the name of the problem that the client gets.
func outcomeName(refusal error) string {
	if refusal == nil {
		return "accepted"
	}
	if p, _ := problemFor(refusal); p != nil {
		return p.Name
	}
	return "failed"
}
