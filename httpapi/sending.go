package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/sse"
)

// sendEvent receives one client event (POST /events).
func (a *API) sendEvent(w http.ResponseWriter, r *http.Request, _ params) error {
	in := a.newIntake(r)
	defer in.release()
	socket, body, err := a.readEvent(w, r, in)
	if err != nil {
		return err
	}
	if err := in.network.Send(LimitsOf(socket), 1); err != nil {
		return err
	}
	key, err := keyOf(r, body)
	if err != nil {
		return err
	}
	post := in.postOne(socket, key)
	var refusal error
	outcomes, isRepeat, err := a.applyOnce(r.Context(), in, 1, func() {
		refusal = (&asking{api: a, ctx: r.Context(), socket: socket, post: post, spans: in.spans}).body(body)
	})
	if err != nil {
		return err
	}
	if isRepeat {
		_, _, refusal = decode.ClientEvents.Decode(body)
	}
	if err := reasonOf(outcomes.At(0), refusal); err != nil {
		return err
	}
	writeAccepted(w)
	return nil
}

// readEvent reads one event, and finds the socket that posts it.
func (a *API) readEvent(w http.ResponseWriter, r *http.Request, in *intake) (socket sse.Ref, body []byte, err error) {
	if isBeacon(r) {
		return a.readBeacon(w, r, in)
	}
	return a.readPost(w, r, in)
}

// readPost reads a request that posts events: the body, and the socket that its token
// belongs to. It refuses if the client's address posts too often.
func (a *API) readPost(w http.ResponseWriter, r *http.Request, in *intake) (socket sse.Ref, body []byte, err error) {
	socket, unknown := a.authenticate(r) // first, because a request that is refused is a sign of life too
	if err := in.network.Post(); err != nil {
		return socket, nil, err
	}
	if unknown != nil {
		return socket, nil, unknown
	}
	in.posts(socket, confirmed(socket, r))
	a.traceSocket(r.Context(), socket)
	body, err = a.readJSON(w, r, in)
	return socket, body, err
}

// confirmed returns up to which sequence a client says that everything has arrived. A client that
// says so with what it posts anyway saves the server the memory for its resume.
func confirmed(socket sse.Ref, r *http.Request) uint64 {
	text := r.Header["Last-Event-Id"] // in net/http's spelling, which Get would make each time
	if len(text) == 0 {
		return 0
	}
	id, ok := sse.ParseEventID(text[0])
	if !ok {
		return 0
	}
	return socket.Confirms(id)
}
