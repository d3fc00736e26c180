package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// batch is the answer to a poll.
type batch struct {
	Events      []json.RawMessage `json:"events"`
	LastEventID string            `json:"lastEventId"`
}

// poll asks for events. If the token is "", it opens a new socket.
func (s *server) poll(t *testing.T, token, query string) batch {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/events/poll?"+query, nil)
	require.NoError(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(text))
	var b batch
	require.NoError(t, json.Unmarshal(text, &b))
	return b
}

// decode returns the members of each event.
func (b batch) decode(t *testing.T) []map[string]any {
	t.Helper()
	events := make([]map[string]any, len(b.Events))
	for i, text := range b.Events {
		require.NoError(t, json.Unmarshal(text, &events[i]))
	}
	return events
}

// types returns the type of each event.
func (b batch) types(t *testing.T) []any {
	t.Helper()
	types := []any{}
	for _, e := range b.decode(t) {
		types = append(types, e["type"])
	}
	return types
}

// next returns the query of the poll that follows this answer.
func (b batch) next() string {
	return "after=" + b.LastEventID[strings.LastIndexByte(b.LastEventID, '.')+1:]
}

// peer makes a peer without a stream from the answer to a socket's first poll.
func (b batch) peer(t *testing.T, s *server) *peer {
	t.Helper()
	require.Equal(t, []any{"connected"}, b.types(t))
	hello := b.decode(t)[0]
	return &peer{t: t, server: s, token: hello["token"].(string), socketID: hello["socketId"].(string), lastID: b.LastEventID}
}

func TestAClientThatOnlyPollsTakesPartInARoom(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	b := s.join(t, "room", "Bob")
	at := s.poll(t, "", "")
	a := at.peer(t, s)
	a.send(`{"type":"join-room","roomId":"room","userId":"Ada"}`)
	at = s.poll(t, a.token, at.next())
	require.Equal(t, []any{"room-joined"}, at.types(t))
	b.next("user-connected")

	answered := make(chan batch)
	go func() { answered <- s.poll(t, a.token, at.next()+"&wait=60") }() // ends with the answer
	b.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"n":1.0}`, a.socketID))
	at = <-answered
	require.Len(t, at.Events, 1)
	require.JSONEq(t, fmt.Sprintf(`{"type":"offer","from":%q,"target":%q,"offer":{"type":"offer","sdp":"v=0"},"n":1.0}`, b.socketID, a.socketID), string(at.Events[0]))
	require.Contains(t, string(at.Events[0]), `"n":1.0`, "the number is relayed as it was written")

	a.send(`{"type":"disconnect"}`)
	require.Equal(t, "client disconnect", b.next("user-disconnected").json["reason"])
}

func TestAPollContinuesAStreamAndAStreamContinuesAPoll(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	say := func(n int) { b.send(fmt.Sprintf(`{"type":"signal","data":%d}`, n)) }
	say(1)
	require.EqualValues(t, 1, a.next("signal").json["data"])
	_, sequence, _ := strings.Cut(a.lastID, ".")
	say(2)
	a.next("signal") // the client does not count it as received
	at := s.poll(t, a.token, "after="+sequence)
	require.Equal(t, "replaced", a.next("disconnected").json["reason"])
	a.ended()
	require.EqualValues(t, 2, at.decode(t)[0]["data"])
	say(3)
	again := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": at.LastEventID})
	require.Equal(t, true, again.next("connected").json["resumed"])
	again.next("heartbeat")
	require.EqualValues(t, 3, again.next("signal").json["data"])
}

// In these tests, the server's time-outs are half a second for a request and a second for
// an answer. They are meant for requests that are answered at once.
func TestAPollMayWaitLongerThanTheServersTimeouts(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.http = shortTimeouts })
	requireLongWait(t, s)
}

func TestAPollOverHTTP2MayWaitLongerThanTheServersTimeouts(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.http = shortTimeouts })
	secure := httptest.NewUnstartedServer(s.Config.Handler)
	secure.EnableHTTP2 = true
	shortTimeouts(secure.Config)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	requireLongWait(t, &server{secure, s.hub})
}

func shortTimeouts(h *http.Server) { h.ReadTimeout, h.WriteTimeout = time.Second/2, time.Second }

func requireLongWait(t *testing.T, s *server) {
	t.Helper()
	opened := s.poll(t, "", "")
	p := opened.peer(t, s)
	at := s.poll(t, p.token, "wait=2")
	require.Empty(t, at.Events)
	require.Equal(t, opened.LastEventID, at.LastEventID)
	p.send(`{"type":"ping"}`)
	require.Equal(t, []any{"pong"}, s.poll(t, p.token, "wait=0").types(t))
}

func TestAPollWithAnUnknownTokenOpensANewSocket(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.join(t, "room", "Ada")
	unknown := sse.NewToken()
	for _, token := range []string{unknown.Secret(), "x", a.token + "x"} {
		hello := s.poll(t, token, "wait=0").decode(t)[0]
		require.Equal(t, "connected", hello["type"])
		require.Equal(t, false, hello["resumed"])
		require.NotEqual(t, token, hello["token"])
		require.NotEqual(t, a.socketID, hello["socketId"])
	}
	a.quiet()
}

func TestARefusedPollNamesTheWrongParameter(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for query, field := range map[string]string{
		"wait=61": "wait", "wait=-1": "wait", "wait=1.5": "wait", "wait=99999999999999999999": "wait", "wait=x": "wait", "wait=+1": "wait",
		"after=x": "after", "after=-1": "after", "after=007": "after", "after=9007199254740992": "after", "after=1.2": "after",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/events/poll?"+query, nil)
		require.NoError(t, err)
		status, answer := s.do(t, r)
		require.Equal(t, http.StatusUnprocessableEntity, status, query)
		require.Equal(t, field, answer["errors"].([]any)[0].(map[string]any)["field"], query)
	}
	active, _, _ := s.hub.Counts()
	require.Zero(t, active, "no refused poll opened a socket")
}
