package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

func TestTwoPeersTradeOffersAnswersAndCandidates(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.join(t, "room", "Ada")
	b := s.join(t, "room", "Bob")
	arrived := a.next("user-connected")
	require.Equal(t, b.socketID, arrived.json["socketId"])

	a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0\r\n"}}`, b.socketID))
	offer := b.next("offer")
	require.Equal(t, a.socketID, offer.json["from"])
	require.Equal(t, map[string]any{"type": "offer", "sdp": "v=0\r\n"}, offer.json["offer"])

	b.send(fmt.Sprintf(`{"type":"answer","target":%q,"answer":{"type":"answer","sdp":"v=0\r\n"}}`, a.socketID))
	require.Equal(t, b.socketID, a.next("answer").json["from"])
	b.send(fmt.Sprintf(`{"type":"answer","target":%q,"answer":{"type":"pranswer","sdp":"v=0\r\n"}}`, a.socketID))
	a.next("answer")

	a.send(fmt.Sprintf(`{"type":"ice-candidate","target":%q,"candidate":{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}`, b.socketID))
	b.next("ice-candidate")
	a.send(fmt.Sprintf(`{"type":"ice-candidate","target":%q,"candidate":null}`, b.socketID))
	end := b.next("ice-candidate")
	require.Nil(t, end.json["candidate"])
	require.Contains(t, end.json, "candidate")
	a.quiet()
	b.quiet()
}

func TestEventsAreRelayedAsTheyWereWritten(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	for _, kind := range []string{"offer", "answer", "ice-candidate"} {
		payload := map[string]string{
			"offer":         `"offer":{"type":"offer","sdp":"x\u003c<\u2028 \/","n":1.0e+0,"big":12345678901234567890,"n":2}`,
			"answer":        `"answer":{"sdp":"x","type":"answer","__proto__":{"a":[]}}`,
			"ice-candidate": `"candidate":{"candidate":"c","extra":[1,{"a":null}]}`,
		}[kind]
		a.send(fmt.Sprintf("{\"callId\" : 7,\n\"from\":\"mallory\",%s,\r\n \"type\":%q,\"\\u0066rom\":\"mallory\", \"target\":%q,\"x\":[ 1 , 2 ], \"x\":\"again\"}", payload, kind, b.socketID))
		want := fmt.Sprintf(`{"type":%q,"from":%q,"callId":7,%s,"target":%q,"x":[1,2],"x":"again"}`, kind, a.socketID, payload, b.socketID)
		require.Equal(t, want, b.next(kind).data)
	}
	for event, payload := range map[string]string{"offer": `"offer":{"type":"offer","sdp":5,"sdp":"x"}`, "ice-candidate": `"candidate":{"candidate":5,"candidate":"x"}`} {
		a.send(fmt.Sprintf(`{"type":%q,"target":%q,%s}`, event, b.socketID, payload))
		require.Contains(t, b.next(event).data, payload, "the last of a repeated member counts")
	}
	a.send(`{"type":"signal","data":{"n":1.50,"s":"\u00e9<"}}`)
	require.Equal(t, fmt.Sprintf(`{"type":"signal","from":%q,"data":{"n":1.50,"s":"\u00e9<"}}`, a.socketID), b.next("signal").data)
	a.send(fmt.Sprintf(`{"type":"signal","data":null,"target":%q}`, b.socketID))
	require.Equal(t, fmt.Sprintf(`{"type":"signal","from":%q,"data":null,"target":%q}`, a.socketID, b.socketID), b.next("signal").data)
}

func TestRoomsChatTypingAndLeaving(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.connect(t)
	a.send(`{"type":"join-room","roomId":"room","userId":"Ada","metadata":{ "color" : "red" }}`)
	joined := a.next("room-joined")
	require.Contains(t, joined.data, `"metadata":{"color":"red"}`)
	b := s.join(t, "room", "Bob")
	a.next("user-connected")

	a.send(`{"type":"send-message","message":"  héllo\n<b> "}`)
	for _, p := range []*peer{a, b} {
		message := p.next("new-message")
		require.Equal(t, "héllo\n<b>", message.json["message"])
		require.Equal(t, "Ada", message.json["userId"])
	}
	a.send(`{"type":"typing-start"}`)
	require.Equal(t, true, b.next("user-typing").json["isTyping"])
	a.send(`{"type":"typing-stop"}`)
	require.Equal(t, false, b.next("user-typing").json["isTyping"])

	a.send(`{"type":"ping"}`)
	pong := a.next("pong")
	require.InDelta(t, time.Now().UnixMilli(), pong.json["timestamp"], 60_000)

	a.send(`{"type":"leave-room"}`)
	left := a.next("room-left")
	require.Equal(t, "left", left.json["reason"])
	require.Equal(t, "room", left.json["roomId"])
	require.Equal(t, "left", b.next("user-disconnected").json["reason"])
	for _, body := range []string{
		`{"type":"leave-room"}`, `{"type":"send-message","message":"x"}`, `{"type":"typing-start"}`, `{"type":"typing-stop"}`, `{"type":"signal","data":1}`,
		fmt.Sprintf(`{"type":"signal","data":1,"target":%q}`, b.socketID),
		fmt.Sprintf(`{"type":"ice-candidate","candidate":null,"target":%q}`, b.socketID),
	} {
		a.refuse(http.StatusConflict, "not-in-room", body)
	}
	b.quiet()
}

func TestDisconnectIsReportedAtOnceAndEndsTheSocket(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	a.send(`{"type":"disconnect"}`)
	require.Equal(t, "client disconnect", b.next("user-disconnected").json["reason"])
	a.ended()
	a.refuse(http.StatusUnauthorized, "unknown-session", `{"type":"ping"}`)
	b.quiet()
}

func TestSignalsStayInTheSendersRoom(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	elsewhere, nowhere := s.join(t, "elsewhere", "Eve"), s.connect(t)
	gone := s.join(t, "room", "gone")
	a.next("user-connected")
	b.next("user-connected")
	gone.send(`{"type":"disconnect"}`)
	a.next("user-disconnected")
	b.next("user-disconnected")
	for _, target := range []string{"room", "elsewhere", a.socketID, elsewhere.socketID, nowhere.socketID, gone.socketID, "Bob", b.token, "*", "x"} {
		a.refuse(http.StatusNotFound, "target-not-found", fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"x"}}`, target))
		a.refuse(http.StatusNotFound, "target-not-found", fmt.Sprintf(`{"type":"signal","target":%q,"data":1}`, target))
	}
	for _, p := range []*peer{a, b, elsewhere, nowhere} {
		p.quiet()
	}
}

func TestAFullRoomAndAFullOutboxAreReportedToTheSender(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 12, UnsentBytes: 1 << 20, RetainedEvents: 12, RetainedBytes: 1 << 20}
	s := newServer(t, sse.Options{Outbox: limits, AwayAfter: 20 * time.Millisecond}, 3)
	a, b, c := s.join(t, "room", "Ada"), s.join(t, "room", "Bob"), s.join(t, "room", "Cyd")
	a.next("user-connected")
	a.next("user-connected")
	s.connect(t).refuse(http.StatusConflict, "room-full", `{"type":"join-room","roomId":"room","userId":"Dan"}`)

	b.goAway()
	a.next("user-away")
	signal := fmt.Sprintf(`{"type":"signal","target":%q,"data":"Ada's"}`, b.socketID)
	for range 3 {
		a.send(signal)
	}
	a.refuse(http.StatusTooManyRequests, "target-overflow", signal)
	a.refuse(http.StatusTooManyRequests, "target-overflow", `{"type":"send-message","message":"nor by this"}`)
	c.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":"Cyd's"}`, b.socketID)) // another sender is not affected
	a.quiet()

	back := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": b.lastID})
	require.Equal(t, true, back.next("connected").json["resumed"])
	back.next("heartbeat")
	back.next("user-connected")
	for range 3 {
		require.Equal(t, "Ada's", back.next("signal").json["data"])
	}
	require.Equal(t, "Cyd's", back.next("signal").json["data"])

	a.goAway() // the same limit holds for events that a socket causes for itself
	for range 3 {
		a.send(`{"type":"ping"}`)
	}
	a.refuse(http.StatusTooManyRequests, "target-overflow", `{"type":"ping"}`)
}

func TestEachMistakeIsNamed(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	long := strings.Repeat("é", 129)
	for body, want := range map[string]string{
		`{}`:                                  "type required",
		`{"type":"jump"}`:                     "type oneof",
		`{"type":5}`:                          "type oneof",
		`{"type":null}`:                       "type oneof",
		`{"Type":"ping"}`:                     "type required",
		`[{"type":"ping"}]`:                   " object",
		`"ping"`:                              " object",
		`null`:                                " object",
		`17`:                                  " object",
		`{"type":"ping","x":1}`:               "x unknown",
		`{"type":"ping","type":"disconnect"}`: "type unique",

		`{"type":"join-room","userId":"u"}`:                                                                   "roomId required",
		`{"type":"join-room","roomId":"","userId":"u"}`:                                                       "roomId required",
		`{"type":"join-room","roomId":null,"userId":"u"}`:                                                     "roomId type",
		`{"type":"join-room","roomId":7,"userId":"u"}`:                                                        "roomId type",
		`{"type":"join-room","roomId":"r","userId":"u","roomId":"s"}`:                                         "roomId unique",
		`{"type":"join-room","roomID":"r","roomId":"r","userId":"u"}`:                                         "roomID unknown",
		`{"type":"join-room","roomId":"` + long + `","userId":"u"}`:                                           "roomId max",
		`{"type":"join-room","roomId":"r","userId":"` + long + `"}`:                                           "userId max",
		`{"type":"join-room","roomId":"a\nb","userId":"u"}`:                                                   "roomId name",
		`{"type":"join-room","roomId":"r","userId":"\u0000"}`:                                                 "userId name",
		`{"type":"join-room","roomId":"r","userId":"a\u0085b"}`:                                               "userId name",
		`{"type":"join-room","roomId":"r","userId":"a\u2028b"}`:                                               "userId name",
		`{"type":"join-room","roomId":" \u00a0","userId":"u"}`:                                                "roomId name",
		`{"type":"join-room","roomId":"r","userId":"u","metadata":[]}`:                                        "metadata object",
		`{"type":"join-room","roomId":"r","userId":"u","metadata":{"x":"` + strings.Repeat("y", 4096) + `"}}`: "metadata max",
		`{"type":"join-room","roomId":"r","userId":"u","accessToken":5}`:                                      "accessToken type",
		`{"type":"join-room","roomId":"r","userId":"u","metadata":null,"metadata":{}}`:                        "metadata unique",
		`{"type":"join-room","roomId":"r","userId":null}`:                                                     "userId type",

		`{"type":"offer","offer":{"type":"offer","sdp":"x"}}`:                             "target required",
		`{"type":"offer","target":["t"],"offer":{"type":"offer","sdp":"x"}}`:              "target type",
		`{"type":"offer","target":"t"}`:                                                   "offer required",
		`{"type":"offer","target":null,"offer":{"type":"offer","sdp":"x"}}`:               "target type",
		`{"type":"offer","target":"t","offer":{"type":"offer","sdp":null}}`:               "offer.sdp text",
		`{"type":"offer","target":"t","offer":null}`:                                      "offer type",
		`{"type":"offer","target":"t","offer":"v=0"}`:                                     "offer type",
		`{"type":"offer","target":"t","offer":{"type":"answer","sdp":"x"}}`:               "offer.type eq",
		`{"type":"offer","target":"t","offer":{"type":"offer"}}`:                          "offer.sdp required",
		`{"type":"offer","target":"t","offer":{"type":"offer","sdp":5}}`:                  "offer.sdp text",
		`{"type":"offer","target":"t","target":"u","offer":{"type":"offer","sdp":"x"}}`:   "target unique",
		`{"type":"offer","target":"t","offer":{"type":"offer","sdp":""}}`:                 "offer.sdp text",
		`{"type":"offer","target":"t","From":"x","offer":{"type":"offer","sdp":"x"}}`:     "From unknown",
		`{"type":"offer","target":"t","TYPE":"x","offer":{"type":"offer","sdp":"x"}}`:     "TYPE unknown",
		`{"type":"offer","target":"t","Target":"x","offer":{"type":"offer","sdp":"x"}}`:   "Target unknown",
		`{"type":"offer","target":"t","\u0046rom":"","offer":{"type":"offer","sdp":"x"}}`: "From unknown",
		`{"type":"join-room","roomId":"r","userId":"\u200b"}`:                             "userId name",
		`{"type":"join-room","roomId":"r","userId":"a\u202eb"}`:                           "userId name",
		`{"type":"answer","target":"t","answer":{"type":"offer","sdp":"x"}}`:              "answer.type oneof",
		`{"type":"ice-candidate","target":"t"}`:                                           "candidate required",
		`{"type":"ice-candidate","target":"t","candidate":"c"}`:                           "candidate candidate",
		`{"type":"ice-candidate","target":"t","candidate":{"candidate":5}}`:               "candidate candidate",
		`{"type":"ice-candidate","target":"t","candidate":{"candidate":null}}`:            "candidate candidate",
		`{"type":"ice-candidate","target":"t","candidate":{"sdpMLineIndex":-1}}`:          "candidate candidate",

		`{"type":"ice-candidate","target":"t","candidate":{"candidate":"","candidate":5}}`: "candidate candidate",

		`{"type":"signal"}`:                                     "data required",
		`{"type":"signal","target":"","data":1}`:                "target min",
		`{"type":"signal","data":1,"from":"me"}`:                "from unknown",
		`{"type":"signal","data":1,"from":null}`:                "from unknown",
		`{"type":"signal","data":1,"target":null,"target":"t"}`: "target unique",
		`{"type":"ping","requestId":null}`:                      "requestId unknown",

		`{"type":"send-message"}`:                                               "message required",
		`{"type":"send-message","message":" \n "}`:                              "message required",
		`{"type":"send-message","message":{}}`:                                  "message type",
		`{"type":"send-message","message":null}`:                                "message type",
		`{"type":"send-message","message":"` + strings.Repeat("é", 4097) + `"}`: "message max",
	} {
		problem := p.refuse(http.StatusUnprocessableEntity, "validation-failed", body)
		require.Contains(t, fieldErrors(problem), want, body)
	}
	p.send(`{"type":"send-message","message":"` + strings.Repeat("é", 4096) + `"}`)
	p.next("new-message")
	p.send(`{"type":"join-room","roomId":"` + strings.Repeat("é", 128) + `","userId":"👩‍👩‍👧"}`)
	p.next("room-joined")
	p.quiet()
}

// Tutorials pass a name as the third argument of a join.
func TestMetadataThatIsNotAnObjectIsRefusedInOneSentence(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	for _, metadata := range []string{`"Alice"`, `""`, `"{}"`, `7`, `true`, `false`, `["Alice"]`, `[null]`} {
		answer := p.refuse(http.StatusUnprocessableEntity, "validation-failed", `{"type":"join-room","roomId":"r","userId":"u","metadata":`+metadata+`}`)
		require.Equal(t, []any{map[string]any{"field": "metadata", "rule": "object", "message": `must be a JSON object, such as {"name":"Alice"}`}}, answer["errors"], metadata)
	}
}

// Many programs write null for what they do not have.
func TestNullSaysThatAnOptionalMemberIsAbsent(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.connect(t)
	join := `{"type":"join-room","roomId":"room","userId":"Bob","metadata":null,"accessToken":null,"requestId":null}`
	b.send(join)
	for _, e := range []event{b.next("room-joined"), a.next("user-connected")} {
		require.NotContains(t, e.data, "null")
		require.NotContains(t, e.data, "metadata")
		require.NotContains(t, e.data, "requestId")
	}
	b.send(`{"type":"join-room","roomId":"room","userId":"Bob"}`) // changes nothing
	b.next("room-joined")

	b.send(`{"type":"signal","target":null,"data":{"a":null}}`)
	require.Equal(t, fmt.Sprintf(`{"type":"signal","from":%q,"data":{"a":null}}`, b.socketID), a.next("signal").data)
	b.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"x","y":null},"callId":null}`, a.socketID))
	require.Contains(t, a.next("offer").data, `{"type":"offer","sdp":"x","y":null},"callId":null`, "members of the application may be null")
	status, answer := b.batch(`{"events":[` + join + `,{"type":"leave-room","requestId":null}]}`)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []any{map[string]any{"status": 202.0}, map[string]any{"status": 202.0}}, answer["results"])
	b.next("room-joined")
	require.NotContains(t, b.next("room-left").data, "requestId")
	a.next("user-disconnected")
	a.quiet()
	b.quiet()
}

// The contract allows null for each optional member of each client event, and for no
// required member but a candidate.
func TestTheContractAllowsNullForOptionalMembersOnly(t *testing.T) {
	contract, events := eventsOf(t, "ClientEvent")
	for _, name := range events {
		for member, itsType := range contract.event("ClientEvent", name) {
			isOptional := strings.HasSuffix(member, "?")
			isEndOfCandidates := name == "ice-candidate" && member == "candidate"
			require.Equal(t, isOptional || isEndOfCandidates, strings.Contains(itsType, "null"), "%s.%s", name, member)
		}
	}
}

func TestAllMistakesAreNamedTogetherUpToALimit(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	problem := p.refuse(422, "validation-failed", `{"type":"join-room","roomid":"r"}`)
	require.Equal(t, []string{"roomid unknown"}, fieldErrors(problem))
	require.Contains(t, fmt.Sprint(problem["errors"]), "did you mean roomId?")
	problem = p.refuse(422, "validation-failed", `{"type":"join-room","roomId":"","userId":""}`)
	require.Equal(t, []string{"roomId required", "userId required"}, fieldErrors(problem))
	var many strings.Builder
	for n := range 63 {
		fmt.Fprintf(&many, `,"x%d":1`, n)
	}
	problem = p.refuse(422, "validation-failed", `{"type":"ping"`+many.String()+`}`)
	require.Len(t, problem["errors"], 20)
}

func TestAnEventHas64MembersAtMost(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	offer := fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"x"%s}`, b.socketID, strings.Repeat(`,"z":[{}]`, 1000))
	a.send(offer + strings.Repeat(`,"x":1`, 61) + "}")
	require.Len(t, strings.Split(b.next("offer").data, `"x":1`), 62)
	for _, many := range []string{offer + strings.Repeat(`,"x":1`, 62) + "}", "{" + strings.Repeat(`"":1,`, 13_000) + `"type":"ping"}`} {
		require.Equal(t, []string{" max"}, fieldErrors(a.refuse(422, "validation-failed", many)))
	}
	b.quiet()
}

func TestMalformedBodiesAreRefused(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	for _, body := range []string{
		"", " ", "{", `{"type"`, `{"type":}`, `{"type":"ping",}`, `{"type":"ping"}}`, `{"type":"ping"}{"type":"ping"}`, `{"type":"ping"} x`,
		`{'type':'ping'}`, `{type:"ping"}`, "nul", "NaN", "\ufeff{\"type\":\"ping\"}", "{\"type\":\"ping\x00\"}", "{\"type\":\"ping\",\"x\":\"a\nb\"}",
		"{\"type\":\"send-message\",\"message\":\"\xff\xfe\"}", // not UTF-8
		"{\"type\":\"signal\",\"data\":\"\xed\xa0\xbd\"}",      // half an emoji that is not escaped
		`{"type":"signal","data":"\ud83d\ud8"}`,                // half an escape
		`{"type":"signal","data":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		`{"type":"signal","data":` + strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101) + `}`,
		`{"type":"signal","data":` + strings.Repeat("[", 60_000),
		`{"type":"signal","data":01}`,
	} {
		p.refuse(http.StatusBadRequest, "malformed-json", body)
	}
	p.send(`{"type":"signal","data":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`)
	p.send(`{"type":"signal","data":"` + strings.Repeat("[", 1000) + `"}`)
	p.quiet()
}

func TestAMalformedBodySaysWhereItGoesWrong(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	for body, want := range map[string]string{
		"":                           "The JSON value is incomplete.",
		" ":                          "The JSON value is incomplete.",
		"nul":                        "The JSON value is incomplete.",
		`"ping`:                      "The JSON value is incomplete.",
		`{"type":"ping"`:             "The JSON value is incomplete.",
		`{"type":"ping",}`:           "At byte 15: ",
		`{'type':"ping"}`:            "At byte 1: ",
		`{"type":"ping"} {}`:         "At byte 16: ",
		`{"type":"\ud800","\ud8":1}`: "At byte 18: ",
		"{\"type\":\"\xff\"}":        "At byte 9: ",
	} {
		problem := p.refuse(http.StatusBadRequest, "malformed-json", body)
		require.True(t, strings.HasPrefix(problem["detail"].(string), want), "%q: %s", body, problem["detail"])
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	envelope := `{"type":"signal","data":""}`
	p.send(`{"type":"signal","data":"` + strings.Repeat("x", 64<<10-len(envelope)) + `"}`)
	p.refuse(http.StatusRequestEntityTooLarge, "payload-too-large", `{"type":"signal","data":"`+strings.Repeat("x", 64<<10-len(envelope)+1)+`"}`)
	p.refuse(http.StatusRequestEntityTooLarge, "payload-too-large", strings.Repeat("x", 1<<20))
	p.quiet()
}

// The server refuses a body without a length as soon as it is too long. If the header
// promises a body that is too long, the server refuses it without waiting for it.
func TestBodiesThatNeverEndAreRefused(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	for name, send := range map[string]func(io.Writer){
		"endless": func(w io.Writer) {
			fmt.Fprint(w, "Transfer-Encoding: chunked\r\n\r\n")
			for range 2000 {
				if _, err := fmt.Fprintf(w, "400\r\n%s\r\n", strings.Repeat(" ", 1024)); err != nil {
					return
				}
			}
		},
		"too long by its header": func(w io.Writer) { fmt.Fprint(w, "Content-Length: 1000000000\r\n\r\n{") },
	} {
		connection, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err, name)
		require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
		fmt.Fprintf(connection, "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n", p.token)
		go send(connection) // ends when the server closes the connection, or all is sent
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err, name)
		require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode, name)
		connection.Close()
	}
	p.quiet()
}

func TestOnlyJSONIsAccepted(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	for contentType, encoding := range map[string]string{
		"":                                  "",
		"text/html":                         "",
		"application/x-www-form-urlencoded": "",
		"application/json; =":               "",
		"application/json":                  "gzip",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(`{"type":"ping"}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+p.token)
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		status, answer := s.do(t, r)
		require.Equal(t, http.StatusUnsupportedMediaType, status, contentType)
		require.Equal(t, "/problems/unsupported-media-type", answer["type"])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(`{"type":"ping"}`))
	require.NoError(t, err)
	r.Header.Set("Authorization", "bearer "+p.token)
	r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
	status, _ := s.do(t, r)
	require.Equal(t, http.StatusAccepted, status)
	p.next("pong")
}

// net/http copies, sorts and writes each line. Vary must stay, because
// the answer to another page may have the headers of CORS.
func TestTheHeaderOfTheAnswerToAnEventIsShort(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	body := `{"type":"ping"}`
	connection := s.promise(t, postHead(p.token, len(body))+body)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	require.NotEmpty(t, response.Header.Get("Date"))
	response.Header.Del("Date")
	require.Equal(t, http.Header{
		"Content-Length":         {"2"},
		"Content-Type":           {"application/json"},
		"Vary":                   {"Origin"},
		"X-Content-Type-Options": {"nosniff"},
	}, response.Header)
}

func TestNothingIsSentWithoutALiveSocket(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "Basic " + p.token, p.token, "Bearer " + p.socketID, "Bearer " + p.token + "x",
		"Bearer " + sse.NewToken().Secret(), "Bearer " + p.token[:21],
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(`{"type":"ping"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", authorization)
		status, answer := s.do(t, r)
		require.Equal(t, http.StatusUnauthorized, status, authorization)
		require.Equal(t, "/problems/unknown-session", answer["type"])
	}
	p.quiet()
}
