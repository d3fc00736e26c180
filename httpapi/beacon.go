package httpapi

import (
	"net/http"

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

// readBeacon is the [reading] of a beacon. The event is all of its
// JSON but the token, which stands there in place of the header and goes no
// further.
func (a *API) readBeacon(w http.ResponseWriter, r *http.Request, in *intake) (socketID string, event []byte, err error) {
	body, err := a.readPlain(w, r, in)
	if err != nil {
		return "", nil, err
	}
	d, err := parseDocument(body)
	if err != nil {
		return "", nil, err
	}
	err = d.asObject(func(o object) error {
		token, err := o.token()
		if err != nil {
			return err
		}
		if socketID, err = a.socketOf(token); err != nil {
			return err
		}
		event = o.appendBut(make([]byte, 0, len(body)), tokenMember)
		return nil
	})
	return socketID, event, err
}

const tokenMember = "token"

// token reads the one member that is the token.
func (o object) token() (token sse.Token, err error) {
	found := false
	for _, m := range o.members {
		if string(m.name) != tokenMember {
			continue
		}
		var parsed sse.Token
		ok := m.value.Kind() == '"'
		if ok {
			parsed, ok = sse.ParseToken(string(unquoted(m.value)))
		}
		if !ok || found {
			return sse.Token{}, noBeaconToken
		}
		token, found = parsed, true
	}
	if !found {
		return sse.Token{}, noBeaconToken
	}
	return token, nil
}

var noBeaconToken = problem.UnknownSession.With("A body of text/plain needs one member “token”, with the token of the event “connected”. " +
	"Whoever can set headers sends “Authorization: Bearer <token>” and “Content-Type: application/json”.")

// appendBut appends the object as JSON, its members as they were written but for
// white space, without those of a name.
func (o object) appendBut(line []byte, name string) []byte {
	line = append(line, '{')
	start := len(line)
	for _, m := range o.members {
		if string(m.name) == name {
			continue
		}
		if len(line) > start {
			line = append(line, ',')
		}
		line = o.appendMember(line, m)
	}
	return append(line, '}')
}
