package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"

	"signaling-server/httpapi/problem"
)

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
