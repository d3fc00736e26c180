package e2e

import (
	"context"
	"errors"
	"io"
	"log"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shape is what a shapingProxy does to the traffic.
type shape int

const (
	passing       shape = iota
	bufferingGets       // the body of a stream that was opened by GET is held back until it ends
	bufferingAll        // the body of every stream is held back until it ends
	cutting             // streams are cut after a while, as by an idle timeout
	failing             // the proxy answers everything with a page of its own
	delaying            // each request, and each event of a stream, comes late
)

const (
	cutAfter = 5 * time.Second
	delay    = 300 * time.Millisecond
)

// shapingProxy is an HTTP proxy in front of the server, as companies and virus scanners
// use them. Its shape can change at any time, for all later requests. It also serves the
// test's own pages, so they have the server's origin.
type shapingProxy struct {
	// set once
	url      string
	upstream *httputil.ReverseProxy
	pages    map[string]string // HTML and scripts, by path

	mu       sync.Mutex // guards what follows
	shape    shape
	requests int
	asks     map[string]int             // how often each operation was asked for, by method and path
	open     map[int]context.CancelFunc // by the request's number
}

func startShapingProxy(t *testing.T, serverURL string, pages map[string]string) *shapingProxy {
	t.Helper()
	target, err := url.Parse(serverURL)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	p := &shapingProxy{pages: pages, open: make(map[int]context.CancelFunc), asks: make(map[string]int)}
	p.upstream = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0), // these failures are on purpose
		ModifyResponse: p.shapeStream,
		// If the server is down, its clients see a proxy's page as well.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { answerBadGateway(w) },
	}
	server := httptest.NewServer(p)
	p.url = server.URL
	t.Cleanup(func() {
		p.cut()
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// become changes what the proxy does. A proxy that becomes failing also cuts what is
// open.
func (p *shapingProxy) become(s shape) {
	p.mu.Lock()
	p.shape = s
	p.mu.Unlock()
	if s == failing {
		p.cut()
	}
}

func (p *shapingProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cancel := range p.open {
		cancel()
	}
}

func (p *shapingProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if page, ok := p.pages[r.URL.Path]; ok {
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
		io.WriteString(w, page)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	shape, leave := p.enter(r, cancel)
	defer leave()
	switch shape {
	case failing:
		answerBadGateway(w)
		return
	case delaying:
		time.Sleep(delay)
	}
	p.upstream.ServeHTTP(w, r.WithContext(context.WithValue(ctx, shapeKey{}, shape)))
}

// shapeKey is the key of a request's context under which its shape is found.
type shapeKey struct{}

// enter notes a request, which can be cut until it leaves.
func (p *shapingProxy) enter(r *http.Request, cancel context.CancelFunc) (_ shape, leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	p.asks[r.Method+" "+r.URL.Path]++
	number := p.requests
	p.open[number] = cancel
	return p.shape, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, number)
	}
}

// asked returns how often an operation was asked for.
func (p *shapingProxy) asked(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asks[operation]
}

func answerBadGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	io.WriteString(w, "<!DOCTYPE html><title>502</title><h1>502 Bad Gateway</h1>")
}

func (p *shapingProxy) shapeStream(response *http.Response) error {
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "text/event-stream" {
		return nil
	}
	body, byGet := response.Body, response.Request.Method == http.MethodGet
	switch shape := response.Request.Context().Value(shapeKey{}); {
	case shape == bufferingAll, shape == bufferingGets && byGet:
		response.Body = &heldBack{ReadCloser: body}
	case shape == cutting:
		response.Body = cutLater(body)
	case shape == delaying:
		response.Body = delayed(body)
	}
	return nil
}

// heldBack is a body that can be read only when all of it has arrived.
type heldBack struct {
	io.ReadCloser
	whole []byte
	ended bool
}

func (h *heldBack) Read(buffer []byte) (int, error) {
	if !h.ended {
		var err error
		if h.whole, err = io.ReadAll(h.ReadCloser); err != nil {
			return 0, err
		}
		h.ended = true
	}
	n := copy(buffer, h.whole)
	h.whole = h.whole[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// cutBody is a body that is cut after a while.
type cutBody struct {
	io.ReadCloser
	timer *time.Timer
}

func cutLater(body io.ReadCloser) io.ReadCloser {
	return &cutBody{body, time.AfterFunc(cutAfter, func() { body.Close() })}
}

func (c *cutBody) Close() error {
	c.timer.Stop()
	return c.ReadCloser.Close()
}

// delayed returns a body whose parts all come late, as over a long distance. A part
// does not wait until the part before it has arrived.
func delayed(body io.ReadCloser) io.ReadCloser {
	type part struct {
		bytes []byte
		err   error
		due   time.Time
	}
	parts := make(chan part, 1024)
	go func() { // ends with the body, which the proxy closes
		defer close(parts)
		for buffer := make([]byte, 32<<10); ; {
			n, err := body.Read(buffer)
			parts <- part{append([]byte(nil), buffer[:n]...), err, time.Now().Add(delay)}
			if err != nil {
				return
			}
		}
	}()
	late, in := io.Pipe()
	go func() { // ends with parts
		for p := range parts {
			time.Sleep(time.Until(p.due))
			if len(p.bytes) > 0 {
				in.Write(p.bytes) // an error means that nobody reads the pipe any more
			}
			if p.err != nil {
				in.CloseWithError(p.err)
			}
		}
	}()
	return &delayedBody{late, body}
}

type delayedBody struct {
	*io.PipeReader
	body io.Closer
}

func (d *delayedBody) Close() error { return errors.Join(d.body.Close(), d.PipeReader.Close()) }
