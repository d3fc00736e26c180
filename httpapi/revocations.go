package httpapi

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signaling-server/httpapi/problem"
	"signaling-server/machine"
	"signaling-server/rooms"
)

// How long a revocation lasts.
const (
	usualRevocation   = 24 * time.Hour
	longestRevocation = 366 * 24 * time.Hour
)

// maxRevokedID is how many characters the ID of a user or of an access token may have.
const maxRevokedID = 256

// subjectNames are the names of what may be revoked, as paths and answers have them.
var subjectNames = map[rooms.Subject]string{rooms.OfUser: "users", rooms.OfPermit: "tokens"}

// revoke keeps a user or an access token out of all rooms for some time, and ends the sockets that
// are in a room by it (PUT /revocations/{subject}/{id}).
func (a *API) revoke(w http.ResponseWriter, r *http.Request, p params) error {
	revoked, err := revokedOf(r, p)
	if err != nil {
		return err
	}
	lasts, err := revocationTime(r)
	if err != nil {
		return err
	}
	operation := machine.Operation{Kind: machine.Revoke, Revoked: revoked, Until: time.Now().Add(lasts).Truncate(time.Millisecond).UTC()}
	return a.changeRevocation(w, r, operation, "revoked the access")
}

// allow ends a revocation (DELETE /revocations/{subject}/{id}).
func (a *API) allow(w http.ResponseWriter, r *http.Request, p params) error {
	revoked, err := revokedOf(r, p)
	if err != nil {
		return err
	}
	return a.changeRevocation(w, r, machine.Operation{Kind: machine.Allow, Revoked: revoked}, "allowed the access again")
}

func (a *API) changeRevocation(w http.ResponseWriter, r *http.Request, o machine.Operation, what string) error {
	return a.carryOut(w, r, o, writeNoContent, what, "subject", subjectNames[o.Revoked.Subject], "id", o.Revoked.ID)
}

// revokedOf returns what a request names. As with rooms, “-” stands for an ID in the query.
func revokedOf(r *http.Request, p params) (revoked rooms.Revoked, err error) {
	for subject, name := range subjectNames {
		if name == p.ByName("subject") {
			revoked.Subject = subject
		}
	}
	if revoked.Subject == 0 {
		return revoked, problem.NotFound.With("What can be revoked is users and tokens.")
	}
	if revoked.ID, err = idOf(r, p, "id"); err != nil {
		return revoked, err
	}
	if length := utf8.RuneCountInString(revoked.ID); length < 1 || length > maxRevokedID || !utf8.ValidString(revoked.ID) {
		return revoked, problem.Invalid(problem.Field("id", "max", fmt.Sprintf("must be text of 1 to %d characters", maxRevokedID)))
	}
	if revoked.Subject == rooms.OfPermit && isJWT(revoked.ID) {
		return revoked, problem.Invalid(problem.Field("id", "jti", "must be the claim jti of the access token, not the access token itself"))
	}
	return revoked, nil
}

// isJWT reports whether a text looks like a whole access token. It would revoke nothing, and get
// into the log and the list.
func isJWT(text string) bool { return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2 }

// revocationTime returns how long a revocation shall last.
func revocationTime(r *http.Request) (time.Duration, error) {
	query, err := queryOf(r, "seconds")
	if err != nil || query.Get("seconds") == "" {
		return usualRevocation, err
	}
	seconds, err := strconv.Atoi(query.Get("seconds"))
	if most := int(longestRevocation / time.Second); err != nil || seconds < 1 || seconds > most {
		return 0, problem.Invalid(problem.Field("seconds", "range", fmt.Sprintf("must be a whole number from 1 to %d", most)))
	}
	return time.Duration(seconds) * time.Second, nil
}

// listRevocations lists what is revoked (GET /revocations).
func (a *API) listRevocations(w http.ResponseWriter, r *http.Request, _ params) error {
	return a.serveList(w, r, list{
		total: "totalRevocations",
		items: "revocations",
		find: func(q sought) iter.Seq[rank] {
			return func(yield func(rank) bool) {
				for _, one := range a.rooms.Revocations(time.Now()) {
					if q.isIn(one.ID) && !yield(rank{id: rankText(one)}) {
						return
					}
				}
			}
		},
		describe:   a.describeRevocation,
		size:       a.sizeOfRevocations,
		formatRank: func(p rank) string { return p.id },
		parseRank:  func(text string) (rank, bool) { return rank{id: text}, true },
	})
}

func (a *API) sizeOfRevocations(limit int) (all, page int) {
	all = len(a.rooms.Revocations(time.Now()))
	if limit == 0 {
		return all, all
	}
	return all, min(all, limit)
}

// rankText is by what revocations are sorted: the subject, and then the ID.
func rankText(one rooms.Revoked) string { return subjectNames[one.Subject] + "/" + one.ID }

type revocationInfo struct {
	Subject string `json:"subject"`
	ID      string `json:"id"`
	Until   string `json:"until"`
}

func (a *API) describeRevocation(answer *pieces, isFirst bool, text string) (isThere bool) {
	name, id, _ := strings.Cut(text, "/")
	for subject := range subjectNames {
		one := rooms.Revoked{Subject: subject, ID: id}
		if until, isRevoked := a.rooms.Revocation(one, time.Now()); isRevoked && subjectNames[subject] == name {
			answer.item(isFirst, revocationInfo{name, id, timestamp(until)})
			return true
		}
	}
	return false
}
