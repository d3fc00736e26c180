package httpapi

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
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

// newHeaders makes the headers of answers with a content security policy and a
// permissions policy.
func newHeaders(policy, permissions string, strictTransport time.Duration) headers {
	options := secure.Options{
		ContentSecurityPolicy:     policy,
		PermissionsPolicy:         permissions,
		ContentTypeNosniff:        true,
		FrameDeny:                 true,
		ReferrerPolicy:            "no-referrer",
		CrossOriginOpenerPolicy:   "same-origin",
		CrossOriginResourcePolicy: "same-origin",
		STSSeconds:                int64(strictTransport / time.Second),
	}
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

// set sets the headers of one answer.
func (h headers) set(w http.ResponseWriter, isEncrypted bool) {
	from := h.plain
	if isEncrypted {
		from = h.encrypted
	}
	maps.Copy(w.Header(), from)
}
