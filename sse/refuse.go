package sse

import (
	"fmt"
	"net/http"
	"time"
)

// Refuse answers a stream that cannot be served now with status 200, the one
// event disconnected, and the end: EventSource gives up for good after any
// other status (WHATWG HTML, 9.2.3). The event bears no id, so that the client
// keeps its position, and sets the time after which it comes back.
func Refuse(w http.ResponseWriter, reason string, retryAfter time.Duration) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache, no-store, no-transform")
	header.Set("X-Accel-Buffering", "no")
	e := newDisconnected(reason, "", retryAfter)
	fmt.Fprintf(w, "event: %s\nretry: %d\ndata: %s\n\n", e.kind, e.retry.Milliseconds(), e.line)
}
