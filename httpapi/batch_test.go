package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

func (p *peer) batch(body string) (status int, answer map[string]any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL+"/events/batch", strings.NewReader(body))
	require.NoError(p.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	return p.server.do(p.t, r)
}

func TestABatchIsDoneInOrderAndABadEventDoesNotStopTheOthers(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	status, answer := a.batch(fmt.Sprintf(`{"events":[
		{"type":"signal","data":1}, {"type":"jump"}, {"type":"signal","target":%q,"data":2},
		{"type":"signal","target":"nobody","data":3}, 7, {"type":"signal","data":4}]}`, b.socketID))
	require.Equal(t, http.StatusOK, status)
	var got []string
	for _, result := range answer["results"].([]any) {
		one := result.(map[string]any)
		kind, _ := one["type"].(string)
		got = append(got, fmt.Sprint(one["status"], kind))
	}
	require.Equal(t, []string{"202", "422/problems/validation-failed", "202", "404/problems/target-not-found", "422/problems/validation-failed", "202"}, got)
	for _, want := range []float64{1, 2, 4} {
		require.Equal(t, want, b.next("signal").json["data"])
	}
	b.quiet()
}

func TestABatchMayEndItsOwnSocket(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	_, answer := a.batch(`{"events":[{"type":"send-message","message":"bye"},{"type":"disconnect"},{"type":"send-message","message":"more"}]}`)
	last := answer["results"].([]any)[2].(map[string]any)
	require.Equal(t, "/problems/unknown-session", last["type"])
	b.next("new-message")
	b.next("user-disconnected")
	b.quiet()
}

func TestABodyThatIsNotABatchIsRefusedWhole(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	for body, want := range map[string]string{
		`{}`:                         "events length",
		`{"events":[]}`:              "events length",
		`{"events":{}}`:              "events type",
		`{"events":null}`:            "events type",
		`{"event":[]}`:               "event unknown",
		`[]`:                         " object",
		`{"events":[1],"events":[]}`: "events unique",
		`{"events":[` + strings.Repeat(`{"type":"ping"},`, 64) + `{"type":"ping"}]}`: "events length",
	} {
		status, problem := p.batch(body)
		require.Equal(t, http.StatusUnprocessableEntity, status, body)
		require.Equal(t, []string{want}, fieldErrors(problem), body)
	}
	status, _ := p.batch(`{"events":[{"type":"ping"}`)
	require.Equal(t, http.StatusBadRequest, status)
	p.token = sse.NewToken().Secret()
	status, _ = p.batch(`{"events":[{"type":"ping"}]}`)
	require.Equal(t, http.StatusUnauthorized, status)
}
