package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// isBeacon tells whether a request is one that a page sends while it unloads, by
// navigator.sendBeacon (Beacon, 3.1): that can set no header, and of the content
// types takes only those for which a browser asks nobody's leave beforehand.
// Who can set Authorization is no beacon, and has only forgotten the type.
func isBeacon(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && isMediaType(r.Header.Get("Content-Type"), "text/plain")
}

// readBeacon is [API.readPost] for a beacon. The event is all of its JSON except the
// token, which stands there in place of the header and goes no further.
func (a *API) readBeacon(w http.ResponseWriter, r *http.Request, in *intake) (socketID string, event []byte, err error) {
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin") // a browser would complain of an answer that nobody reads
	if err := a.limits.Post(in.network); err != nil {
		return "", nil, err
	}
	body, err := a.readPlain(w, r, in)
	if err != nil {
		return "", nil, err
	}
	d, err := decode.ParseDocument(body)
	if err != nil {
		return "", nil, err
	}
	text, event, err := d.SplitText("token")
	if err != nil {
		return "", nil, err
	}
	token, ok := sse.ParseToken(text)
	if !ok {
		return "", nil, noBeaconToken
	}
	socketID, err = a.socketOf(token)
	return socketID, event, err
}

var noBeaconToken = problem.UnknownSession.With("A body of text/plain needs one member “token”, with the token of the event “connected”. " +
	"Whoever can set headers sends “Authorization: Bearer <token>” and “Content-Type: application/json”.")
