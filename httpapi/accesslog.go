package httpapi

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signaling-server/httpapi/excerpt"
)

// logsRequests reports whether each request is logged.
func (a *API) logsRequests(r *http.Request) bool {
	return a.logger.Enabled(r.Context(), slog.LevelDebug)
}

// log logs a request that has ended, without anything that may be a secret.
func (a *API) log(answer *recordedAnswer, r *http.Request) {
	a.logger.LogAttrs(r.Context(), slog.LevelDebug, "request",
		slog.String("method", excerpt.Of(r.Method)), slog.String("path", loggedPath(r.URL.Path)), slog.String("query", loggedQuery(r.URL.RawQuery)),
		slog.Int("status", answer.status), slog.Int64("bytes", answer.bytes), slog.Duration("took", time.Since(answer.began).Round(time.Microsecond)),
		slog.String("ip", a.clientOf(r).IP), slog.String("protocol", r.Proto))
}

// parameters are the query parameters that the API knows.
var parameters = []string{"after", "cursor", "id", "lastEventId", "limit", "q", "reason", "seconds", "wait"}

// maxLoggedParameters is how many parameters of a query are logged.
const maxLoggedParameters = 16

// loggedQuery returns a query for the log. It hides unknown names and all values that
// are not numbers, because people put tokens into the wrong place.
func loggedQuery(raw string) string {
	values, _ := url.ParseQuery(raw) // a parameter that cannot be parsed is left out
	var shown []string
	for name, all := range values {
		if !slices.Contains(parameters, name) {
			name = "[hidden]"
		}
		for _, value := range all {
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				value = "[hidden]"
			}
			shown = append(shown, name+"="+value)
		}
	}
	slices.Sort(shown)
	if len(shown) > maxLoggedParameters {
		shown = append(shown[:maxLoggedParameters], "…")
	}
	return strings.Join(shown, "&")
}

// leastSecret is how many characters the shortest of all tokens and secrets has: it is
// the least length of ADMIN_TOKEN.
const leastSecret = 16

// loggedPath returns a path for the log. It hides each part that is long enough to be a
// token, because people put tokens into the wrong place.
func loggedPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if len(part) >= leastSecret {
			parts[i] = "[hidden]"
		}
	}
	return excerpt.Of(strings.Join(parts, "/"))
}

// recordedAnswer remembers the start, the status and the size of an answer.
type recordedAnswer struct {
	http.ResponseWriter
	began  time.Time
	status int
	bytes  int64
}

func newRecord(w http.ResponseWriter) *recordedAnswer {
	return &recordedAnswer{ResponseWriter: w, began: time.Now()}
}

// park notes what was written to a parked connection, if anything was.
func (a *recordedAnswer) park(bytes int64) {
	if bytes > 0 {
		a.status, a.bytes = http.StatusOK, bytes
	}
}

// WriteHeader implements [http.ResponseWriter].
func (a *recordedAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *recordedAnswer) Write(part []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(part)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (a *recordedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
