package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// A program that cuts a text in the middle of an emoji sends half of it.
func TestHalfAnEmojiStopsNoEventOfItsBatch(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	status, answer := p.batch(`{"events":[{"type":"ping"},{"type":"send-message","message":"\ud83d"},{"type":"\ude00"},{"type":"send-message","message":"\ud83d\ude00"}]}`)
	require.Equal(t, http.StatusOK, status, answer)
	var statuses []any
	for _, result := range answer["results"].([]any) {
		statuses = append(statuses, result.(map[string]any)["status"])
	}
	require.Equal(t, []any{202.0, 202.0, 422.0, 202.0}, statuses)
	p.next("pong")
	require.Equal(t, "\ufffd", p.next("new-message").json["message"])
	require.Equal(t, "😀", p.next("new-message").json["message"])

	for _, body := range []string{"{\"events\":[{\"type\":\"ping\"},{\"type\":\"send-message\",\"message\":\"\xed\xa0\xbd\"}]}", `{"events":[{"type":"ping"},` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `]}`} {
		status, _ = p.batch(body)
		require.Equal(t, http.StatusBadRequest, status, "what is not JSON in UTF-8, or is nested too deep, refuses the whole batch")
	}
	p.quiet()
}

// A text that was cut in the middle of an emoji arrives as a browser would read it, wherever
// it stands. The rest of what is relayed stays as it was written.
func TestHalfAnEmojiArrivesAsAReplacementCharacter(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.connect(t), s.join(t, "\ufffd", "Bob")
	a.send(`{"type":"join-room","roomId":"\ud83d","userId":"Ada \uDE00","metadata":{"\ud83d":["\ud83d\ud83d\uDE00"]}}`)
	require.Equal(t, "Ada \ufffd", a.next("room-joined").json["userId"])
	require.Contains(t, b.next("user-connected").data, `"metadata":{"\ufffd":["\ufffd\ud83d\uDE00"]}`)

	for _, one := range []struct{ kind, payload, want string }{
		{"offer", `"offer":{"type":"offer","sdp":"\ud83d\n\u0041","\ud83d":1},"\ud83d":{"\ude00":"\\ud83d"},"\ude00":2`, `"offer":{"type":"offer","sdp":"\ufffd\n\u0041","\ufffd":1},"\ufffd":{"\ufffd":"\\ud83d"},"\ufffd":2`},
		{"answer", `"answer":{"type":"answer","sdp":"\udbff"},"n":1.0e+0`, `"answer":{"type":"answer","sdp":"\ufffd"},"n":1.0e+0`},
		{"ice-candidate", `"candidate":{"candidate":"\ud83d","sdpMid":"\uDEAD"}`, `"candidate":{"candidate":"\ufffd","sdpMid":"\ufffd"}`},
		{"signal", `"data":{"\ud83d":"x\ud83dx\ude00","a":[["\uDFFF"]]}`, `"data":{"\ufffd":"x\ufffdx\ufffd","a":[["\ufffd"]]}`},
	} {
		a.send(fmt.Sprintf(`{"type":%q,"target":%q,%s}`, one.kind, b.socketID, one.payload))
		require.Equal(t, fmt.Sprintf(`{"type":%q,"from":%q,"target":%q,%s}`, one.kind, a.socketID, b.socketID, one.want), b.next(one.kind).data)
	}
	for body, want := range map[string]string{
		`{"type":"signal","data":1,"\ud83d":1}`:                     "\ufffd unknown",
		`{"type":"join-room","roomId":"\ud83d\u0000","userId":"u"}`: "roomId name",
		`{"type":"leave-room","requestId":"\ud83d"}`:                "requestId visible",
		`{"type":"\ud83d"}`:                                         "type oneof",
	} {
		require.Equal(t, []string{want}, fieldErrors(a.refuse(http.StatusUnprocessableEntity, "validation-failed", body)), body)
	}
	a.refuse(http.StatusNotFound, "target-not-found", `{"type":"signal","data":1,"target":"\ud83d"}`)
	a.quiet()
	b.quiet()
}

func TestHalfAnEmojiOfAnOperatorOrABeaconArrives(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	a := s.join(t, "room", "Ada")
	s.operate(t, http.StatusAccepted, http.MethodPost, "/rooms/room/events", `{"type":"announcement","data":{"\ud83d":"\ude00"}}`)
	require.Contains(t, a.next("announcement").data, `"data":{"\ufffd":"\ufffd"}`)
	require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(`{"type":"send-message","message":"\ud83d","token":%q}`, a.token)))
	require.Equal(t, "\ufffd", a.next("new-message").json["message"])
	a.quiet()
}

// A repeat is known by the bytes that were sent, not by what the server made of them.
func TestHalfAnEmojiMayBeRepeatedWithItsKey(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.join(t, "room", "Ada")
	for path, body := range map[string]string{
		"/events":       `{"type":"send-message","message":"%s"}`,
		"/events/batch": `{"events":[{"type":"send-message","message":"%s"}]}`,
	} {
		first, _ := a.keyed(path, path, fmt.Sprintf(body, `\ud83d`))
		again, _ := a.keyed(path, path, fmt.Sprintf(body, `\ud83d`))
		require.Equal(t, first, again)
		require.Less(t, first, 300)
		other, _ := a.keyed(path, path, fmt.Sprintf(body, `\ude00`))
		require.Equal(t, http.StatusUnprocessableEntity, other)
		require.Equal(t, "\ufffd", a.next("new-message").json["message"])
	}
	a.quiet()
}

// Phone books and libraries for translations put marks and isolates around names.
func TestNamesMayHaveMarksAndIsolates(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	a := s.join(t, "\u2068room\u2069", "Ada")
	for _, name := range []string{"\u2066+49 30 1234\u2069", "אדה\u200f (1)", "\u061c١٢٣", "\u2068a\u2067b\u2069\u2069", "👩\u200d👧", "می\u200cخواهم"} {
		b := s.join(t, "\u2068room\u2069", name)
		require.Equal(t, name, a.next("user-connected").json["userId"])
		s.operate(t, http.StatusNoContent, http.MethodDelete, "/connections/"+b.socketID+"?reason="+url.QueryEscape(name), "")
		require.Equal(t, name, b.next("disconnected").json["detail"])
		a.next("user-disconnected")
	}
	room := s.operate(t, http.StatusOK, http.MethodGet, "/rooms/"+url.PathEscape("\u2068room\u2069"), "")
	require.Equal(t, "\u2068room\u2069", room["roomId"])
}

// What would turn the text around a name is refused, and the problem says why.
func TestNamesHaveNoOverridesAndNoOpenIsolates(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	a := s.join(t, "room", "Ada")
	for name, want := range map[string]string{
		"a\u202eb": "must not contain text-direction embeddings or overrides, such as U+202E",
		"\u2067a":  "must end each text-direction isolate by U+2069",
		"a\u2069":  "must not contain U+2069 without a text-direction isolate before it",
		"a\nb":     "must not contain control characters, such as U+000A",
		"\u200e":   "must contain a visible character",
		"\u3164":   "must contain a visible character",
	} {
		text, err := json.Marshal(name)
		require.NoError(t, err)
		for field, body := range map[string]string{
			"roomId": `{"type":"join-room","userId":"u","roomId":` + string(text) + `}`,
			"userId": `{"type":"join-room","roomId":"r","userId":` + string(text) + `}`,
		} {
			answer := a.refuse(http.StatusUnprocessableEntity, "validation-failed", body)
			require.Equal(t, []any{map[string]any{"field": field, "rule": "name", "message": want}}, answer["errors"])
		}
		answer := s.operate(t, http.StatusUnprocessableEntity, http.MethodDelete, "/connections/"+a.socketID+"?reason="+url.QueryEscape(name), "")
		require.Equal(t, []any{map[string]any{"field": "reason", "rule": "name", "message": want}}, answer["errors"])
	}
	answer := s.operate(t, http.StatusUnprocessableEntity, http.MethodDelete, "/connections/"+a.socketID+"?reason="+strings.Repeat("x", 257), "")
	require.Equal(t, []string{"reason max"}, fieldErrors(answer))
	a.quiet()
}

func TestAReasonThatIsNotUTF8IsShownAllTheSame(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	a := s.join(t, "room", "Ada")
	s.operate(t, http.StatusNoContent, http.MethodDelete, "/connections/"+a.socketID+"?reason=%ed%a0%bdx%ff", "")
	require.Equal(t, "\ufffd\ufffd\ufffdx\ufffd", a.next("disconnected").json["detail"])
}
