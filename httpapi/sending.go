package httpapi

import (
	"mime"
	"net/http"
	"strings"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// sendEvent takes one client event (POST /events).
func (a *API) sendEvent(w http.ResponseWriter, r *http.Request, _ params) error {
	in := a.newIntake(r)
	defer in.release()
	read := a.readPost
	if isBeacon(r) {
		read = a.readBeacon
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin") // a browser would complain of an answer that nobody reads
	}
	socketID, body, err := a.readWithin(w, r, in, read)
	if err != nil {
		return err
	}
	if err := a.limits.Send(in.network, socketID, 1); err != nil {
		return err
	}
	return a.once(w, r, socketID, body, func() reply {
		d, err := decode.ParseDocument(body)
		if err != nil {
			return reply{err: err}
		}
		return reply{err: a.process(socketID, d)}
	})
}

// readWithin reads a request that sends events, if its address may send another.
func (a *API) readWithin(w http.ResponseWriter, r *http.Request, in *intake, read reading) (socketID string, body []byte, err error) {
	if err := a.limits.Post(in.network); err != nil {
		return "", nil, err
	}
	return read(w, r, in)
}

// reading tells which socket posts, and what.
type reading func(w http.ResponseWriter, r *http.Request, in *intake) (socketID string, body []byte, err error)

// readPost is the usual [reading].
func (a *API) readPost(w http.ResponseWriter, r *http.Request, in *intake) (socketID string, body []byte, err error) {
	if socketID, err = a.authenticate(r); err != nil {
		return "", nil, err
	}
	body, err = a.readJSON(w, r, in)
	return socketID, body, err
}

// process decodes one event and does what it asks for.
func (a *API) process(socketID string, d decode.Document) error {
	kind, event, err := decode.ClientEvents.Read(d)
	if err != nil {
		return err
	}
	if err := a.perform(socketID, kind, event); err != nil {
		return err
	}
	a.metrics.eventAccepted(kind)
	return nil
}

// authenticate tells which socket a request speaks for.
func (a *API) authenticate(r *http.Request) (socketID string, err error) {
	token, ok := bearer(r)
	if !ok {
		return "", problem.UnknownSession.With("Send the header “Authorization: Bearer <token>”, with the token of the event “connected”.")
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
	return sse.ParseToken(bearerText(r))
}

// bearerText is the token as it was written, "" where there is none.
func bearerText(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// readJSON reads a body that claims to be JSON.
func (a *API) readJSON(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, problem.UnsupportedMediaType.With("Send “Content-Type: application/json”.")
	}
	return a.readPlain(w, r, in)
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
func (a *API) readPlain(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, problem.UnsupportedMediaType.With("Send the body without a Content-Encoding.")
	}
	return a.readBody(w, r, in)
}
