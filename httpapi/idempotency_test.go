package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"signaling-server/access"
	"signaling-server/httpapi"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// keyed posts with an Idempotency-Key, and returns the status and the body of the answer.
func (p *peer) keyed(path, key, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL+path, strings.NewReader(body))
	require.NoError(p.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Idempotency-Key", key)
	response, err := p.server.Client().Do(r)
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, string(text)
}

func TestARepeatedPostGetsTheFirstAnswerAndDeliversNothing(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	event := `{"type":"signal","data":1}`
	batch := `{"events":[{"type":"signal","data":2},{"type":"jump"}]}`
	refused := `{"type":"offer","target":"nobody","offer":{"type":"offer","sdp":"x"}}`
	first := make(map[string]string)
	for range 3 {
		for path, post := range map[string][2]string{"/events": {"one", event}, "/events/batch": {"two", batch}, "/events?x": {"three", refused}} {
			status, text := a.keyed(path, post[0], post[1])
			answer := fmt.Sprint(status, text)
			if first[path] == "" {
				first[path] = answer
			}
			require.Equal(t, first[path], answer)
		}
	}
	require.Equal(t, "202{}", first["/events"])
	require.Contains(t, first["/events/batch"], `200{"results":[{"status":202},`)
	require.Contains(t, first["/events?x"], "404")
	got := []any{b.next("signal").json["data"], b.next("signal").json["data"]}
	require.ElementsMatch(t, []any{1.0, 2.0}, got)
	b.quiet()
}

func TestAKeyIsForOneBodyOfOneSocketOnly(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	status, _ := a.keyed("/events", "key", `{"type":"signal","data":1}`)
	require.Equal(t, http.StatusAccepted, status)
	status, text := a.keyed("/events", "key", `{"type":"signal","data":2}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, text, "reused")
	status, _ = a.keyed("/events/batch", "key", `{"events":[{"type":"ping"}]}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, _ = b.keyed("/events", "key", `{"type":"signal","data":3}`)
	require.Equal(t, http.StatusAccepted, status, "each socket has its own keys")
	require.Equal(t, 3.0, a.next("signal").json["data"])
	require.Equal(t, 1.0, b.next("signal").json["data"])
	a.quiet()
	b.quiet()
	for _, key := range []string{"", strings.Repeat("x", 65), "a b", "é"} {
		status, text := a.keyed("/events", key, `{"type":"ping"}`)
		require.Equal(t, http.StatusUnprocessableEntity, status, key)
		require.Contains(t, text, "visible ASCII")
		status, _ = a.keyed("/events", key, `{"type":"heartbeat"}`)
		require.Equal(t, http.StatusUnprocessableEntity, status, "also of a heartbeat, which needs no key")
	}
	a.quiet()
}

func TestARepeatWhileTheFirstIsUnderWayWaitsForItsAnswer(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	for n := range 20 {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				status, _ := a.keyed("/events", fmt.Sprint("key", n), fmt.Sprintf(`{"type":"signal","data":%d}`, n))
				if status != http.StatusAccepted {
					panic(status)
				}
			})
		}
		all.Wait()
		require.Equal(t, float64(n), b.next("signal").json["data"])
	}
	b.quiet()
}

func TestTheLast64KeysAreRemembered(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	post := func(n int) {
		status, _ := a.keyed("/events", fmt.Sprint("key", n), fmt.Sprintf(`{"type":"signal","data":%d}`, n))
		require.Equal(t, http.StatusAccepted, status)
	}
	for n := range 65 {
		post(n)
		b.next("signal")
	}
	post(64)
	post(1)
	b.quiet()
	post(0) // forgotten
	require.Equal(t, 0.0, b.next("signal").json["data"])
}

// The first answers are at least six times as large as their requests. The server keeps none
// of them: it finds again what is wrong with the same body.
func TestALargeAnswerIsRepeatedWholeAndNotKept(t *testing.T) {
	memory := budget.New(1 << 20)
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.API.Budget = memory })
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	batch := `{"events":[{"type":"signal","data":1},{"type":"ping"` + strings.Repeat(`,"":1`, 30) + `},` + strings.Repeat("7,", 50) + `7]}`
	status, first := a.keyed("/events/batch", "batch", batch)
	require.Equal(t, http.StatusOK, status)
	b.next("signal")
	again := read[answeredBatch](t, first)
	require.Len(t, again.Results[1].Errors, 20)
	require.Empty(t, again.Results[2].Errors, "the answer names 20 errors in all")
	require.Contains(t, again.Results[2].Detail, "Send this event alone")
	event := `{"type":"ping"` + strings.Repeat(`,"":1`, 40) + `}`
	status, firstRefusal := a.keyed("/events", "event", event)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Len(t, read[answered](t, firstRefusal).Errors, 20)

	memory.Charge(1<<20 - int(memory.Used()) - 4096) // the rest is enough for a request
	for range 2 {
		status, text := a.keyed("/events/batch", "batch", batch)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, first, text)
		status, text = a.keyed("/events", "event", event)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Equal(t, firstRefusal, text)
	}
	b.quiet()
}

// Even when memory is used up, an event that was accepted is delivered only once.
func TestKeysAreRememberedIfMemoryIsUsedUp(t *testing.T) {
	memory := budget.New(1 << 20)
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.API.Budget = memory })
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	memory.Charge(1 << 20)
	batch := `{"events":[{"type":"signal","data":1},{"type":"jump"}]}`
	_, first := a.keyed("/events/batch", "key", batch)
	require.Contains(t, first, "must be one of")
	for n := range 70 {
		status, _ := a.keyed("/events", fmt.Sprint(n%63), fmt.Sprintf(`{"type":"typing-start","requestId":%d}`, n%63))
		require.Equal(t, http.StatusUnprocessableEntity, status)
	}
	status, again := a.keyed("/events/batch", "key", batch)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, first, again)
	b.next("signal")
	b.quiet()
	require.Greater(t, memory.Used(), int64(1<<20))
	a.send(`{"type":"disconnect"}`)
	b.next("user-disconnected")
	require.Eventually(t, func() bool { return memory.Used() == 1<<20 }, patience, time.Millisecond, "the charge for the keys is given back")
}

// A repeat gets the first answer, whatever the access token and the rates allow by then.
func TestARepeatNeedsNeitherAccessTokenNorRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier, err := access.NewVerifier(t.Context(), access.Options{Keys: access.Keys{Secret: []byte(accessSecret)}})
		require.NoError(t, err)
		log := new(logbook)
		joined, err := signaling.Join(signaling.Parts{
			SSE:   sse.Options{AwayAfter: time.Hour, ResumeWindow: time.Hour},
			Rooms: rooms.Options{Members: 10},
			API:   httpapi.Options{Access: verifier, Limits: limits.New(limits.Options{PerSocket: limits.Rates{Tellings: 1}}), Logger: slog.New(slog.NewTextHandler(log, nil))},
		})
		require.NoError(t, err)
		s := &amplified{api: joined.Handler(), hub: joined.Hub()}
		post := func(token, key, body string) (int, answered) {
			answer := httptest.NewRecorder()
			s.api.ServeHTTP(answer, asked{method: http.MethodPost, path: "/events", token: token, body: body, key: key}.request(0))
			return answer.Code, read[answered](t, answer.Body.String())
		}
		ada, eve := s.open(t), s.open(t)

		join := joinWith(accessToken(t, "room", "Ada", jwt.MapClaims{"exp": time.Now().Add(time.Minute).Unix()}), "room", "Ada")
		early := joinWith(accessToken(t, "room", "Eve", jwt.MapClaims{"nbf": time.Now().Add(time.Minute).Unix()}), "room", "Eve")
		status, _ := post(ada, "join", join)
		require.Equal(t, http.StatusAccepted, status)
		status, first := post(eve, "early", early)
		require.Equal(t, http.StatusForbidden, status)
		require.Contains(t, first.Detail, "nbf")
		const chat = `{"type":"send-message","message":"hello"}`
		number := 0
		for status = http.StatusAccepted; status == http.StatusAccepted; number++ {
			status, first = post(ada, fmt.Sprint("chat", number), chat)
		}
		require.Equal(t, http.StatusTooManyRequests, status)
		require.NotContains(t, first.Detail, "said more")
		heard := s.heard(t, ada)

		time.Sleep(2 * time.Minute)
		logged := log.String()
		status, _ = post(ada, "join", join)
		require.Equal(t, http.StatusAccepted, status)
		status, again := post(eve, "early", early)
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, "/problems/access-denied", again.Type)
		require.Contains(t, again.Detail, "said more")
		require.Equal(t, logged, log.String(), "the token is not judged again")
		status, again = post(ada, fmt.Sprint("chat", number-1), chat)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, first.Type, again.Type)
		require.Contains(t, again.Detail, "said more")
		require.Equal(t, heard, s.heard(t, ada), "nothing was done again")

		status, _ = post(ada, "new", join)
		require.Equal(t, http.StatusForbidden, status, "by now the token has expired")
		status, _ = post(ada, "newer", chat)
		require.Equal(t, http.StatusAccepted, status)
	})
}

// Once, the server kept an answer of 393 KB, and it may keep 64 answers for each socket.
func TestKeysDoNotMultiplyTheMemoryHeld(t *testing.T) {
	s := newAmplified(t)
	s.gather(t)
	body := `{"events":[{"type":"ping","` + strings.Repeat("<", 65_400) + `":1}]}`
	m := s.measure(asked{method: http.MethodPost, path: "/events/batch", body: body, token: s.token, key: "key"})
	require.Less(t, m.held, 2<<10)
	require.Less(t, m.answer, 1<<10)
	require.Less(t, s.budget.Used(), int64(64<<10+64*1024))
	s.part()
	require.Zero(t, s.budget.Used())
}

// answered is a problem, or the result of one event in a batch.
type answered struct {
	Status int
	Type   string
	Title  string
	Detail string
	Errors []struct{ Field, Rule, Message string }
}

type answeredBatch struct{ Results []answered }

func read[T any](t *testing.T, text string) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &value), text)
	return value
}
