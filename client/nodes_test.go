package client_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/cluster"
	"signaling-server/sse"
)

// refuse returns an answer as that of a node. Its name is that of a problem.
func refuse(status int, name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"/problems/%s","title":"No","status":%d}`, name, status)
	}
}

// The answers of nodes, and of what is between them and the client.
var (
	notReady   = refuse(http.StatusServiceUnavailable, "not-ready")
	isUnknown  = refuse(http.StatusGatewayTimeout, "outcome-unknown")
	tooMany    = refuse(http.StatusTooManyRequests, "rate-limited")
	atCapacity = refuse(http.StatusServiceUnavailable, "at-capacity")
	badGateway = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }
	isLost     = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	isDraining = func(w http.ResponseWriter, _ *http.Request) { sse.Refuse(w, "draining", time.Hour) }
)

// answerFirst answers the first requests with a method by these functions, and lets the server
// answer the next. It returns a function that returns all these requests.
func (s testServer) answerFirst(method string, answers ...http.HandlerFunc) func() []*http.Request {
	var mu sync.Mutex
	var asked []*http.Request
	s.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method {
			return false
		}
		mu.Lock()
		asked = append(asked, r)
		n := len(asked)
		mu.Unlock()
		if n > len(answers) {
			return false
		}
		answers[n-1](w, r)
		return true
	})
	return func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

// What may have been accepted is known by its key alone, whatever the next try meets.
func TestAMessageIsRepeatedUntilANodeAcceptsIt(t *testing.T) {
	tests := map[string]struct {
		answers []http.HandlerFunc
		keys    int
	}{
		"no node accepts it":        {[]http.HandlerFunc{notReady, notReady}, 1},
		"the outcome is unknown":    {[]http.HandlerFunc{isUnknown, notReady}, 1},
		"it is lost, then refused":  {[]http.HandlerFunc{isLost, tooMany}, 1},
		"a proxy answers in place":  {[]http.HandlerFunc{badGateway, atCapacity}, 1},
		"it is refused for a while": {[]http.HandlerFunc{tooMany}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, sse.Options{})
			a := s.dial(t, client.Options{Polling: true}) // it sends no heartbeats
			asked := s.answerFirst(http.MethodPost, test.answers...)
			a.send(client.PingMessage{})
			keys := make(map[string]bool)
			for _, r := range asked() {
				keys[r.Header.Get("Idempotency-Key")] = true
			}
			require.Len(t, asked(), len(test.answers)+1)
			require.Len(t, keys, test.keys)
			next[client.PongEvent](a)
		})
	}
}

func TestARefusalThatIsSureIsReported(t *testing.T) {
	s := newServer(t, sse.Options{})
	a := s.dial(t, client.Options{Polling: true})
	s.answerFirst(http.MethodPost, atCapacity)
	var problem *client.Problem
	require.ErrorAs(t, a.Send(t.Context(), client.PingMessage{}), &problem)
	require.Equal(t, "at-capacity", problem.Name())
}

// One of several nodes may be about to stop, or be gone, while the others serve.
func TestDialTriesAnotherNode(t *testing.T) {
	for name, test := range map[string]struct {
		client.Options
		answer http.HandlerFunc
	}{
		"after a refused stream":    {client.Options{}, isDraining},
		"after a refused poll":      {client.Options{Polling: true}, notReady},
		"after a proxy's answer":    {client.Options{}, badGateway},
		"after a broken connection": {client.Options{}, isLost},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{})
			asked := s.answerFirst(http.MethodGet, test.answer)
			s.dial(t, test.Options)
			path := asked()[0].URL.Path
			require.Equal(t, path, asked()[1].URL.Path, "it says nothing about streams")
		})
	}
}

// A node sheds a stream, and another resumes it. Polls go on as well.
func TestASocketMovesToAnotherNode(t *testing.T) {
	shed := func(w http.ResponseWriter, _ *http.Request) { sse.Refuse(w, "draining", time.Millisecond) }
	for name, test := range map[string]struct {
		client.Options
		answer http.HandlerFunc
	}{
		"by streams": {client.Options{}, shed},
		"by polls":   {client.Options{Polling: true}, notReady},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{})
			a, b := s.dial(t, test.Options), s.dial(t, test.Options)
			a.join("room", "Ada")
			b.join("room", "Bob")
			next[client.UserConnectedEvent](a)
			before := b.SocketID()
			asked := s.answerFirst(http.MethodGet, test.answer, test.answer)
			s.Cut()
			require.Eventually(t, func() bool { return len(asked()) > 1 }, patience, time.Millisecond)
			a.send(client.SignalMessage{Target: before, Data: 1})
			for {
				select {
				case event := <-b.events:
					switch e := event.(type) {
					case client.DisconnectedEvent: // it says that events may be late
					case client.SignalEvent:
						require.Equal(t, "1", string(e.Data))
						require.Equal(t, before, b.SocketID())
						return
					default:
						require.Fail(t, "another event", "%#v", e)
					}
				case <-time.After(patience):
					require.Fail(t, "no event")
				}
			}
		})
	}
}

// The server knows best when it is back: a wait that grows would be longer than the resume
// window.
func TestASourceWaitsAsLongAsTheServerSays(t *testing.T) {
	waits := client.PausesAfter(fmt.Errorf("polling: %w", &client.Problem{RetryAfter: time.Second}), 8)
	require.Equal(t, append([]time.Duration{0}, slices.Repeat([]time.Duration{time.Second}, 7)...), waits)
	waits = client.PausesAfter(io.ErrUnexpectedEOF, 8)
	require.Greater(t, waits[7], 5*time.Second)
}

// A node that answers nothing more is lost for the others after a while. From then on the
// resume window runs. The client must have left the node by then.
func TestAPollLeavesADeadNodeInTime(t *testing.T) {
	require.Less(t, client.PollPatience+time.Second, cluster.DefaultTimes().LostAfter+sse.DefaultOptions().ResumeWindow)
}
