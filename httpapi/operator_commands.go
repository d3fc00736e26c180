package httpapi

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
)

// Whatever an operator changes is logged.

// AuditPrefix begins the message of each log line about what an operator did. Those
// lines must be logged even in a flood.
const AuditPrefix = "operator "

// maxReason is how many characters an operator's reason may have.
const maxReason = 256

// kickSocket ends a socket (DELETE /connections/{socketId}).
func (a *API) kickSocket(w http.ResponseWriter, r *http.Request, p params) error {
	why := r.URL.Query().Get("reason")
	if utf8.RuneCountInString(why) > maxReason {
		return problem.Invalid(problem.Field("reason", "max", fmt.Sprintf("must have %d characters at most", maxReason)))
	}
	if wrong := decode.WrongWithName(why); why != "" && wrong != "" {
		return problem.Invalid(problem.Field("reason", "name", wrong))
	}
	socketID := p.ByName("socketId")
	if !a.hub.Kick(socketID, why) {
		return problem.NotFound.With("There is no socket with this ID.")
	}
	a.logger.Info(AuditPrefix+"kicked a socket", "socketId", socketID, "reason", why)
	writeNoContent(w)
	return nil
}

// closeRoom removes all members from a room (DELETE /rooms/{roomId}).
func (a *API) closeRoom(w http.ResponseWriter, _ *http.Request, p params) error {
	return a.operate(w, "closed a room", p, writeNoContent, a.rooms.Close)
}

// lockRoom locks a room: nobody else can join it (POST /rooms/{roomId}/lock).
func (a *API) lockRoom(w http.ResponseWriter, _ *http.Request, p params) error {
	return a.operate(w, "locked a room", p, writeNoContent, func(roomID string) error { return a.rooms.SetLocked(roomID, true) })
}

// unlockRoom opens a room again (DELETE /rooms/{roomId}/lock).
func (a *API) unlockRoom(w http.ResponseWriter, _ *http.Request, p params) error {
	return a.operate(w, "unlocked a room", p, writeNoContent, func(roomID string) error { return a.rooms.SetLocked(roomID, false) })
}

// announce sends an announcement to all members of a room (POST /rooms/{roomId}/events).
func (a *API) announce(w http.ResponseWriter, r *http.Request, p params) error {
	in := a.newIntake(r)
	defer in.release()
	body, err := a.readJSON(w, r, in)
	if err != nil {
		return err
	}
	_, event, err := decode.OperatorEvents.Decode(body)
	if err != nil {
		return err
	}
	data := event.(*decode.Announcement).Data
	return a.operate(w, "announced something to a room", p, writeAccepted, func(roomID string) error { return a.rooms.Announce(roomID, []byte(data)) })
}

// operate does something to the room that the path names, logs it, and answers.
func (a *API) operate(w http.ResponseWriter, what string, p params, answer func(http.ResponseWriter), do func(roomID string) error) error {
	roomID := p.ByName("roomId")
	if err := do(roomID); err != nil {
		return err
	}
	a.logger.Info(AuditPrefix+what, "roomId", roomID)
	answer(w)
	return nil
}
