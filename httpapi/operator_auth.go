package httpapi

import (
	"context"
	"net/http"
	"os"

	"signaling-server/httpapi/operators"
	"signaling-server/httpapi/problem"
)

// gate decides which requests come from an operator: those that bear the token of one. If
// the server has no such token, everybody is an operator in development, and nobody in
// production.
type gate struct {
	operators operators.List
	open      bool   // if there are no operators, everybody is one
	machine   string // the name of this machine; empty: unknown
}

func newGate(o Options) gate {
	machine, _ := os.Hostname() // without it, the server has only the name localhost, and IP addresses
	return gate{operators.NewList(o.AdminToken, o.Operators), o.Environment != Production, machine}
}

// forOperators wraps a handler that is only for operators who have a scope. Reading counts
// against the limit of monitoring. Changing does not: an operator may have much to clear up.
func (a *API) forOperators(scope operators.Scope, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		operator, err := a.checkOperator(w, r)
		if err != nil {
			return err
		}
		if !operator.May(scope) {
			a.warnOfScope(withOperator(r, operator), scope)
			return problem.InsufficientScope.With("The token of the operator “" + operator.Name + "” does not have the scope “" + string(scope) + "”, which this needs.")
		}
		if scope == operators.Read {
			if err := a.limits.Network(a.networkOf(r)).Monitor(1); err != nil {
				return err
			}
		}
		return h(w, withOperator(r, operator), p)
	}
}

// checkOperator returns the operator that a request comes from, or a problem.
func (a *API) checkOperator(w http.ResponseWriter, r *http.Request) (operator operators.Operator, err error) {
	switch {
	case !a.gate.operators.IsEmpty():
		operator, isKnown := a.gate.operators.Find(bearerText(r))
		if bearerText(r) != "" { // a request without a token is not a guess
			if err := a.limits.Network(a.networkOf(r)).Guess(isKnown); err != nil {
				return operator, err
			}
		}
		if !isKnown {
			return operator, problem.UnknownOperator.With("Send the header “Authorization: Bearer <token>”, with the value of ADMIN_TOKEN or the token of another operator.")
		}
		return operator, nil
	case a.gate.open:
		err := a.gate.checkPage(r)
		if err != nil {
			forbidReading(w)
		}
		return operators.Operator{Name: anybody}, err
	}
	return operator, problem.OperatorsOnly.With("This server has no token for operators. If you run it, set ADMIN_TOKEN, and send it as “Authorization: Bearer <token>”.")
}

// anybody is the name of operators in the log if the server knows none.
const anybody = "anybody"

type operatorKey struct{}

func withOperator(r *http.Request, o operators.Operator) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), operatorKey{}, o.Name))
}

// operatorOf returns the name of the operator that a request comes from.
func operatorOf(r *http.Request) string {
	name, _ := r.Context().Value(operatorKey{}).(string)
	return name
}

// AuditPrefix begins the message of each log line about what an operator did or was refused.
// What operators did has the level info, and must be logged even in a flood.
const AuditPrefix = "operator "

// audit logs what the operator of a request did: whatever an operator changes is logged.
func (a *API) audit(r *http.Request, what string, attributes ...any) {
	a.logger.InfoContext(r.Context(), AuditPrefix+what, append([]any{"operator", operatorOf(r), "ip", a.clientOf(r).IP}, attributes...)...)
}

// warnOfScope logs that an operator asked for what needs another scope. Unlike the other lines about
// operators this is a warning, so it counts against the share of its address: otherwise a stolen
// token that may do little could fill the disk.
func (a *API) warnOfScope(r *http.Request, scope operators.Scope) {
	a.logger.WarnContext(r.Context(), AuditPrefix+"was refused what needs another scope",
		"operator", operatorOf(r), "ip", a.clientOf(r).IP, "scope", scope, "method", r.Method, "path", loggedPath(r.URL.Path))
}

// checkPage protects a server without a token from pages of other origins: a browser on
// the operator's machine could reach the server for any page. A page may also make its
// own host name lead to this machine (DNS rebinding). To the browser, the server then has
// the page's own origin. So checkPage accepts only a Host that no such page can have.
func (g gate) checkPage(r *http.Request) error {
	switch {
	case isForPage(r):
		return problem.OriginNotAllowed.With("A page of another origin may do this only with the token of an operator. Set ADMIN_TOKEN.")
	case !g.isOwnName(r.Host):
		return problem.OriginNotAllowed.With("Without ADMIN_TOKEN this works only if you address the server as localhost, by an IP address, or by the name of its machine. Set ADMIN_TOKEN.")
	}
	return nil
}
