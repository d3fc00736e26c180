package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"
)

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func timestamp(t time.Time) string { return t.UTC().Format(timeLayout) }

// writeJSON answers with a document of the moment.
func writeJSON(w http.ResponseWriter, document any) error {
	body, err := marshal(document)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, "application/json", body)
	return nil
}

// write sends a body. A client that is gone meanwhile is no error of anybody's.
func write(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

// encode writes a document of an answer as JSON. All answers are made here.
//
// The characters <, > and & stay as they are. No browser takes JSON for HTML (see
// the header X-Content-Type-Options), and as escapes each would be six bytes: a
// client could make us send, and keep, six times what it sends.
func encode(w io.Writer, document any) error {
	encoder := json.NewEncoder(withoutLineEnd{w})
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// withoutLineEnd drops the line end that the encoder writes behind a document.
type withoutLineEnd struct{ io.Writer }

// Write implements [io.Writer].
func (w withoutLineEnd) Write(text []byte) (int, error) {
	n, err := w.Writer.Write(bytes.TrimSuffix(text, []byte("\n")))
	if err != nil {
		return n, err
	}
	return len(text), nil
}

// marshal is encode to memory.
func marshal(document any) ([]byte, error) {
	var text bytes.Buffer
	err := encode(&text, document)
	return text.Bytes(), err
}

// writeProblem sends a problem document.
func writeProblem(w http.ResponseWriter, p *problem.Problem) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2 demands it
	}
	w.WriteHeader(p.Status)
	_ = encode(w, p.Document()) // the client may be gone; there is nobody else to tell
	_, _ = io.WriteString(w, "\n")
}

// problemOf is what a client is told of an error, if it is anything of its
// own. Each is counted.
func (a *API) problemOf(err error) *problem.Problem {
	p, limit := problemFor(err)
	if p != nil {
		a.metrics.refused(p.Name, limit)
	}
	return p
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.holdBack(r, err)
	if p := a.problemOf(err); p != nil {
		writeProblem(w, p)
		return
	}
	if errors.Is(err, context.Canceled) {
		// The client is gone. But one that has only closed its half of the
		// connection would take for the answer what net/http makes of none.
		panic(http.ErrAbortHandler)
	}
	a.logger.Error("request failed", "method", excerpt.Of(r.Method), "path", excerpt.Of(r.URL.Path), "error", err)
	http.Error(w, "The server failed to answer. It is not your fault.", http.StatusInternalServerError)
}
