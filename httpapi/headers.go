package httpapi

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/unrolled/secure"
)

// headers say what browsers may do with an answer. They depend only on whether the
// request was encrypted, so they are made once. The library would make them for each
// answer, which took a twentieth of the processor time of a relayed event.
type headers struct{ plain, encrypted http.Header }

// noParts is the content security policy of an answer that is not a page: nothing in it
// runs, and no page may frame it.
const noParts = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// noDevices is the permissions policy of an answer that does not need a camera or a
// microphone.
const noDevices = "camera=(), microphone=(), geolocation=()"

// newPostHeaders makes the headers of the answers to posted events. These answers are
// small JSON documents for the script that posted, so most of what [newHeaders] sets means
// nothing for them: it is for documents that run, load, link or are framed. And no page of
// another origin can load such an answer with something secret in it. For that it would
// have to send the token, and browsers ask the server before they send a header.
func newPostHeaders(strictTransport time.Duration) headers {
	return headersBy(secure.Options{ContentTypeNosniff: true}, strictTransport)
}

// newHeaders makes the headers of answers with a content security policy and a
// permissions policy.
func newHeaders(policy, permissions string, strictTransport time.Duration) headers {
	return headersBy(secure.Options{
		ContentSecurityPolicy:     policy,
		PermissionsPolicy:         permissions,
		ContentTypeNosniff:        true,
		FrameDeny:                 true,
		ReferrerPolicy:            "no-referrer",
		CrossOriginOpenerPolicy:   "same-origin",
		CrossOriginResourcePolicy: "same-origin",
	}, strictTransport)
}

// headersBy makes the headers that the library sets by its options.
func headersBy(options secure.Options, strictTransport time.Duration) headers {
	options.STSSeconds = int64(strictTransport / time.Second)
	library := secure.New(options)
	return headers{headersOf(library, nil), headersOf(library, &tls.ConnectionState{})}
}

// headersOf returns the headers that the library sets for requests over a connection.
// The connection is nil if it is not encrypted.
func headersOf(library *secure.Secure, connection *tls.ConnectionState) http.Header {
	header := make(answerHeader)
	request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Host: "localhost", Header: http.Header{}, TLS: connection}
	if err := library.Process(header, request); err != nil {
		panic(err) // only for a host that is not allowed, and all hosts are
	}
	return http.Header(header)
}

// answerHeader is an answer that has only a header.
type answerHeader http.Header

// Header implements [http.ResponseWriter].
func (h answerHeader) Header() http.Header { return http.Header(h) }

// Write implements [http.ResponseWriter].
func (answerHeader) Write(text []byte) (int, error) { return len(text), nil }

// WriteHeader implements [http.ResponseWriter].
func (answerHeader) WriteHeader(int) {}

// headersOf returns the headers of the answer to a request.
func (a *API) headersOf(r *http.Request) headers {
	if r.Method == http.MethodPost && slices.Contains(postTargets, r.URL.Path) {
		return a.postHeaders
	}
	return a.headers
}

// set sets the headers of one answer.
func (h headers) set(w http.ResponseWriter, isEncrypted bool) {
	from := h.plain
	if isEncrypted {
		from = h.encrypted
	}
	maps.Copy(w.Header(), from)
}
