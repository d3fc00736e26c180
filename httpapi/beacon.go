package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// isBeacon reports whether a page sent the request with navigator.sendBeacon, while it
// unloads (Beacon, 3.1). A beacon cannot set a header, and its content type must be
// one that needs no preflight. So a request with Authorization is not a beacon: its
// client only forgot the type.
func isBeacon(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && isMediaType(r.Header.Get("Content-Type"), "text/plain")
}

// readBeacon is [API.readPost] for a beacon. Its JSON holds the token, in place of the
// header. The event is the rest of the JSON: the token goes no further.
func (a *API) readBeacon(w http.ResponseWriter, r *http.Request, in *intake) (socket sse.Ref, event []byte, err error) {
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin") // without it, browsers report an error, although no page reads the answer
	if err := in.network.Post(); err != nil {
		return socket, nil, err
	}
	body, err := a.readPlain(w, r, in)
	if err != nil {
		return socket, nil, err
	}
	d, err := decode.ParseDocument(body)
	if err != nil {
		return socket, nil, err
	}
	text, event, err := d.SplitText("token")
	if err != nil {
		return socket, nil, err
	}
	token, ok := sse.ParseToken(text)
	if !ok {
		return socket, nil, noBeaconToken
	}
	if socket, err = a.socketOf(r.Context(), token); err == nil {
		in.posts(socket, 0)
		a.traceSocket(r.Context(), socket)
	}
	return socket, event, err
}

var noBeaconToken = problem.UnknownSession.With("A body of text/plain needs one member “token”, with the token of the event “connected”. " +
	"A client that can set headers sends “Authorization: Bearer <token>” and “Content-Type: application/json”.")
