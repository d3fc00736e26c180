package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// A page may join and leave faster than it is answered. The request ID says which answer
// belongs to which request.
func TestAnAnswerBearsTheIDOfItsRequest(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	other, p := s.join(t, "room", "Bob"), s.connect(t)
	answered := func(kind string, id any) {
		t.Helper()
		require.Equal(t, id, p.next(kind).json["requestId"])
	}

	p.send(`{"type":"join-room","roomId":"room","userId":"Ada","requestId":"1"}`)
	answered("room-joined", "1")
	require.NotContains(t, other.next("user-connected").json, "requestId", "it is nobody else's")
	p.send(`{"type":"join-room","roomId":"room","userId":"Ada","requestId":"2"}`)
	answered("room-joined", "2")
	p.send(`{"type":"join-room","roomId":"room","userId":"Ada"}`)
	answered("room-joined", nil)
	p.send(`{"type":"join-room","roomId":"room","userId":"Eve","requestId":"3"}`)
	answered("room-joined", "3")
	p.send(`{"type":"join-room","roomId":"elsewhere","userId":"Eve","requestId":"4"}`)
	answered("room-joined", "4")
	p.send(`{"type":"leave-room","requestId":"5"}`)
	answered("room-left", "5")
	p.refuse(http.StatusConflict, "not-in-room", `{"type":"leave-room","requestId":"6"}`)

	odd := strings.Repeat(`!\"\\~`, 16) // 64 characters
	p.send(`{"type":"join-room","roomId":"room","userId":"Ada","requestId":"` + odd + `"}`)
	answered("room-joined", strings.Repeat(`!"\~`, 16))
	p.send(`{"type":"leave-room"}`)
	answered("room-left", nil)
	p.quiet()
}

func TestTheAnswersToABatchAndABeaconBearTheIDsOfTheirRequests(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	status, _ := p.keyed("/events/batch", "key", `{"events":[
		{"type":"join-room","roomId":"room","userId":"Ada","requestId":"1"},
		{"type":"leave-room","requestId":"2"},
		{"type":"join-room","roomId":"room","userId":"Ada","requestId":"3"}]}`)
	require.Equal(t, http.StatusOK, status)
	for id, kind := range []string{"room-joined", "room-left", "room-joined"} {
		require.Equal(t, fmt.Sprint(id+1), p.next(kind).json["requestId"])
	}
	require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(`{"token":%q,"type":"leave-room","requestId":"4"}`, p.token)))
	require.Equal(t, "4", p.next("room-left").json["requestId"])
	join := `{"type":"join-room","roomId":"room","userId":"Ada","requestId":"5"}`
	for range 2 {
		status, _ := p.keyed("/events", "another-key", join)
		require.Equal(t, http.StatusAccepted, status)
	}
	require.Equal(t, "5", p.next("room-joined").json["requestId"])
	p.quiet()
}

// A join that is repeated has an answer of its own, also if the first was not sent yet.
func TestEachRepeatedJoinIsAnsweredWithItsID(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	at := s.poll(t, "", "")
	p := at.peer(t, s)
	join := `{"type":"join-room","roomId":"room","userId":"Ada"%s}`
	for _, id := range []string{``, `,"requestId":"1"`, `,"requestId":"2"`, ``} {
		p.send(fmt.Sprintf(join, id))
	}
	at = s.poll(t, p.token, at.next())
	var ids []any
	for _, e := range at.decode(t) {
		require.Equal(t, "room-joined", e["type"])
		require.Len(t, e["users"], 1)
		ids = append(ids, e["requestId"])
	}
	require.Equal(t, []any{nil, "1", "2", nil}, ids)

	for _, event := range []string{`{"type":"leave-room","requestId":"3"}`, fmt.Sprintf(join, `,"requestId":"4"`), `{"type":"leave-room"}`, fmt.Sprintf(join, ``)} {
		p.send(event)
	}
	var answers []string
	for _, e := range s.poll(t, p.token, at.next()).decode(t) {
		answers = append(answers, fmt.Sprint(e["type"], " ", e["requestId"]))
	}
	require.Equal(t, []string{"room-left 3", "room-joined 4", "room-left <nil>", "room-joined <nil>"}, answers)
}

func TestARequestIDHas1To64VisibleCharactersOfASCII(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	const visible = "must have only visible ASCII characters, and no spaces"
	for value, want := range map[string][2]string{
		`""`:                                {"min", "must not be empty"},
		`"a b"`:                             {"visible", visible},
		`"ä"`:                               {"visible", visible},
		`"\n"`:                              {"visible", visible},
		`"\u007f"`:                          {"visible", visible},
		`"` + strings.Repeat("x", 65) + `"`: {"max", "must have 64 characters at most"},
		`7`:                                 {"type", "must be a string"},
		`[null]`:                            {"type", "must be a string"},
	} {
		for _, event := range []string{`{"type":"leave-room","requestId":` + value + `}`, `{"type":"join-room","roomId":"r","userId":"u","requestId":` + value + `}`} {
			answer := p.refuse(http.StatusUnprocessableEntity, "validation-failed", event)
			require.Equal(t, []any{map[string]any{"field": "requestId", "rule": want[0], "message": want[1]}}, answer["errors"], event)
		}
	}
}
