package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
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
