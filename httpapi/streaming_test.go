package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

func TestAPlainEventSourceCanOpenAndResume(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	require.Equal(t, "text/event-stream", a.response.Header.Get("Content-Type"))
	require.Equal(t, "no-cache, no-store, no-transform", a.response.Header.Get("Cache-Control"))
	require.Equal(t, "no", a.response.Header.Get("X-Accel-Buffering"))
	a.next("user-connected")
	a.hangUp()
	b.send(`{"type":"send-message","message":"one"}`)
	b.send(`{"type":"send-message","message":"two"}`)

	again := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": a.lastID})
	hello := again.next("connected")
	require.Equal(t, true, hello.json["resumed"])
	require.Equal(t, a.socketID, hello.json["socketId"])
	again.next("heartbeat")
	require.Equal(t, "one", again.next("new-message").json["message"])
	require.Equal(t, "two", again.next("new-message").json["message"])
	b.next("new-message")
	b.next("new-message")
	b.quiet()
}

func TestAStreamResumesByHeaderQueryOrToken(t *testing.T) {
	for name, way := range map[string]func(p *peer) (method, path string, headers map[string]string){
		"Last-Event-ID": func(p *peer) (string, string, map[string]string) {
			return http.MethodGet, "/events", map[string]string{"Last-Event-ID": p.lastID}
		},
		"the query": func(p *peer) (string, string, map[string]string) {
			return http.MethodGet, "/events?lastEventId=" + p.lastID, nil
		},
		"token and Last-Event-ID": func(p *peer) (string, string, map[string]string) {
			return http.MethodGet, "/events", map[string]string{"Authorization": "Bearer " + p.token, "Last-Event-ID": p.lastID}
		},
		"the token alone, from the beginning": func(p *peer) (string, string, map[string]string) {
			return http.MethodGet, "/events", map[string]string{"Authorization": "Bearer " + p.token}
		},
		"POST": func(p *peer) (string, string, map[string]string) {
			return http.MethodPost, "/events/stream", map[string]string{"Last-Event-ID": p.lastID}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{}, 100)
			p := s.join(t, "room", "Ada")
			p.hangUp()
			method, path, headers := way(p)
			again := s.stream(t, method, path, headers)
			require.Equal(t, true, again.next("connected").json["resumed"])
			again.next("heartbeat")
			if name == "the token alone, from the beginning" {
				again.next("room-joined")
			}
			again.token = p.token
			again.quiet()
		})
	}
}

func TestAFailedResumeOpensANewSocketAndIsNotAnError(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	other := sse.NewToken().Secret()
	for _, headers := range []map[string]string{
		{"Last-Event-ID": "5"},
		{"Last-Event-ID": "\x01\xff"},
		{"Last-Event-ID": strings.Repeat("9", 5000)},
		{"Last-Event-ID": other + ".1"},
		{"Last-Event-ID": p.token + ".-1"},
		{"Authorization": "Bearer " + other, "Last-Event-ID": p.lastID}, // the id and the token are of different sockets
		{"Authorization": "Bearer " + other},
		{"Authorization": "Basic xyz"},
	} {
		if strings.ContainsAny(headers["Last-Event-ID"], "\x01") {
			continue // Go's client does not send it
		}
		again := s.stream(t, http.MethodGet, "/events", headers)
		hello := again.next("connected")
		require.Equal(t, false, hello.json["resumed"], "%v", headers)
		require.NotEqual(t, p.socketID, hello.json["socketId"])
		again.hangUp()
	}
	p.quiet()
}

func TestASecondStreamOfTheSameSocketReplacesTheFirst(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	first := s.join(t, "room", "Ada")
	second := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": first.lastID})
	require.Equal(t, "replaced", first.next("disconnected").json["reason"])
	first.ended()
	second.next("connected")
	second.next("heartbeat")
	second.token = first.token
	second.quiet()
}

func TestAtCapacityAnEventSourceGetsAnEventAndOtherClientsAProblem(t *testing.T) {
	s := newServer(t, sse.Options{MaxSockets: 1}, 100)
	p := s.connect(t)
	refused := s.stream(t, http.MethodGet, "/events", map[string]string{"Accept": "text/html, Text/Event-Stream;q=0.9"})
	require.Equal(t, http.StatusOK, refused.response.StatusCode)
	bye := refused.next("disconnected")
	require.Equal(t, "at capacity", bye.json["reason"])
	require.Empty(t, bye.id, "the client keeps its position")
	retry, err := strconv.Atoi(bye.retry)
	require.NoError(t, err)
	require.GreaterOrEqual(t, retry, 1000)
	require.Equal(t, float64(retry), bye.json["retryAfter"])
	refused.ended()

	for _, accept := range []string{"*/*", "", "application/json"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/events", nil)
		require.NoError(t, err)
		r.Header.Set("Accept", accept)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, accept)
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, seconds, 1)
	}
	p.hangUp()
	again := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": p.lastID})
	require.Equal(t, true, again.next("connected").json["resumed"], "a socket that exists can still resume")
}

func TestAPeerThatGoesSilentlyIsReportedWhenItsResumeWindowEnds(t *testing.T) {
	s := newServer(t, sse.Options{ResumeWindow: 100 * time.Millisecond}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	b.hangUp()
	gone := a.next("user-disconnected")
	require.Equal(t, b.socketID, gone.json["socketId"])
	require.Equal(t, "transport close", gone.json["reason"])
}

func TestAnIdleStreamGetsHeartbeats(t *testing.T) {
	s := newServer(t, sse.Options{HeartbeatInterval: 50 * time.Millisecond}, 100)
	p := s.connect(t)
	for range 3 {
		require.Equal(t, p.token+".0", p.next("heartbeat").id)
	}
}

// The server drains 1,000 open streams. Each stream receives all events that were accepted,
// and server-shutdown last.
func TestAThousandStreamsAreDrained(t *testing.T) {
	s := newServer(t, sse.Options{HeartbeatInterval: time.Hour}, 2000, unheard) // on a slow machine heartbeats would come between
	const streams = 1000
	peers := make([]*peer, streams)
	for n := range peers {
		peers[n] = s.join(t, "room "+strconv.Itoa(n/10), "user "+strconv.Itoa(n))
	}
	for n := 0; n < streams; n += 10 {
		peers[n].send(`{"type":"send-message","message":"last"}`)
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.hub.Drain(ctx))
	t.Logf("drained %d streams in %v", streams, time.Since(started).Round(time.Millisecond))
	for _, p := range peers {
		var kinds []string
		for e := range p.events {
			kinds = append(kinds, e.kind)
		}
		require.GreaterOrEqual(t, len(kinds), 2)
		require.Equal(t, []string{"new-message", "server-shutdown"}, kinds[len(kinds)-2:])
	}
	status, _ := s.get(t, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	status, health := s.get(t, "/health")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "draining", health["status"])
	for _, body := range []string{ // the server does not accept an event that would reach nobody
		`{"type":"send-message","message":"x"}`,
		`{"type":"signal","data":1}`,
		fmt.Sprintf(`{"type":"signal","target":%q,"data":1}`, peers[1].socketID),
		`{"type":"typing-start"}`,
		`{"type":"ping"}`,
	} {
		peers[0].refuse(http.StatusServiceUnavailable, "shutting-down", body)
	}
	peers[0].refuse(http.StatusServiceUnavailable, "shutting-down", `{"type":"join-room","roomId":"new","userId":"u"}`)
	peers[1].send(`{"type":"leave-room"}`)
	late := s.stream(t, http.MethodGet, "/events", nil)
	require.Equal(t, "draining", late.next("disconnected").json["reason"])
}

func TestAStreamOutlivesTheServersReadTimeout(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{HeartbeatInterval: 100 * time.Millisecond}, 100, hasty)
	p := s.connect(t)
	for range int(3 * s.Config.ReadTimeout / (200 * time.Millisecond)) {
		p.next("heartbeat")
	}
	p.next("heartbeat")
}

// A promised body that does not come must not delay the answer. net/http alone would wait
// for the body before it writes the first byte of an answer.
func TestAnAnswerDoesNotWaitForABodyThatDoesNotCome(t *testing.T) {
	t.Parallel()                                                               // this test mostly waits
	s := newServer(t, sse.Options{HeartbeatInterval: time.Second}, 100, hasty) // a heartbeat shows a stream that its client is gone
	p := s.join(t, "room", "Ada")
	for head, want := range map[string]int{
		"POST /events HTTP/1.1\r\nAuthorization: Bearer " + p.token + "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n": 400,
		"POST /events HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n":                                          401,
		"GET /events HTTP/1.1\r\nContent-Length: 1\r\n":                                                                               200,
		"POST /events/stream HTTP/1.1\r\nContent-Length: 1\r\n":                                                                       200,
		"GET /events/poll HTTP/1.1\r\nContent-Length: 1\r\n":                                                                          200,
		"GET /health HTTP/1.1\r\nContent-Length: 1\r\n":                                                                               200,
	} {
		connection, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(connection, head+"Host: localhost\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err, head)
		require.Equal(t, want, response.StatusCode, head)
		require.True(t, response.Close, head)
		connection.Close()
	}
	p.quiet()
}

// A client that closes its half of the connection during a poll gets the true answer or no
// answer. If a handler writes nothing, net/http sends an empty 200: once, clients took that
// for an answer with events.
func TestAHalfClosedConnectionDoesNotGetAnEmptyAnswer(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	p.hangUp()
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(connection, "GET /events/poll?wait=60 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", p.token)
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.Empty(t, string(answer))
}

// The room-joined of a large room is larger than the usual limit of an outbox.
func TestALargeRoomCanBeJoinedAndResumed(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 100, UnsentBytes: 100_000, RetainedEvents: 100, RetainedBytes: 20_000}
	s := newServer(t, sse.Options{Outbox: limits}, 100)
	metadata := strings.Repeat("x", 4000)
	var last *peer
	for n := range 30 {
		last = s.connect(t)
		last.send(fmt.Sprintf(`{"type":"join-room","roomId":"r","userId":"u%d","metadata":{"x":%q}}`, n, metadata))
		require.Len(t, last.next("room-joined").json["users"], n+1)
	}
	last.hangUp()
	before, _, _ := strings.Cut(last.lastID, ".")
	again := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": before + ".0"})
	require.Equal(t, true, again.next("connected").json["resumed"], "the stream dropped before room-joined arrived")
	again.next("heartbeat")
	again.next("room-joined")
}
