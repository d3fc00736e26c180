package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"unicode/utf8"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/machine"
)

var noSocket = problem.NotFound.With("There is no socket with this ID.")

// maxReason is how many characters an operator's reason may have.
const maxReason = 256

// kickSocket ends a socket (DELETE /connections/{socketId}).
func (a *API) kickSocket(w http.ResponseWriter, r *http.Request, p params) error {
	query, err := queryOf(r, "reason")
	if err != nil {
		return err
	}
	why := query.Get("reason")
	if utf8.RuneCountInString(why) > maxReason {
		return problem.Invalid(problem.Field("reason", "max", fmt.Sprintf("must have %d characters at most", maxReason)))
	}
	if wrong := decode.WrongWithName(why); why != "" && wrong != "" {
		return problem.Invalid(problem.Field("reason", "name", wrong))
	}
	socketID := p.ByName("socketId")
	return a.carryOut(w, r, machine.Operation{Kind: machine.Kick, ID: socketID, Reason: why}, writeNoContent, "kicked a socket", "socketId", socketID, "reason", why)
}

// closeRoom removes all members from a room (DELETE /rooms/{roomId}).
func (a *API) closeRoom(w http.ResponseWriter, r *http.Request, p params) error {
	return a.operate(w, r, p, machine.Operation{Kind: machine.Close}, "closed a room", writeNoContent)
}

// lockRoom locks a room: nobody else can join it (POST /rooms/{roomId}/lock).
func (a *API) lockRoom(w http.ResponseWriter, r *http.Request, p params) error {
	return a.operate(w, r, p, machine.Operation{Kind: machine.Lock}, "locked a room", writeNoContent)
}

// unlockRoom opens a room again (DELETE /rooms/{roomId}/lock).
func (a *API) unlockRoom(w http.ResponseWriter, r *http.Request, p params) error {
	return a.operate(w, r, p, machine.Operation{Kind: machine.Unlock}, "unlocked a room", writeNoContent)
}

// announce sends an announcement to all members of a room (POST /rooms/{roomId}/events).
func (a *API) announce(w http.ResponseWriter, r *http.Request, p params) error {
	in := a.newIntake(r)
	defer in.release()
	data, err := a.readAnnouncement(w, r, in)
	if err != nil {
		return err
	}
	return a.operate(w, r, p, machine.Operation{Kind: machine.Announce, Data: data}, "announced something to a room", writeAccepted)
}

// announceTo sends an announcement to one member of a room (POST /connections/{socketId}/events).
func (a *API) announceTo(w http.ResponseWriter, r *http.Request, p params) error {
	in := a.newIntake(r)
	defer in.release()
	data, err := a.readAnnouncement(w, r, in)
	if err != nil {
		return err
	}
	socketID := p.ByName("socketId")
	return a.carryOut(w, r, machine.Operation{Kind: machine.AnnounceTo, ID: socketID, Data: data}, writeAccepted, "announced something to a socket", "socketId", socketID)
}

// readAnnouncement returns what the announcement in a body says.
func (a *API) readAnnouncement(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	body, err := a.readJSON(w, r, in)
	if err != nil {
		return nil, err
	}
	_, event, err := decode.OperatorEvents.Decode(body)
	if err != nil {
		return nil, err
	}
	return event.(*decode.Announcement).Data, nil
}

// operate carries out an operation on the room that a request names.
func (a *API) operate(w http.ResponseWriter, r *http.Request, p params, o machine.Operation, what string, answer func(http.ResponseWriter)) error {
	roomID, err := roomOf(r, p)
	if err != nil {
		return err
	}
	o.ID = roomID
	return a.carryOut(w, r, o, answer, what, "roomId", roomID)
}

// carryOut applies an operation, logs what it did to what, and answers. What may have been done
// is logged, too: of several nodes, this one may lose sight of a command that others carry out.
func (a *API) carryOut(w http.ResponseWriter, r *http.Request, o machine.Operation, answer func(http.ResponseWriter), what string, attributes ...any) error {
	outcome, err := a.state.Operate(r.Context(), o)
	a.hub.Flush()
	switch {
	case errors.Is(err, machine.ErrNotReady):
		return err
	case err != nil:
		a.audit(r, what, append(attributes, "outcome", "unknown")...)
		if errors.Is(err, machine.ErrUnknown) {
			return problem.OutcomeUnknown.With("The command may have been carried out. Look before you repeat it: an announcement could arrive twice.").After(retryAfter(err))
		}
		return err
	case outcome == machine.Gone:
		return noSocket
	case outcome == machine.NotInRoom:
		return problem.NotInRoom.With("The socket is in no room, and announcements are for members of rooms.")
	case outcome != machine.Accepted:
		return outcome.Err()
	}
	a.audit(r, what, attributes...)
	answer(w)
	return nil
}

// inQuery stands in the path for a room whose ID is in the query.
const inQuery = "-"

// roomOf returns the ID of the room that a request names: in its path or, if the path has
// "-" in its place, as the parameter id. Not each path arrives as it was written. To a
// browser "." and ".." are steps in a path, also if they are escaped (URL Standard, 4.4),
// and some proxies refuse or unescape %2F.
func roomOf(r *http.Request, p params) (string, error) { return idOf(r, p, "roomId") }

// idOf is roomOf for any ID, by the name of its parameter.
func idOf(r *http.Request, p params, name string) (string, error) {
	id := p.ByName(name)
	if id != inQuery {
		return id, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // what cannot be read may be the ID, so it is not the ID "-" that is meant
		return "", problem.NotFound.With("The query cannot be read: percent-encode the ID.")
	}
	if query.Has("id") {
		return query.Get("id"), nil
	}
	return id, nil
}
