package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"os"

	"signaling-server/httpapi/problem"
)

// operators decides which requests come from an operator: those that bear the token
// of operators. If the server has no token, everybody is an operator in development,
// and nobody in production.
type operators struct {
	hasToken bool
	digest   [sha256.Size]byte // of the token; the token itself is not kept
	open     bool              // there is no token, and everybody is an operator
	machine  string            // the name of this machine; empty: unknown
}

func newOperators(token string, isProduction bool) operators {
	machine, _ := os.Hostname() // without it, the server has only the name localhost, and IP addresses
	return operators{token != "", sha256.Sum256([]byte(token)), !isProduction, machine}
}

// forOperators wraps a handler that is only for operators. Reading counts against the
// limit of monitoring. Changing does not: an operator may have much to clear up.
func (a *API) forOperators(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		if err := a.checkOperator(w, r); err != nil {
			return err
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if err := a.limits.Network(a.networkOf(r)).Monitor(1); err != nil {
				return err
			}
		}
		return h(w, r, p)
	}
}

// checkOperator returns a problem if a request does not come from an operator.
func (a *API) checkOperator(w http.ResponseWriter, r *http.Request) error {
	switch {
	case a.operators.hasToken:
		isRight := a.operators.know(r)
		if bearerText(r) != "" { // a request without a token is not a guess
			if err := a.limits.Network(a.networkOf(r)).Guess(isRight); err != nil {
				return err
			}
		}
		if !isRight {
			return problem.UnknownOperator.With("Send the header “Authorization: Bearer <token>”, with the value of ADMIN_TOKEN.")
		}
		return nil
	case a.operators.open:
		err := a.operators.checkPage(r)
		if err != nil {
			forbidReading(w)
		}
		return err
	}
	return problem.OperatorsOnly.With("This server has no token for operators. If you run it, set ADMIN_TOKEN, and send it as “Authorization: Bearer <token>”.")
}

// checkPage protects a server without a token from pages of other origins: a browser on
// the operator's machine could reach the server for any page. A page may also make its
// own host name lead to this machine (DNS rebinding). To the browser, the server then has
// the page's own origin. So checkPage accepts only a Host that no such page can have.
func (o operators) checkPage(r *http.Request) error {
	switch {
	case isForPage(r):
		return problem.OriginNotAllowed.With("A page of another origin may do this only with the token of an operator. Set ADMIN_TOKEN.")
	case !o.isOwnName(r.Host):
		return problem.OriginNotAllowed.With("Without ADMIN_TOKEN this works only if you address the server as localhost, by an IP address, or by the name of its machine. Set ADMIN_TOKEN.")
	}
	return nil
}

// know reports whether a request bears the token. It compares hashes, in constant
// time: otherwise an attacker could find out the token piece by piece.
func (o operators) know(r *http.Request) bool {
	digest := sha256.Sum256([]byte(bearerText(r)))
	return subtle.ConstantTimeCompare(digest[:], o.digest[:]) == 1
}
