package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"signaling-server/iceservers"
	"signaling-server/sse"
)

// notYet lists the facts of the contract that nothing can cause yet, and what will cause
// them.
var notYet = map[string]string{
	"event user-disconnected reason server shutdown": "several nodes: a node that stops takes all its rooms along",
	"event user-disconnected reason node lost":       "several nodes",
}

// Together, the scenarios make the server say everything that the contract allows. In each
// scenario a witness checks all traffic against the contract.
var scenarios = []struct {
	name string
	run  func(*testing.T, *witness)
}{
	{"examples are sent", examplesAreSent},
	{"peers signal", peersSignal},
	{"peers come and go", peersComeAndGo},
	{"peers are away and back", peersAreAwayAndBack},
	{"access tokens", accessTokens},
	{"ICE servers", iceServers},
	{"batches", batches},
	{"beacons", beacons},
	{"polls", polls},
	{"streams resume", streamsResume},
	{"slow consumers end", slowConsumersEnd},
	{"wrong events are refused", wrongEventsAreRefused},
	{"bodies that nobody wants are not read", bodiesAreNotRead},
	{"memory is used up", memoryIsUsedUp},
	{"the nodes do not reach each other", theNodesDoNotReachEachOther},
	{"at capacity", atCapacity},
	{"rates are limited", ratesAreLimited},
	{"requests at once are limited", requestsAtOnceAreLimited},
	{"headers are bounded", headersAreBounded},
	{"foreign pages are refused", foreignPagesAreRefused},
	{"operators operate", operatorsOperate},
	{"strangers are not operators", strangersAreNotOperators},
	{"draining", draining},
	{"silences", silences},
	{"the doctor over TLS", theDoctorOverTLS},
	{"monitoring", monitoring},
	{"pages", pages},
	{"methods", methods},
}

func TestServerAndContractAgree(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	heard := make(map[string]bool)
	isWhole := true
	for _, scenario := range scenarios {
		var w *witness
		passed := t.Run(scenario.name, func(t *testing.T) {
			w = newWitness(t, c)
			scenario.run(t, w)
		})
		if w == nil { // -run asks for other scenarios
			isWhole = false
			continue
		}
		isWhole = isWhole && passed
		maps.Copy(heard, w.heard)
	}
	if !isWhole {
		t.Skip("some scenarios did not run, or stopped early, so some facts did not happen")
	}
	for _, fact := range slices.Sorted(maps.Keys(c.facts)) {
		why, excused := notYet[fact]
		switch {
		case !heard[fact] && !excused:
			t.Errorf("in the contract, but it never happened: %s", fact)
		case heard[fact] && excused:
			t.Errorf("it happened, so notYet must no longer excuse it by %q: %s", why, fact)
		}
	}
	for fact := range notYet {
		require.Contains(t, c.facts, fact, "notYet has it, but the contract does not")
	}
}

func TestTheContractAndItsExamplesAreValid(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	require.NoError(t, c.document.Validate(t.Context(), openapi3.EnableExamplesValidation()))
}

func silences(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	whole := s.listen(t, 1)
	whole.next("silence-ended")
	whole.ended()
	for range 96 { // as many as one address may have
		s.listen(t, 180)
	}
	require.NotEmpty(t, s.ask(t, http.StatusServiceUnavailable, http.MethodGet, "/silence?seconds=1", anything).Get("Retry-After"))
	s.ask(t, http.StatusUnprocessableEntity, http.MethodGet, "/silence?seconds=0", nil)

	stopping := w.newServer(t, sse.Options{}, 100)
	quiet := stopping.listen(t, 180)
	require.NoError(t, stopping.hub.Drain(t.Context()))
	quiet.next("silence-ended")
	quiet.ended()
	stopping.ask(t, http.StatusServiceUnavailable, http.MethodGet, "/silence?seconds=1", nil)
}

func theDoctorOverTLS(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	secure := &server{httptest.NewTLSServer(s.Config.Handler), s.hub}
	t.Cleanup(secure.Close)
	secure.Client().Transport = &wire{secure.Client().Transport.(*http.Transport), w}
	secure.ask(t, http.StatusOK, http.MethodGet, "/doctor.json", nil)
}

func peersSignal(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	a := s.connect(t)
	a.send(`{"type":"join-room","roomId":"room","userId":"Ada","metadata":{"color":{"r":1}}}`)
	a.next("room-joined")
	b := s.connect(t)
	b.send(`{"type":"join-room","roomId":"room","userId":"Bob","metadata":{"color":null}}`)
	b.next("room-joined")
	a.next("user-connected")

	a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"callId":{"a":[1]}}`, b.socketID))
	b.next("offer")
	for _, kind := range []string{"pranswer", "answer"} {
		b.send(fmt.Sprintf(`{"type":"answer","target":%q,"answer":{"type":%q,"sdp":"v=0"}}`, a.socketID, kind))
		a.next("answer")
	}
	for _, candidate := range []string{
		`{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":65535,"usernameFragment":"x"}`,
		`{"candidate":"","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}`,
		`{}`,
		`null`,
	} {
		a.send(fmt.Sprintf(`{"type":"ice-candidate","target":%q,"candidate":%s}`, b.socketID, candidate))
		b.next("ice-candidate")
	}
	for _, data := range []string{`null`, `true`, `-1.5e3`, `"text"`, `[1,[2]]`, `{"a":{"b":1}}`} {
		a.send(fmt.Sprintf(`{"type":"signal","data":%s}`, data))
		b.next("signal")
		a.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":%s}`, b.socketID, data))
		b.next("signal")
	}
	a.send(`{"type":"send-message","message":" Hello \n"}`)
	for _, p := range []*peer{a, b} {
		p.next("new-message")
	}
	a.send(`{"type":"typing-start"}`)
	b.next("user-typing")
	a.send(`{"type":"typing-stop"}`)
	b.next("user-typing")
	a.quiet()
}

func peersComeAndGo(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{ResumeWindow: 50 * time.Millisecond}, 100)
	a := s.join(t, "room", "Ada")
	for reason, leave := range map[string]func(p *peer){
		"left":              func(p *peer) { p.send(`{"type":"leave-room"}`); p.next("room-left") },
		"client disconnect": func(p *peer) { p.send(`{"type":"disconnect"}`); p.ended() },
		"transport close":   func(p *peer) { p.hangUp() },
	} {
		leave(s.join(t, "room", "Bob"))
		a.next("user-connected")
		require.Equal(t, reason, a.next("user-disconnected").json["reason"])
	}
}

func peersAreAwayAndBack(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{AwayAfter: 20 * time.Millisecond}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	b.goAway()
	a.next("user-away")
	for _, path := range []string{"/rooms", "/rooms/room", "/connections"} {
		s.ask(t, http.StatusOK, http.MethodGet, path, nil)
	}
	joiner := s.connect(t)
	joiner.send(`{"type":"join-room","roomId":"room","userId":"Cyd"}`)
	require.Equal(t, true, joiner.next("room-joined").json["users"].([]any)[1].(map[string]any)["away"])
	a.next("user-connected")
	s.poll(t, b.token, "wait=0")
	a.next("user-back")
	s.ask(t, http.StatusOK, http.MethodGet, "/connections", nil)
}

func accessTokens(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100, withAccessTokens(t))
	a, stranger := s.connect(t), s.connect(t)
	a.send(joinWith(accessToken(t, "room", "Ada", nil), "room", "Ada"))
	a.next("room-joined")
	stranger.refuse(http.StatusForbidden, "access-denied", `{"type":"join-room","roomId":"room","userId":"Eve"}`)

	strict := w.newServer(t, sse.Options{}, 100, withAccessTokens(t), func(u *setup) { u.EnforceExpiry = true })
	brief := strict.connect(t)
	eventually(t, func() bool { // on a busy machine, the token may expire before it arrives
		soon := jwt.MapClaims{"exp": time.Now().Add(time.Second).Unix() + 1}
		status, _ := strict.post(t, brief.token, joinWith(accessToken(t, "room", "Ada", soon), "room", "Ada"))
		return status == http.StatusAccepted
	})
	brief.next("room-joined")
	require.Equal(t, "kicked", brief.next("room-left").json["reason"])
}

func iceServers(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100, func(u *setup) {
		u.API.ICEServers = iceservers.Provider{TURN: []string{"turn:turn.example.com"}, Secret: "secret", TTL: time.Hour}
	})
	p := s.connect(t)
	s.poll(t, "", "")
	bearer := map[string]string{"Authorization": "Bearer " + p.token}
	require.Equal(t, "no-store", s.ask(t, http.StatusOK, http.MethodGet, "/ice-servers", bearer).Get("Cache-Control"))
	s.ask(t, http.StatusUnauthorized, http.MethodGet, "/ice-servers", nil)
	for range 9 { // the rest of the burst
		s.ask(t, http.StatusOK, http.MethodGet, "/ice-servers", bearer)
	}
	require.NotEmpty(t, s.askUntilLimited(t, http.MethodGet, "/ice-servers", bearer).Get("Retry-After"))
}

func beacons(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	require.Equal(t, http.StatusUnauthorized, s.beacon(t, `{"type":"disconnect"}`))
	require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(`{"type":"disconnect","token":%q}`, b.token)))
	a.next("user-disconnected")
}

func polls(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	opened := s.poll(t, "", "")
	p := opened.peer(t, s)
	p.send(`{"type":"join-room","roomId":"room","userId":"Ada"}`)
	s.join(t, "room", "Bob").send(`{"type":"typing-start"}`)
	s.poll(t, p.token, "after=0&wait=60")
	s.poll(t, p.token, "after=2&wait=0")
	for _, query := range []string{"wait=61", "wait=-1", "wait=soon", "after=01", "after=-1", "after=9007199254740992"} {
		s.ask(t, http.StatusUnprocessableEntity, http.MethodGet, "/events/poll?"+query, nil)
	}
}

func batches(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	status, answer := a.batch(fmt.Sprintf(`{"events":[{"type":"ping"},{"type":"signal","target":%q,"data":1},{"type":"send-message","message":%q},{"type":"signal","target":%q,"data":2}]}`,
		sse.NewToken().SocketID(), strings.Repeat("x", 4097), b.socketID))
	require.Equal(t, http.StatusOK, status)
	require.Len(t, answer["results"], 4)
	a.next("pong")
	b.next("signal")
	for body, want := range map[string]int{
		`{"events":`:                  http.StatusBadRequest,
		`{"events":[]}`:               http.StatusUnprocessableEntity,
		strings.Repeat(" ", 64<<10+1): http.StatusRequestEntityTooLarge,
	} {
		status, _ := a.batch(body)
		require.Equal(t, want, status)
	}
	s.ask(t, http.StatusUnauthorized, http.MethodPost, "/events/batch", nil)
	s.ask(t, http.StatusUnsupportedMediaType, http.MethodPost, "/events/batch", map[string]string{"Authorization": "Bearer " + a.token})
}

func streamsResume(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	for _, way := range []struct {
		method, path string
		header       string
	}{
		{http.MethodGet, "/events", "Last-Event-ID"},
		{http.MethodGet, "/events?lastEventId=", ""},
		{http.MethodGet, "/events", "Authorization"},
		{http.MethodPost, "/events/stream", "Last-Event-ID"},
		{http.MethodPost, "/events/stream", "Authorization"},
	} {
		headers := map[string]string{"Last-Event-ID": p.lastID}
		switch way.header {
		case "Authorization":
			headers["Authorization"] = "Bearer " + p.token
		case "":
			way.path += p.lastID
			headers = nil
		}
		again := s.stream(t, way.method, way.path, headers)
		require.Equal(t, true, again.next("connected").json["resumed"], "%v", way)
		again.next("heartbeat")
		require.Equal(t, "replaced", p.next("disconnected").json["reason"])
		p.ended()
		again.token = p.token
		again.quiet()
		p = again
	}
	fresh := s.stream(t, http.MethodPost, "/events/stream", map[string]string{"Last-Event-ID": "7"})
	require.Equal(t, false, fresh.next("connected").json["resumed"])
}

func slowConsumersEnd(t *testing.T, w *witness) {
	const most = 16 // so that one sender's share is 4
	few := sse.OutboxLimits{UnsentEvents: most, UnsentBytes: 1 << 20, RetainedEvents: most, RetainedBytes: 1 << 20}
	s := w.newServer(t, sse.Options{Outbox: few, AwayAfter: 20 * time.Millisecond}, 100)
	slow := s.connect(t)
	overflow(t, s, slow) // straight into the outbox, so that its stream cannot keep up
	var last event
	for last = range slow.events {
	}
	require.Equal(t, "slow consumer", last.json["reason"])

	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	b.goAway()
	a.next("user-away")
	signal := fmt.Sprintf(`{"type":"signal","target":%q,"data":1}`, b.socketID)
	a.send(signal)
	for range most {
		if status, _ := s.post(t, a.token, signal); status != http.StatusAccepted {
			break
		}
	}
	a.refuse(http.StatusTooManyRequests, "target-overflow", signal)
	overflow(t, s, b)
	require.Equal(t, "slow consumer", a.next("user-disconnected").json["reason"])
}

// overflow puts events into a peer's outbox until that is full.
func overflow(t *testing.T, s *server, p *peer) {
	t.Helper()
	defer s.hub.Flush()
	signal := sse.Line(fmt.Sprintf(`{"type":"signal","from":%q,"data":1}`, p.socketID))
	for range 10_000 {
		if err := s.hub.DeliverMessage(p.socketID, sse.Message{Kind: "signal", Data: signal}); err != nil {
			require.ErrorIs(t, err, sse.ErrOverflow)
			return
		}
	}
	require.Fail(t, "the outbox takes everything")
}
