package sse

import (
	"fmt"
	"net/http"
	"time"
)

// Refuse answers the request for a stream that cannot be served now. The status is 200,
// because an EventSource gives up for good after any other status (WHATWG HTML, 9.2.3).
// The only event is disconnected. The event has no id, so the client keeps its position.
// It sets the time after which the client comes back.
func Refuse(w http.ResponseWriter, reason string, retryAfter time.Duration) {
	setStreamHeaders(w.Header())
	e := newDisconnected(reason, "", retryAfter)
	fmt.Fprintf(w, "event: %s\nretry: %d\ndata: %s\n\n", e.kind, e.retry.Milliseconds(), e.line)
}

// streamHeaders tell proxies and browsers not to keep a stream back.
var streamHeaders = map[string]string{
	"Cache-Control":     "no-cache, no-store, no-transform",
	"X-Accel-Buffering": "no",
}

// setStreamHeaders sets the headers of a response that is a stream.
func setStreamHeaders(header http.Header) {
	header.Set("Content-Type", "text/event-stream")
	for name, value := range streamHeaders {
		header.Set(name, value)
	}
}
