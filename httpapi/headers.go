package httpapi

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"

	"github.com/unrolled/secure"
)

// headers say what browsers may do with an answer. They are made once: the library
// decides by the connection's encryption alone, and would make them anew for each
// answer, which was a twentieth of a relayed event's processor time.
type headers struct{ plain, encrypted http.Header }

// noParts is the content security policy of what is no page: nothing of it runs,
// and nobody frames it.
const noParts = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// noDevices is the permissions policy of what needs no camera and no microphone.
const noDevices = "camera=(), microphone=(), geolocation=()"

// stsSeconds is for how long browsers insist on https where they were served by
// it: a year (RFC 6797, 6.1.1).
const stsSeconds = 365 * 24 * 60 * 60

func newHeaders(policy, permissions string, isProduction bool) headers {
	options := secure.Options{
		ContentSecurityPolicy:     policy,
		PermissionsPolicy:         permissions,
		ContentTypeNosniff:        true,
		FrameDeny:                 true,
		ReferrerPolicy:            "no-referrer",
		CrossOriginOpenerPolicy:   "same-origin",
		CrossOriginResourcePolicy: "same-origin",
	}
	if isProduction { // a developer's localhost is many servers, not all with https
		options.STSSeconds = stsSeconds
	}
	library := secure.New(options)
	return headers{headersOf(library, nil), headersOf(library, &tls.ConnectionState{})}
}

// headersOf returns what the library sets for requests over a connection.
func headersOf(library *secure.Secure, connection *tls.ConnectionState) http.Header {
	header := make(answerHeader)
	request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Host: "localhost", Header: http.Header{}, TLS: connection}
	if err := library.Process(header, request); err != nil {
		panic(err) // only for hosts that are not allowed, and all are
	}
	return http.Header(header)
}

// answerHeader is an answer that is nothing but its header.
type answerHeader http.Header

// Header implements [http.ResponseWriter].
func (h answerHeader) Header() http.Header { return http.Header(h) }

// Write implements [http.ResponseWriter].
func (answerHeader) Write(text []byte) (int, error) { return len(text), nil }

// WriteHeader implements [http.ResponseWriter].
func (answerHeader) WriteHeader(int) {}

// set sets the headers of one answer, in place of any that were set before.
func (h headers) set(w http.ResponseWriter, r *http.Request) {
	from := h.plain
	if r.TLS != nil {
		from = h.encrypted
	}
	maps.Copy(w.Header(), from)
}
