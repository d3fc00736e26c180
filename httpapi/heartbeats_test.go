package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/sse"
)

const heartbeat = `{"type":"heartbeat"}`

// impatient makes a server miss a client that falls silent after half a second.
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
	a := s.join(t, "room", "Ada")
	b := hoarder(t, s).connect(t)
	b.server = s
	b.send(`{"type":"join-room","roomId":"room","userId":"Bob"}`)
	b.next("room-joined")
	a.next("user-connected")
	b.send(heartbeat)
	b.hangUp()
	for {
		select {
		case e := <-a.events:
			if e.kind == "user-disconnected" {
				require.Equal(t, "transport close", e.json["reason"])
				return
			}
			require.Contains(t, []string{"heartbeat", "user-away"}, e.kind)
		case <-time.After(patience):
			require.Fail(t, "the peer is never reported")
		}
	}
}

// alive makes a peer do something again and again, for several times the silence that the
// server allows. It fails if the peer's stream ends.
func (p *peer) alive(do func()) {
	p.t.Helper()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		do()
		select {
		case e, open := <-p.events:
			require.True(p.t, open, "the stream has ended")
			require.Equal(p.t, "heartbeat", e.kind)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestABeaconIsASignOfLife(t *testing.T) {
	s := newServer(t, impatient, 100)
	p := s.connect(t)
	p.alive(func() {
		require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(`{"token":%q,"type":"heartbeat"}`, p.token)))
	})
}

// Many clients may share an address. If its requests are refused for a while, its clients
// still live.
func TestARefusedRequestIsASignOfLife(t *testing.T) {
	s := newServer(t, impatient, 100, func(u *setup) {
		u.API.Limits = limits.New(limits.Options{PerAddress: limits.Rates{Posts: 1}})
	})
	p := s.connect(t)
	p.send(heartbeat)
	refused := 0
	p.alive(func() {
		if status, _ := s.post(t, p.token, heartbeat); status == http.StatusTooManyRequests {
			refused++
		}
	})
	require.Greater(t, refused, 10)
}

func TestAFloodOfHeartbeatsIsLimitedLikeAnyEvents(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, func(u *setup) {
		u.API.Limits = limits.New(limits.Options{PerSocket: limits.Rates{Posts: 20, Events: 20}})
	})
	p, honest := s.connect(t), s.connect(t)
	var status int
	var answer map[string]any
	for range 1000 {
		if status, answer = s.post(t, p.token, heartbeat); status != http.StatusAccepted {
			break
		}
	}
	require.Equal(t, http.StatusTooManyRequests, status)
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
