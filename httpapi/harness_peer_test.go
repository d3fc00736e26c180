package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
)

// patience is how long a test waits for something that should come at once. It only ends a
// test that hangs.
const patience = time.Minute

// peer is a client as the protocol describes it, over real HTTP.
type peer struct {
	t        *testing.T
	server   *server
	response *http.Response
	hangUp   context.CancelFunc
	events   chan event // closed at the end of the stream
	token    string
	socketID string
	lastID   string
}

type event struct {
	id, kind, retry string
	data            string
	json            map[string]any
}

// connect opens the stream of a new socket, and takes its first two events.
func (s *server) connect(t *testing.T) *peer {
	p := s.stream(t, http.MethodGet, "/events", nil)
	hello := p.next("connected")
	p.token, p.socketID = hello.json["token"].(string), hello.json["socketId"].(string)
	p.next("heartbeat")
	return p
}

// join opens the stream of a new socket, and joins a room.
func (s *server) join(t *testing.T, roomID, userID string) *peer {
	p := s.connect(t)
	body, err := json.Marshal(map[string]string{"type": "join-room", "roomId": roomID, "userId": userID})
	require.NoError(t, err)
	p.send(string(body))
	p.next("room-joined")
	return p
}

// stream opens a stream with some headers. It takes none of its events.
func (s *server) stream(t *testing.T, method, path string, headers map[string]string) *peer {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/event-stream")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	p := &peer{t: t, server: s, response: response, hangUp: cancel, events: make(chan event, 4096)}
	go p.read() // ends with the stream
	return p
}

// read reads the stream to its end. Anything that is not allowed in a stream fails the
// test.
func (p *peer) read() {
	defer close(p.events)
	stream := ssetest.NewReader(p.response.Body)
	for {
		got, err := stream.Next()
		if errors.Is(err, ssetest.ErrStrange) {
			p.t.Error(err)
		}
		if err != nil {
			return
		}
		e := event{id: got.ID, kind: got.Type, retry: got.Retry, data: got.Data}
		_ = json.Unmarshal([]byte(e.data), &e.json)
		p.events <- e
	}
}

// next takes the next event, which must have this type.
func (p *peer) next(kind string) event {
	p.t.Helper()
	e := p.take(kind)
	require.Equal(p.t, kind, e.kind, e.data)
	require.Equal(p.t, kind, e.json["type"])
	return e
}

// take takes the next event, while the test waits for an event of this type.
func (p *peer) take(kind string) event {
	p.t.Helper()
	select {
	case e, open := <-p.events:
		require.True(p.t, open, "the stream ended before %s", kind)
		p.lastID = e.id
		return e
	case <-time.After(patience):
		require.Fail(p.t, "no event", kind)
		panic("unreachable")
	}
}

// quiet checks that no event is on its way to the peer, except heartbeats. It sends a ping:
// all events that were on their way arrive before the pong.
func (p *peer) quiet() {
	p.t.Helper()
	p.send(`{"type":"ping"}`)
	for {
		select {
		case e, open := <-p.events:
			require.True(p.t, open, "the stream ended before pong")
			if p.lastID = e.id; e.kind == "heartbeat" {
				continue
			}
			require.Equal(p.t, "pong", e.kind, e.data)
			return
		case <-time.After(patience):
			require.Fail(p.t, "no event", "pong")
		}
	}
}

// ended checks that the stream ends without another event.
func (p *peer) ended() {
	p.t.Helper()
	select {
	case e, open := <-p.events:
		require.False(p.t, open, "an event came instead of the end: %s", e.data)
	case <-time.After(patience):
		require.Fail(p.t, "the stream does not end")
	}
}

// goAway hangs up, and waits until the server counts the peer as away.
func (p *peer) goAway() {
	p.t.Helper()
	p.hangUp()
	require.Eventually(p.t, p.isAway, patience, time.Millisecond)
}

func (p *peer) isAway() bool {
	away, _ := p.server.hub.IsAway(p.socketID)
	return away
}

// send posts an event that must be accepted.
func (p *peer) send(body string) {
	p.t.Helper()
	status, answer := p.server.post(p.t, p.token, body)
	require.Equal(p.t, http.StatusAccepted, status, "%v", answer)
}

// promise posts an event whose body does not come before the end of the test. It returns
// when the server waits for the body. The request is under way by then.
func (p *peer) promise() {
	p.t.Helper()
	c, err := net.Dial("tcp", p.server.Listener.Addr().String())
	require.NoError(p.t, err)
	p.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", p.token)
	require.NoError(p.t, c.SetReadDeadline(time.Now().Add(patience)))
	line, err := bufio.NewReader(c).ReadString('\n') // the server asks for the body when it begins to read it
	require.NoError(p.t, err)
	require.Equal(p.t, "HTTP/1.1 100 Continue\r\n", line)
}

// refuse posts an event that must be refused with this problem.
func (p *peer) refuse(status int, problem, body string) map[string]any {
	p.t.Helper()
	gotStatus, answer := p.server.post(p.t, p.token, body)
	shown := body[:min(len(body), 200)]
	require.Equal(p.t, status, gotStatus, "%s: %v", shown, answer)
	require.Equal(p.t, "/problems/"+problem, answer["type"], shown)
	return answer
}

func (s *server) post(t testing.TB, token, body string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	return s.do(t, r)
}

// do sends a request and reads its answer, which must be empty or JSON. An answer with an
// error status must be a problem document.
func (s *server) do(t testing.TB, r *http.Request) (status int, answer map[string]any) {
	t.Helper()
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if len(text) > 0 {
		require.NoError(t, json.Unmarshal(text, &answer), "%s", text)
	}
	if response.StatusCode >= 400 {
		require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		require.Equal(t, float64(response.StatusCode), answer["status"])
		require.NotEmpty(t, answer["title"])
		require.NotEmpty(t, answer["detail"])
	}
	return response.StatusCode, answer
}

func (s *server) get(t testing.TB, path string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	require.NoError(t, err)
	return s.do(t, r)
}

// fieldErrors returns the errors of a validation problem, each as "field rule".
func fieldErrors(problem map[string]any) (all []string) {
	errors, _ := problem["errors"].([]any)
	for _, e := range errors {
		one := e.(map[string]any)
		all = append(all, one["field"].(string)+" "+one["rule"].(string))
	}
	return all
}
