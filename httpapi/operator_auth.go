package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"os"

	"signaling-server/httpapi/problem"
)

// operators are those who may see and do what is not for everybody. They are
// known by a token of theirs; without one, in development, everybody is an
// operator, and in production nobody.
type operators struct {
	hasToken bool
	digest   [sha256.Size]byte // of the token, which is kept nowhere
	open     bool              // without a token: to everybody
	machine  string            // the name of this machine; empty: it is not known
}

func newOperators(token string, isProduction bool) operators {
	machine, _ := os.Hostname() // without it, the machine is known by its addresses
	return operators{token != "", sha256.Sum256([]byte(token)), !isProduction, machine}
}

// forOperators lets nobody else come to a handler. What it reads costs its caller
// something; what it changes does not, since an operator may have much to clear up.
func (a *API) forOperators(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		if err := a.checkOperator(w, r); err != nil {
			return err
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if err := a.limits.Monitor(a.networkOf(r), 1); err != nil {
				return err
			}
		}
		return h(w, r, p)
	}
}

func (a *API) checkOperator(w http.ResponseWriter, r *http.Request) error {
	switch {
	case a.operators.hasToken:
		isRight := a.operators.know(r)
		if bearerText(r) != "" { // to have none is no guess
			if err := a.limits.Guess(a.networkOf(r), isRight); err != nil {
				return err
			}
		}
		if !isRight {
			return problem.UnknownOperator.With("Send the header “Authorization: Bearer <token>”, with the token that the server was given as ADMIN_TOKEN.")
		}
		return nil
	case a.operators.open:
		err := a.operators.checkPage(r)
		if err != nil {
			forbidReading(w)
		}
		return err
	}
	return problem.OperatorsOnly.With("This server has no token for operators. Whoever runs it sets ADMIN_TOKEN, and sends it as “Authorization: Bearer <token>”.")
}

// checkPage refuses what a page of another origin asks of a server that is open to
// everybody: a browser on the operator's machine reaches it for any page. A page
// that has its own name lead to this machine (DNS rebinding) is of another origin
// too, though its browser cannot know that.
func (o operators) checkPage(r *http.Request) error {
	switch {
	case isForPage(r):
		return problem.OriginNotAllowed.With("Pages of another origin may not do this, unless they have the token of operators. Set ADMIN_TOKEN.")
	case !o.isOwnName(r.Host):
		return problem.OriginNotAllowed.With("Without ADMIN_TOKEN this is only for those who call the server localhost, or by an IP address or the name of its machine. Set ADMIN_TOKEN.")
	}
	return nil
}

// know tells whether a request bears the token. What is compared are hashes, in
// the same time wherever they differ, so that nobody finds the token out piece by
// piece.
func (o operators) know(r *http.Request) bool {
	digest := sha256.Sum256([]byte(bearerText(r)))
	return subtle.ConstantTimeCompare(digest[:], o.digest[:]) == 1
}
