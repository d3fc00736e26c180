package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// operators are those who may see and do what is not for everybody. They are
// known by a token of theirs; without one, in development, everybody is an
// operator, and in production nobody.
type operators struct {
	hasToken bool
	digest   [sha256.Size]byte // of the token, which is kept nowhere
	open     bool              // without a token: to everybody
}

func newOperators(token string, isProduction bool) operators {
	return operators{token != "", sha256.Sum256([]byte(token)), !isProduction}
}

// forOperators lets nobody else come to a handler.
func (a *API) forOperators(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		if err := a.checkOperator(r); err != nil {
			return err
		}
		return h(w, r, p)
	}
}

func (a *API) checkOperator(r *http.Request) error {
	switch {
	case a.operators.hasToken:
		isRight := a.operators.know(r)
		if bearerText(r) != "" { // to have none is no guess
			if err := a.limits.Guess(a.networkOf(r), isRight); err != nil {
				return err
			}
		}
		if !isRight {
			return unknownOperator.with("Send the header “Authorization: Bearer <token>”, with the token that the server was given as ADMIN_TOKEN.")
		}
		return nil
	case a.operators.open && isForeign(r):
		return originNotAllowed.with("Pages of another origin may not do this, unless they have the token of operators.")
	case a.operators.open:
		return nil
	}
	return operatorsOnly.with("This server has no token for operators. Whoever runs it sets ADMIN_TOKEN, and sends it as “Authorization: Bearer <token>”.")
}

// know tells whether a request bears the token. What is compared are hashes, in
// the same time wherever they differ, so that nobody finds the token out piece by
// piece.
func (o operators) know(r *http.Request) bool {
	digest := sha256.Sum256([]byte(bearerText(r)))
	return subtle.ConstantTimeCompare(digest[:], o.digest[:]) == 1
}
