package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/operators"
	"signaling-server/sse"
)

const adminToken = "the operators' own token"

// withAdminToken sets ADMIN_TOKEN for a test's server.
func withAdminToken(u *setup) { u.API.AdminToken = adminToken }

// withOperators sets OPERATOR_TOKENS for a test's server.
func withOperators(t *testing.T, lines string) func(u *setup) {
	t.Helper()
	all, err := operators.Parse(lines)
	require.NoError(t, err)
	return func(u *setup) { u.API.Operators = all }
}

// operation is an operation that only operators may use.
type operation struct {
	method, path string
	scope        operators.Scope
}

// request makes a correct request for an operation, except that it has no token.
func (o operation) request(t *testing.T, s *server) *http.Request {
	t.Helper()
	body := ""
	if strings.HasSuffix(o.path, "/events") {
		body = `{"type":"announcement","data":1}`
	}
	r, err := http.NewRequestWithContext(t.Context(), o.method, s.URL+o.path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

var operations = []operation{
	{http.MethodGet, "/rooms", operators.Read},
	{http.MethodGet, "/rooms/standup", operators.Read},
	{http.MethodDelete, "/rooms/standup", operators.Rooms},
	{http.MethodPost, "/rooms/standup/lock", operators.Rooms},
	{http.MethodDelete, "/rooms/standup/lock", operators.Rooms},
	{http.MethodPost, "/rooms/standup/events", operators.Send},
	{http.MethodGet, "/connections", operators.Read},
	{http.MethodDelete, "/connections/pNoFD-ZNEvcDre67DdcBpw", operators.Sockets},
	{http.MethodPost, "/connections/pNoFD-ZNEvcDre67DdcBpw/events", operators.Send},
	{http.MethodGet, "/revocations", operators.Read},
	{http.MethodPut, "/revocations/users/mallory", operators.Revoke},
	{http.MethodDelete, "/revocations/users/mallory", operators.Revoke},
	{http.MethodGet, "/webhooks", operators.Read},
	{http.MethodPost, "/webhooks/replay?since=2026-03-01T12:00:00Z", operators.Webhooks},
	{http.MethodGet, "/stats", operators.Read},
	{http.MethodGet, "/cluster", operators.Read},
	{http.MethodGet, "/metrics", operators.Read},
}

// operate sends an operator's request, and requires a status.
func (s *server) operate(t *testing.T, status int, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+adminToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	got, answer := s.do(t, r)
	require.Equal(t, status, got, "%s %s: %v", method, path, answer)
	return answer
}

func operatorsOperate(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100, withAdminToken)
	a, b := s.join(t, "standup", "Ada"), s.join(t, "standup", "Bob")
	a.next("user-connected")

	s.operate(t, http.StatusAccepted, http.MethodPost, "/rooms/standup/events", `{"type":"announcement","data":{"text":"soon"}}`)
	a.next("announcement")
	b.next("announcement")
	s.operate(t, http.StatusAccepted, http.MethodPost, "/connections/"+b.socketID+"/events", `{"type":"announcement","data":"for Bob"}`)
	require.Equal(t, "for Bob", b.next("announcement").json["data"])
	s.operate(t, http.StatusConflict, http.MethodPost, "/connections/"+s.connect(t).socketID+"/events", `{"type":"announcement","data":1}`)
	s.operate(t, http.StatusNoContent, http.MethodPost, "/rooms/standup/lock", "")
	require.Equal(t, true, s.operate(t, http.StatusOK, http.MethodGet, "/rooms/standup", "")["locked"])
	s.operate(t, http.StatusOK, http.MethodGet, "/rooms", "")
	s.connect(t).refuse(http.StatusConflict, "room-locked", `{"type":"join-room","roomId":"standup","userId":"Cyd"}`)
	s.operate(t, http.StatusNoContent, http.MethodDelete, "/rooms/standup/lock", "")
	c := s.join(t, "standup", "Cyd")
	a.next("user-connected")

	s.operate(t, http.StatusNoContent, http.MethodDelete, "/connections/"+c.socketID+"?reason=Please%20keep%20to%20the%20subject.", "")
	bye := c.next("disconnected")
	require.Equal(t, "kicked", bye.json["reason"])
	require.Equal(t, "Please keep to the subject.", bye.json["detail"])
	c.ended()
	require.Equal(t, "kicked", a.next("user-disconnected").json["reason"])
	s.operate(t, http.StatusUnprocessableEntity, http.MethodDelete, "/connections/"+b.socketID+"?reason=a%0Ab", "")

	dan := s.join(t, "standup", "Dan")
	a.next("user-connected")
	s.operate(t, http.StatusNoContent, http.MethodPut, "/revocations/users/Dan?seconds=60", "")
	bye = dan.next("disconnected")
	require.Equal(t, "kicked", bye.json["reason"])
	require.Equal(t, "Your access was revoked.", bye.json["detail"])
	dan.ended()
	require.Equal(t, "kicked", a.next("user-disconnected").json["reason"])
	s.connect(t).refuse(http.StatusForbidden, "access-denied", `{"type":"join-room","roomId":"standup","userId":"Dan"}`)
	listed := s.operate(t, http.StatusOK, http.MethodGet, "/revocations", "")
	require.Equal(t, 1.0, listed["totalRevocations"])
	s.operate(t, http.StatusNoContent, http.MethodPut, "/revocations/tokens/-?id=..%2F1", "")
	listed = s.operate(t, http.StatusOK, http.MethodGet, "/revocations?limit=1", "")
	require.Equal(t, 2.0, listed["totalRevocations"])
	require.Equal(t, "../1", listed["revocations"].([]any)[0].(map[string]any)["id"], "tokens come before users")
	s.operate(t, http.StatusUnprocessableEntity, http.MethodGet, "/revocations?limit=0", "")
	for path, status := range map[string]int{
		"/revocations/users/Dan?seconds=0":               http.StatusUnprocessableEntity,
		"/revocations/users/Dan?seconds=31622401":        http.StatusUnprocessableEntity,
		"/revocations/users/Dan?seconds=soon":            http.StatusUnprocessableEntity,
		"/revocations/users/" + strings.Repeat("x", 257): http.StatusUnprocessableEntity,
		"/revocations/users/-?id=":                       http.StatusUnprocessableEntity,
		"/revocations/tokens/eyJhbGciOiJI.eyJzdWIi.c2ln": http.StatusUnprocessableEntity,
		"/revocations/rooms/standup":                     http.StatusNotFound,
	} {
		s.operate(t, status, http.MethodPut, path, "")
	}
	s.operate(t, http.StatusUnprocessableEntity, http.MethodDelete, "/revocations/users/"+strings.Repeat("x", 257), "")
	s.operate(t, http.StatusNoContent, http.MethodDelete, "/revocations/users/Dan", "")
	s.operate(t, http.StatusNotFound, http.MethodDelete, "/revocations/users/Dan", "")
	s.operate(t, http.StatusNoContent, http.MethodDelete, "/revocations/tokens/-?id=..%2F1", "")
	s.join(t, "standup", "Dan").send(`{"type":"disconnect"}`)
	a.next("user-connected")
	a.next("user-disconnected")

	s.operate(t, http.StatusNoContent, http.MethodDelete, "/rooms/standup", "")
	require.Equal(t, "room closed", a.next("room-left").json["reason"])
	require.Equal(t, "room closed", s.lastLeft(b))
	for _, o := range operations {
		if strings.HasPrefix(o.path, "/rooms/") || strings.HasPrefix(o.path, "/connections/") || o.scope == operators.Revoke && o.method == http.MethodDelete {
			require.Equal(t, http.StatusNotFound, s.tryToken(t, o, adminToken))
		}
	}
	for body, status := range map[string]int{
		`{"type":`:                               http.StatusBadRequest,
		`{"type":"announcement"}`:                http.StatusUnprocessableEntity,
		`{"type":"announcement","data":1,"x":1}`: http.StatusUnprocessableEntity,
		`{"type":"signal","data":1}`:             http.StatusUnprocessableEntity,
		strings.Repeat(" ", 64<<10+1):            http.StatusRequestEntityTooLarge,
		"":                                       http.StatusUnsupportedMediaType,
	} {
		s.operate(t, status, http.MethodPost, "/rooms/standup/events", body)
		s.operate(t, status, http.MethodPost, "/connections/"+a.socketID+"/events", body)
	}

	s.operate(t, http.StatusNotFound, http.MethodPost, "/webhooks/replay?since=2026-03-01T12:00:00Z", "")
	s.operate(t, http.StatusUnprocessableEntity, http.MethodPost, "/webhooks/replay", "")
	s.operate(t, http.StatusUnprocessableEntity, http.MethodPost, "/webhooks/replay?since=today", "")
	webhooksAreSent(t, w)

	stopping := w.newServer(t, sse.Options{}, 100, withAdminToken)
	d := stopping.join(t, "standup", "Dan")
	require.NoError(t, stopping.hub.Drain(t.Context()))
	d.next("server-shutdown")
	stopping.operate(t, http.StatusServiceUnavailable, http.MethodPost, "/rooms/standup/events", `{"type":"announcement","data":1}`)
	stopping.operate(t, http.StatusServiceUnavailable, http.MethodPost, "/connections/"+d.socketID+"/events", `{"type":"announcement","data":1}`)
}

// lastLeft returns the reason why a peer is out of its room. It skips the events before
// room-left.
func (s *server) lastLeft(p *peer) any {
	for e := range p.events {
		if e.kind == "room-left" {
			return e.json["reason"]
		}
	}
	return nil
}

// The contract names the scope that each operation needs: the linters of OpenAPI know scopes only
// of OAuth 2.0, so it is an extension.
func TestTheContractNamesTheScopesOfOperators(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	scopes := make(map[string]operators.Scope)
	for template, item := range c.document.Paths.Map() {
		for method, o := range item.Operations() {
			if template == "/metrics" {
				continue // the contract leaves it out
			}
			if !isForOperators(o) {
				require.NotContains(t, o.Extensions, "x-scope", template)
				continue
			}
			scope := operators.Scope(fmt.Sprint(o.Extensions["x-scope"]))
			require.Contains(t, o.Description, "Needs the scope `"+string(scope)+"`.")
			path, _, _ := strings.Cut(withExamples(template, o.Parameters), "?")
			scopes[method+" "+path] = scope
		}
	}
	for _, o := range operations {
		path, _, _ := strings.Cut(o.path, "?")
		if name := o.method + " " + path; path != "/metrics" {
			require.Equal(t, o.scope, scopes[name], name)
			delete(scopes, name)
		}
	}
	require.Empty(t, scopes, "the table of this file has them all")
}

func strangersAreNotOperators(t *testing.T, w *witness) {
	guarded := w.newServer(t, sse.Options{}, 100, withAdminToken)
	closed := w.newServer(t, sse.Options{}, 100, func(u *setup) { u.API.Environment = "production" })
	for _, o := range operations {
		header := guarded.ask(t, http.StatusUnauthorized, o.method, o.path, nil)
		require.Equal(t, "Bearer", header.Get("WWW-Authenticate"))
		status, _ := closed.do(t, o.request(t, closed))
		require.Equal(t, http.StatusForbidden, status)
	}
	for _, scope := range operators.Scopes() {
		token, line, err := operators.Issue("billing", []string{string(scope)})
		require.NoError(t, err)
		scoped := w.newServer(t, sse.Options{}, 100, withAdminToken, withOperators(t, line))
		scoped.join(t, "standup", "Ada")
		for _, o := range operations {
			status := scoped.tryToken(t, o, token)
			require.Equal(t, o.scope != scope, status == http.StatusForbidden, "%v with the scope %s: %d", o, scope, status)
			require.NotEqual(t, http.StatusUnauthorized, status)
		}
	}
	for _, o := range operations {
		for guarded.tryToken(t, o, "wrong") != http.StatusTooManyRequests {
		}
	}
}

// tryToken tries an operation with a token, and returns the status.
func (s *server) tryToken(t *testing.T, o operation, token string) (status int) {
	t.Helper()
	r := o.request(t, s)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
