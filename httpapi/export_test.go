package httpapi

import (
	"context"

	"signaling-server/sse"
)

// ShareOfTime makes shareOfTime visible to the tests.
var ShareOfTime = shareOfTime

// SkipSpans does what a POST of an event does for its spans, if nothing is traced.
func SkipSpans(ctx context.Context) {
	var a API
	spans := a.eventSpans(ctx)
	spans.add(spans.now(), "offer")
	spans.end("", false, nil)
	a.traceSocket(ctx, sse.Ref{})
	a.traceRefusal(ctx, "rate-limited")
}
