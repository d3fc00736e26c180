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
	"signaling-server/sse"
)

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func timestamp(t time.Time) string { return t.UTC().Format(timeLayout) }

// writeJSON answers with a document that must not be cached.
func writeJSON(w http.ResponseWriter, document any) error {
	body, err := marshal(document)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, "application/json", body)
	return nil
}

// writeAccepted answers that something was accepted. The body says no more than the status:
// it is there because many generated clients parse the body of each answer but a 204.
func writeAccepted(w http.ResponseWriter) {
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "{}") // an error means that the client is gone
}

// These are values of headers that many answers share, so they must not be changed.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// writeNoContent answers that something was done, and that there is nothing to say of it.
func writeNoContent(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

// write sends a body. If that fails, the client is gone, which is not an error.
func write(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

// encode writes a document as JSON.
//
// The characters <, > and & are not escaped. Because of X-Content-Type-Options, a
// browser does not take JSON for HTML. An escape has six bytes: with escapes, a client
// could make the server send, and keep, six times what the client sends.
func encode(w io.Writer, document any) error {
	encoder := json.NewEncoder(withoutLineEnd{w})
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// withoutLineEnd drops the line break that the encoder writes after a document.
type withoutLineEnd struct{ io.Writer }

// Write implements [io.Writer].
func (w withoutLineEnd) Write(text []byte) (int, error) {
	n, err := w.Writer.Write(bytes.TrimSuffix(text, []byte("\n")))
	if err != nil {
		return n, err
	}
	return len(text), nil
}

// marshal returns what [encode] writes.
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
	sendElsewhere(w, p)
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2 demands it
	}
	w.WriteHeader(p.Status)
	_ = encode(w, p.Document()) // an error means that the client is gone
	_, _ = io.WriteString(w, "\n")
}

// sendElsewhere ends the connection with the answer if another node may do better. A balancer
// of connections, unlike one of requests, brings a client to another node only so.
func sendElsewhere(w http.ResponseWriter, p *problem.Problem) {
	switch p.Name {
	case problem.NotReady.Name, problem.OutcomeUnknown.Name, problem.ShuttingDown.Name:
		w.Header()["Connection"] = lastAnswer
	}
}

// problemOf returns the problem of [problemFor], and counts the refusal.
func (a *API) problemOf(err error) *problem.Problem {
	p, limit := problemFor(err)
	if p == nil {
		return nil
	}
	if errors.Is(err, sse.ErrDraining) {
		p.After(a.hub.ReconnectAfter()) // soon, if there are other nodes
	}
	a.metrics.refused(p.Name, limit)
	return p
}

// fail answers an error: with its problem or, if the server has failed, with status
// 500 and a line in the log.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.holdBack(r, err)
	if p := a.problemOf(err); p != nil {
		a.traceRefusal(r.Context(), p.Name)
		writeProblem(w, p)
		return
	}
	if errors.Is(err, context.Canceled) {
		// The client is gone, or has closed only its half of the connection. If we just
		// returned, net/http would send an empty 200, and the client would believe it.
		panic(http.ErrAbortHandler)
	}
	a.logger.ErrorContext(r.Context(), "request failed", "method", excerpt.Of(r.Method), "path", loggedPath(r.URL.Path), "error", err)
	http.Error(w, "The server failed to answer. It is not your fault.", http.StatusInternalServerError)
}
