package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"signaling-server/sse"
)

// maxBody is how many bytes a body may have.
const maxBody = 64 << 10

// sendEvent takes one client event (POST /events).
func (a *API) sendEvent(w http.ResponseWriter, r *http.Request, _ params) error {
	read := a.readPost
	if isBeacon(r) {
		read = a.readBeacon
	}
	socketID, body, err := read(w, r)
	if err != nil {
		return err
	}
	return a.once(w, r, socketID, body, func() reply {
		return reply{err: a.accept(socketID, body)}
	})
}

// readPost tells which socket posts, and what.
func (a *API) readPost(w http.ResponseWriter, r *http.Request) (socketID string, body []byte, err error) {
	if socketID, err = a.authenticate(r); err != nil {
		return "", nil, err
	}
	body, err = readJSON(w, r)
	return socketID, body, err
}

// accept does what one event, as it was posted, asks for.
func (a *API) accept(socketID string, body []byte) error {
	kind, event, err := decodeEvent(body)
	if err != nil {
		return err
	}
	if err := event.accept(a, socketID); err != nil {
		return err
	}
	a.metrics.accepted(kind)
	return nil
}

// authenticate tells which socket a request speaks for.
func (a *API) authenticate(r *http.Request) (socketID string, err error) {
	token, ok := bearer(r)
	if !ok {
		return "", unknownSession.with("Send the header “Authorization: Bearer <token>”, with the token of the event “connected”.")
	}
	return a.socketOf(token)
}

// socketOf tells which living socket a token speaks for.
func (a *API) socketOf(token sse.Token) (socketID string, err error) {
	socketID, ok := a.hub.Authenticate(token)
	if !ok {
		return "", sessionEnded
	}
	return socketID, nil
}

// bearer reads a session token from the header Authorization (RFC 6750, 2.1).
func bearer(r *http.Request) (sse.Token, bool) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return sse.Token{}, false
	}
	return sse.ParseToken(strings.TrimSpace(text))
}

// readJSON reads a body that claims to be JSON.
func readJSON(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, unsupportedMediaType.with("Send “Content-Type: application/json”.")
	}
	return readPlain(w, r)
}

func isJSON(contentType string) bool { return isMediaType(contentType, "application/json") }

// isMediaType compares a Content-Type with a media type, whatever its parameters.
func isMediaType(contentType, want string) bool {
	if contentType == want {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == want
}

// readPlain reads a body that nothing was done to on the way.
func readPlain(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, unsupportedMediaType.with("Send the body without a Content-Encoding.")
	}
	return readBody(w, r)
}

// readBody reads a body of bounded size. The server's ReadTimeout bounds the
// time that it takes.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, err error) {
	switch {
	case r.ContentLength > maxBody:
		return nil, payloadTooLarge.with("A body may have 64 KiB at most.")
	case r.ContentLength >= 0:
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	default:
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, payloadTooLarge.with("A body may have 64 KiB at most.")
	case err != nil:
		return nil, malformedJSON.with("The body did not arrive whole.")
	}
	return body, nil
}
