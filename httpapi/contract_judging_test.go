package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A judge that never objects would prove nothing. Each case is a request or an answer,
// with the beginning of the expected objection: of both judges, or only of the strict
// judge.

const ping = `{"type":"ping"}`

func TestTheJudgeFindsWhatIsWrongWithARequest(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	for name, is := range map[string]struct {
		method, path, body string
		header             []string
		both, strict       string
	}{
		"nothing":                     {method: "POST", path: "/events", body: ping},
		"nothing without a token":     {method: "GET", path: "/events/poll", header: []string{"Authorization", ""}},
		"no token":                    {method: "POST", path: "/events", body: ping, header: []string{"Authorization", ""}, both: "the token is missing"},
		"a member too many":           {method: "POST", path: "/events", body: `{"type":"ping","more":1}`, both: "as the body"},
		"a member too few":            {method: "POST", path: "/events", body: `{"type":"send-message"}`, both: "as the body"},
		"a member of another type":    {method: "POST", path: "/events", body: `{"type":"send-message","message":1}`, both: "as the body"},
		"not JSON":                    {method: "POST", path: "/events", body: `{`, both: "unexpected EOF"},
		"another media type":          {method: "POST", path: "/events", body: ping, header: []string{"Content-Type", "text/html"}, both: "the document does not have the media type"},
		"no body":                     {method: "POST", path: "/events", both: "EOF"},
		"a body":                      {method: "GET", path: "/rooms", body: `{}`, both: "the document does not have a body"},
		"a parameter out of range":    {method: "GET", path: "/rooms?limit=0", both: "as limit"},
		"a parameter of another type": {method: "GET", path: "/rooms?limit=x", both: "as limit"},
		"a parameter in the path":     {method: "DELETE", path: "/connections/%20", both: "as socketId"},
		"an undeclared parameter":     {method: "GET", path: "/rooms?more=1", strict: "undeclared: more"},
		"a header out of range":       {method: "POST", path: "/events", body: ping, header: []string{"Idempotency-Key", " "}, both: "as Idempotency-Key"},
		"an undeclared header":        {method: "POST", path: "/events", body: ping, header: []string{"X-More", "1"}, strict: "undeclared: X-More"},
		"a cookie":                    {method: "POST", path: "/events", body: ping, header: []string{"Cookie", "a=b"}, strict: "undeclared: Cookie"},
	} {
		r := httptest.NewRequest(is.method, is.path, strings.NewReader(is.body))
		r.Header = newHeader([]string{"Authorization", "Bearer x", "Content-Type", "application/json"}, is.header)
		_, variables, operation := c.operation(r)
		require.NotNil(t, operation, name)
		requireObjection(t, is.both, c.open.wrongWithRequest(operation, r, variables, []byte(is.body)), name)
		requireObjection(t, is.both+is.strict, c.strict.wrongWithRequest(operation, r, variables, []byte(is.body)), name)
	}
}

func TestTheJudgeFindsWhatIsWrongWithAnAnswer(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	const problem = `{"type":"/problems/at-capacity","title":"t","status":503,"detail":"d"}`
	for name, is := range map[string]struct {
		path, body   string
		status       int
		header       []string
		both, strict string
	}{
		"nothing":                  {path: "/livez", status: 200, body: `{"status":"ok"}`},
		"another status":           {path: "/livez", status: 201, body: `{"status":"ok"}`, both: "the document does not have this status"},
		"another value":            {path: "/livez", status: 200, body: `{"status":7}`, both: "as the body"},
		"a member too few":         {path: "/livez", status: 200, body: `{}`, both: "as the body"},
		"an undeclared member":     {path: "/livez", status: 200, body: `{"status":"ok","more":1}`, strict: "as the body"},
		"not JSON":                 {path: "/livez", status: 200, body: `ok`, both: "invalid character"},
		"another media type":       {path: "/livez", status: 200, body: `{"status":"ok"}`, header: []string{"Content-Type", "text/html"}, both: "the document does not have the media type"},
		"an undeclared header":     {path: "/livez", status: 200, body: `{"status":"ok"}`, header: []string{"X-More", "1"}, strict: "undeclared: X-More"},
		"a problem":                {path: "/events/poll", status: 503, body: problem, header: []string{"Content-Type", "application/problem+json", "Retry-After", "1"}},
		"no header":                {path: "/events/poll", status: 503, body: problem, header: []string{"Content-Type", "application/problem+json"}, both: "Retry-After is missing"},
		"a header of another type": {path: "/events/poll", status: 503, body: problem, header: []string{"Content-Type", "application/problem+json", "Retry-After", "soon"}, both: "as Retry-After"},
	} {
		_, _, operation := c.operation(httptest.NewRequest(http.MethodGet, is.path, nil))
		answer := &http.Response{StatusCode: is.status, Header: newHeader([]string{"Content-Type", "application/json"}, is.header)}
		requireObjection(t, is.both, c.open.wrongWithAnswer(operation, http.MethodGet, answer, []byte(is.body)), name)
		requireObjection(t, is.both+is.strict, c.strict.wrongWithAnswer(operation, http.MethodGet, answer, []byte(is.body)), name)
	}
}

// newHeader makes a header from names and values. An empty value deletes the field.
func newHeader(lists ...[]string) http.Header {
	header := make(http.Header)
	for _, list := range lists {
		for i := 0; i < len(list); i += 2 {
			if header.Set(list[i], list[i+1]); list[i+1] == "" {
				header.Del(list[i])
			}
		}
	}
	return header
}

// requireObjection requires exactly one objection, which begins with a text. If the text
// is "", it requires that there is no objection.
func requireObjection(t *testing.T, want string, got []string, about string) {
	t.Helper()
	if want == "" {
		require.Empty(t, got, about)
		return
	}
	require.Len(t, got, 1, "%s: %q", about, got)
	require.True(t, strings.HasPrefix(got[0], want), "%s: %q", about, got)
}
