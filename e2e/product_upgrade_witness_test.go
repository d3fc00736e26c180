package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// releasedWitness compares what a server answers with the contract of the last release. It stands
// between a client and the server. A client that was generated from that contract breaks on
// anything else.
type releasedWitness struct {
	t         *testing.T
	document  *openapi3.T
	transport *http.Transport
}

func newReleasedWitness(t *testing.T) *releasedWitness {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &releasedWitness{t, readContract(t, released), transport}
}

func (w *releasedWitness) client() *http.Client { return &http.Client{Transport: w} }

// RoundTrip implements http.RoundTripper.
func (w *releasedWitness) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	operation := w.operation(r)
	if operation == nil {
		w.t.Errorf("the last release has no %s %s", r.Method, r.URL.Path)
		return response, nil
	}
	promised := operation.Responses.Status(response.StatusCode)
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode == http.StatusBadGateway: // the proxy's page
	case promised == nil:
		w.t.Errorf("%s %s: the last release did not answer %s", r.Method, r.URL.Path, response.Status)
	case len(promised.Value.Content) == 0: // clients read no body
	case promised.Value.Content[kind] == nil:
		w.t.Errorf("%s %s: the last release answered no %s with %s", r.Method, r.URL.Path, kind, response.Status)
	case kind == "text/event-stream":
		response.Body = &witnessed{ReadCloser: response.Body, check: func(event []byte) { w.check(r, w.document.Components.Schemas["ServerEvent"], event) }}
	case strings.HasSuffix(kind, "json"):
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		w.check(r, promised.Value.Content[kind].Schema, body)
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	return response, nil
}

var parameter = regexp.MustCompile(`\{\w+\}`)

// operation returns the operation of the contract that a request is for, or nil.
func (w *releasedWitness) operation(r *http.Request) *openapi3.Operation {
	for template, item := range w.document.Paths.Map() {
		pattern := parameter.ReplaceAllString(template, "[^/]+")
		if regexp.MustCompile(`^` + pattern + `$`).MatchString(r.URL.Path) {
			return item.GetOperation(r.Method)
		}
	}
	return nil
}

func (w *releasedWitness) check(r *http.Request, schema *openapi3.SchemaRef, text []byte) {
	var value any
	err := json.Unmarshal(text, &value)
	if err == nil && schema != nil {
		err = schema.Value.VisitJSON(value)
	}
	if err != nil {
		w.t.Errorf("%s %s: the last release did not answer %s: %v", r.Method, r.URL.Path, text, err)
	}
}

// witnessed is the body of a stream. Each event that is read is checked.
type witnessed struct {
	io.ReadCloser
	check func(event []byte)

	mu   sync.Mutex // guards rest
	rest []byte
}

func (b *witnessed) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = append(b.rest, buffer[:n]...)
	for {
		line, rest, whole := bytes.Cut(b.rest, []byte("\n"))
		if !whole {
			return n, err
		}
		if data, is := bytes.CutPrefix(line, []byte("data:")); is {
			b.check(data)
		}
		b.rest = rest
	}
}
