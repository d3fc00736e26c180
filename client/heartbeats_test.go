package client_test

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/sse"
)

// impatient makes a server miss a client that is silent for two seconds.
var impatient = sse.Options{HeartbeatInterval: 200 * time.Millisecond, WriteTimeout: 1800 * time.Millisecond}

// count counts the streams and the heartbeats of a server's clients. It answers a heartbeat
// instead of the server if a function is given.
func (s testServer) count(answer func(http.ResponseWriter)) (streams, heartbeats *atomic.Int32) {
	streams, heartbeats = new(atomic.Int32), new(atomic.Int32)
	s.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			streams.Add(1)
			return false
		}
		body, _ := io.ReadAll(r.Body) // what is missing is refused by the server
		r.Body = io.NopCloser(bytes.NewReader(body))
		if string(body) != `{"type":"heartbeat"}` {
			return false
		}
		heartbeats.Add(1)
		if answer != nil {
			answer(w)
		}
		return answer != nil
	})
	return streams, heartbeats
}

// awaitHeartbeats waits until another client, of a server of its own, has sent some
// heartbeats. A client that sends heartbeats as often would have sent one by then.
func awaitHeartbeats(t *testing.T, options sse.Options) {
	t.Helper()
	s := newServer(t, options)
	_, heartbeats := s.count(nil)
	s.dial(t, client.Options{})
	require.Eventually(t, func() bool { return heartbeats.Load() >= 5 }, patience, time.Millisecond)
}

// A loop over the events may take its time. The client lives all the same.
func TestAnIdleClientSendsHeartbeats(t *testing.T) {
	s := newServer(t, impatient)
	streams, heartbeats := s.count(nil)
	c, err := client.Dial(t.Context(), s.URL)
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool { return heartbeats.Load() >= 15 }, patience, time.Millisecond) // three seconds
	require.EqualValues(t, 1, streams.Load(), "the stream has never ended")
}

// Only a client that has sent a heartbeat is missed when it falls silent.
func TestABusyClientSendsHeartbeats(t *testing.T) {
	s := newServer(t, impatient)
	_, heartbeats := s.count(nil)
	c, err := client.Dial(t.Context(), s.URL)
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool {
		return c.Send(t.Context(), client.PingMessage{}) == nil && heartbeats.Load() >= 3
	}, patience, time.Millisecond)
}

func TestAClientThatPollsSendsNoHeartbeats(t *testing.T) {
	s := newServer(t, impatient)
	_, heartbeats := s.count(nil)
	a := s.dial(t, client.Options{Polling: true})
	awaitHeartbeats(t, impatient)
	require.Zero(t, heartbeats.Load())
	a.join("room", "Ada")
}

// A server of the version 1.0 does not know heartbeats.
func TestAClientOfAnOlderServerSendsOneHeartbeat(t *testing.T) {
	s := newServer(t, impatient)
	_, heartbeats := s.count(func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		io.WriteString(w, `{"type":"/problems/validation-failed","title":"The request is not valid","status":422,"detail":"See errors for what to change."}`)
	})
	a := s.dial(t, client.Options{})
	require.Eventually(t, func() bool { return heartbeats.Load() == 1 }, patience, time.Millisecond)
	awaitHeartbeats(t, impatient)
	require.EqualValues(t, 1, heartbeats.Load())
	a.join("room", "Ada")
}

// A client whose socket another client has taken over must not keep that socket alive.
func TestAClientThatWasReplacedSendsNoHeartbeats(t *testing.T) {
	s := newServer(t, impatient)
	c, err := client.Dial(t.Context(), s.URL)
	require.NoError(t, err)
	defer c.Close()
	var token string
	for event := range c.Events() {
		if connected, is := event.(client.ConnectedEvent); is {
			token = connected.Token
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/events", nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+token)
			response, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			defer http.DefaultClient.CloseIdleConnections()
			defer response.Body.Close()
		}
	}
	require.NotEmpty(t, token)
	_, heartbeats := s.count(nil)
	awaitHeartbeats(t, impatient)
	require.LessOrEqual(t, heartbeats.Load(), int32(1), "at most one was under way")
}
