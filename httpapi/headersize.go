package httpapi

import (
	"fmt"
	"net/http"

	"signaling-server/httpapi/conns"
	"signaling-server/httpapi/problem"
)

// checkHeader returns a problem if a request's header has too many bytes or too many
// fields. net/http has bounds of its own, which are larger. Its answers are not problems,
// and over HTTP/2 it ends the connection with all other requests on it.
func (a *API) checkHeader(r *http.Request) error {
	fields, bytes := sizeOfHeader(r)
	switch {
	case a.maxHeader > 0 && bytes > a.maxHeader:
		return problem.HeaderTooLarge.With(fmt.Sprintf("The header has %d bytes, and may have %d (MAX_HEADER).", bytes, a.maxHeader))
	case fields > conns.MaxFields:
		return problem.HeaderTooLarge.With(fmt.Sprintf("The header has %d fields, and may have %d.", fields, conns.MaxFields))
	}
	return nil
}

// sizeOfHeader returns how many fields a request's header has, and how many bytes over
// HTTP/1.
func sizeOfHeader(r *http.Request) (fields, bytes int) {
	const ofField, ofLine = len(": \r\n"), len("  HTTP/1.1\r\nHost: \r\n\r\n")
	bytes = len(r.Method) + len(r.RequestURI) + len(r.Host) + ofLine
	for name, values := range r.Header {
		fields += len(values)
		for _, value := range values {
			bytes += len(name) + len(value) + ofField
		}
	}
	return fields, bytes
}
