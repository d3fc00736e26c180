package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

const heartbeat = `{"type":"heartbeat"}`

// impatient makes a server miss a client after half a second of silence.
var impatient = sse.Options{HeartbeatInterval: 200 * time.Millisecond, WriteTimeout: 300 * time.Millisecond, ResumeWindow: 300 * time.Millisecond}

// hoarder starts a proxy that goes on reading a stream after its client has gone, as
// http-proxy 1.x does.
func hoarder(t *testing.T, s *server) *server {
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		onward, err := http.NewRequestWithContext(t.Context(), r.Method, s.URL+r.URL.String(), nil)
		require.NoError(t, err)
		onward.Header = r.Header
		response, err := s.Client().Do(onward)
		if err != nil {
			return // the test is over
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		for buffer := make([]byte, 4096); ; {
			n, err := response.Body.Read(buffer)
			_, _ = w.Write(buffer[:n]) // the client may have gone
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		s.CloseClientConnections() // the streams that the proxy keeps
		front.Close()
	})
	return &server{front, s.hub}
}

func TestAClientBehindAProxyThatKeepsItsStreamIsReported(t *testing.T) {
	s := newServer(t, impatient, 100)
	a, b := s.connect(t), hoarder(t, s).connect(t)
	b.server = s
	for _, p := range []*peer{a, b} {
		p.send(`{"type":"join-room","roomId":"room","userId":"any"}`)
		p.awaits("room-joined")
	}
	a.awaits("user-connected")
	b.send(heartbeat)
	b.hangUp()
	require.Equal(t, "transport close", a.awaits("user-disconnected").json["reason"])
	s.becomes(t, `signaling_sockets_ended_total{reason="transport close"}`, 1)
}

// awaits takes events until one has this type. It skips heartbeats, and what says that a
// member is away.
func (p *peer) awaits(kind string) event {
	p.t.Helper()
	for {
		select {
		case e, open := <-p.events:
			require.True(p.t, open, "the stream ended before %s", kind)
			if e.kind == kind {
				return e
			}
			require.Contains(p.t, []string{"heartbeat", "user-away"}, e.kind)
		case <-time.After(patience):
			require.Fail(p.t, "no event", kind)
		}
	}
}

// A proxy that speaks HTTP/2 to the server may keep a stream as well.
func TestAClientOverHTTP2ThatFallsSilentIsMissed(t *testing.T) {
	s := newServer(t, impatient, 100)
	secure := httptest.NewUnstartedServer(s.Config.Handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	p := (&server{secure, s.hub}).connect(t)
	require.Equal(t, 2, p.response.ProtoMajor)
	p.send(heartbeat)
	for e := range p.events { // until the stream ends
		require.Equal(t, "heartbeat", e.kind)
	}
}

// alive makes a client do something every 17 s for ten minutes of fake time, after one
// heartbeat. The server waits for 18 s. alive fails if the client's stream ends.
func alive(t *testing.T, o limits.Options, do func(api http.Handler, token string)) {
	synctest.Test(t, func(t *testing.T) {
		joined, err := signaling.Join(signaling.Parts{Rooms: rooms.Options{Members: 10}, API: httpapi.Options{Limits: limits.New(o)}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { joined.Run(ctx) })
		stream := httptest.NewRecorder()
		ended := make(chan struct{})
		go func() { // ends with ctx
			defer close(ended)
			joined.Handler().ServeHTTP(stream, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil))
		}()
		synctest.Wait()
		_, rest, _ := strings.Cut(stream.Body.String(), `"token":"`)
		token := rest[:22]
		require.Equal(t, http.StatusAccepted, postTo(joined.Handler(), token, heartbeat))
		for range 35 {
			time.Sleep(17 * time.Second)
			do(joined.Handler(), token)
			select {
			case <-ended:
				require.Fail(t, "the stream has ended")
			default:
			}
		}
		cancel()
		<-ended
		running.Wait()
	})
}

// postTo posts an event, without a network.
func postTo(api http.Handler, token, event string) (status int) {
	r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(event))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, r)
	return answer.Code
}

func TestABeaconIsASignOfLife(t *testing.T) {
	alive(t, limits.Options{}, func(api http.Handler, token string) {
		r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(fmt.Sprintf(`{"token":%q,"type":"heartbeat"}`, token)))
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, r)
		require.Equal(t, http.StatusAccepted, answer.Code)
	})
}

// Many clients may share an address. If its requests are refused for a while, its clients
// still live.
func TestARefusedRequestIsASignOfLife(t *testing.T) {
	alive(t, limits.Options{PerAddress: limits.Rates{Posts: 1}}, func(api http.Handler, token string) {
		for status := 0; status != http.StatusTooManyRequests; { // others of the same address
			status = postTo(api, sse.NewToken().Secret(), heartbeat)
		}
		require.Equal(t, http.StatusTooManyRequests, postTo(api, token, heartbeat))
	})
	alive(t, limits.Options{}, func(api http.Handler, token string) {
		require.Equal(t, http.StatusUnprocessableEntity, postTo(api, token, `{"type":"nonsense"}`))
	})
}

func TestAFloodOfHeartbeatsIsLimitedLikeAnyEvents(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, func(u *setup) {
		u.API.Limits = limits.New(limits.Options{PerSocket: limits.Rates{Posts: 1, Events: 1}})
	})
	p, honest := s.connect(t), s.connect(t)
	var answer map[string]any
	eventually(t, func() bool {
		var status int
		status, answer = s.post(t, p.token, heartbeat)
		return status == http.StatusTooManyRequests
	})
	require.Equal(t, "/problems/rate-limited", answer["type"])
	honest.send(heartbeat)
}

// An idle socket sends many heartbeats.
func TestTheAnswersToHeartbeatsAreNotRemembered(t *testing.T) {
	memory := budget.New(1 << 20)
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.API.Budget = memory })
	p := s.connect(t)
	for n := range 64 {
		status, body := p.keyed("/events", fmt.Sprint("key-", n), heartbeat)
		require.Equal(t, http.StatusAccepted, status, body)
	}
	require.Eventually(t, func() bool { return memory.Used() == 0 }, patience, time.Millisecond)
	require.Equal(t, 64.0, s.metrics(t).value(t, `signaling_events_accepted_total{type="heartbeat"}`))
}

func TestAHeartbeatHasNoMembersAndNoAnswerInTheStream(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	p.send(heartbeat)
	p.refuse(http.StatusUnprocessableEntity, "validation-failed", `{"type":"heartbeat","timestamp":"2026-03-01T12:00:00.000Z"}`)
	status, _ := p.batch(`{"events":[` + heartbeat + `,{"type":"disconnect"},` + heartbeat + `]}`)
	require.Equal(t, http.StatusOK, status)
	p.ended()
	p.refuse(http.StatusUnauthorized, "unknown-session", heartbeat)
}
