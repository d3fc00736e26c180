package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/sse"
)

// promise opens a connection and sends the beginning of a request over it.
func (s *server) promise(t *testing.T, text string) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(connection, text)
	require.NoError(t, err)
	return connection
}

func postHead(token string, length int) string {
	return fmt.Sprintf("POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", token, length)
}

// A body is charged to the budget by the bytes that have arrived, not by the bytes that
// its header promises. The charge is given back.
func TestAPromisedBodyTakesNoMemoryBeforeItArrives(t *testing.T) {
	memory := budget.New(1 << 30)
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.API.Budget = memory })
	p := s.connect(t)
	connection := s.promise(t, postHead(p.token, 60_000))
	taken := func(least, most int64) {
		t.Helper()
		require.Eventually(t, func() bool { return memory.Used() >= least && memory.Used() <= most }, patience, time.Millisecond, "%d", memory.Used())
	}
	taken(1, 8*2048)
	_, err := io.WriteString(connection, strings.Repeat(" ", 10_000))
	require.NoError(t, err)
	taken(8*10_000, 8*20_000)
	connection.Close()
	taken(0, 0)
}

// All bodies that an address is sending share one limit. Beyond it, the server refuses a
// request without reading it. When another request has ended, there is room again.
func TestTheBodiesOfAnAddressShareOneLimit(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, limitedTo(limits.Options{BytesPerAddress: 64 << 10}))
	p := s.connect(t)
	half := strings.Repeat(" ", 40_000)
	first := s.promise(t, postHead(p.token, 60_000)+half)
	var refused *http.Response
	for range 100 { // until the first body has arrived
		second := s.promise(t, postHead(p.token, 60_000)+half)
		require.NoError(t, second.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		response, err := http.ReadResponse(bufio.NewReader(second), nil)
		if err == nil {
			refused = response
			break
		}
		second.Close()
	}
	require.NotNil(t, refused)
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
	require.True(t, refused.Close)
	text, err := io.ReadAll(refused.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "/problems/rate-limited")
	require.Contains(t, string(text), "under way from your address")
	first.Close()
	large := `{"type":"ping"}` + strings.Repeat(" ", 50_000)
	require.Eventually(t, func() bool {
		status, _ := s.post(t, p.token, large)
		return status == http.StatusAccepted
	}, patience, time.Millisecond)
}

// A refusal does not close the connection if the whole request has arrived or its body
// was read.
func TestAConnectionOutlivesARefusalIfTheBodyHasArrived(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	connection := s.promise(t, "")
	reader := bufio.NewReader(connection)
	for token, want := range map[string]int{p.token: http.StatusAccepted, sse.NewToken().Secret(): http.StatusUnauthorized} {
		for range 3 {
			body := `{"type":"ping"}`
			_, err := io.WriteString(connection, postHead(token, len(body))+body)
			require.NoError(t, err)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.Equal(t, want, response.StatusCode)
			require.False(t, response.Close)
		}
	}
}

// A request for a stream may have a body, which the server does not ask for. The stream
// is like any other, and ends with its connection.
func TestARequestWithABodyCanOpenAStream(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{HeartbeatInterval: 50 * time.Millisecond}, 100, hasty)
	streams := make(map[string]net.Conn)
	for _, head := range []string{
		"GET /events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"GET /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
		"POST /events/stream HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		"POST /events/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
	} {
		streams[head] = s.promise(t, head)
	}
	for head, connection := range streams {
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, head)
		require.True(t, response.Close)
		lines := bufio.NewScanner(response.Body)
		for heartbeats := 0; heartbeats < 30; { // longer than the server's ReadTimeout
			require.True(t, lines.Scan(), head)
			if lines.Text() == "event: heartbeat" {
				heartbeats++
			}
		}
		connection.Close()
	}
	require.Eventually(t, func() bool {
		sockets, away, _ := s.hub.Counts()
		return sockets == away
	}, 2*patience, 10*time.Millisecond, "no socket has a reader any more")
}

// A problem repeats only an excerpt of a long name in the request.
func TestProblemsRepeatOnlyAnExcerptOfALongName(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	for _, unit := range []string{"x", "<", "é", `\u003c`, `\\`, "😀"} {
		name := strings.Repeat(unit, 5000)
		for path, body := range map[string]string{
			"/events":       `{"type":"ping","` + name + `":1}`,
			"/events/batch": `{"` + name + `":1}`,
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+p.token)
			status, problem := s.do(t, r)
			require.Equal(t, http.StatusUnprocessableEntity, status)
			field := problem["errors"].([]any)[0].(map[string]any)["field"].(string)
			require.LessOrEqual(t, len([]rune(field)), 64)
			require.Contains(t, field, "…")
		}
	}
}

// Over HTTP/2, a body that the server does not read ends neither the connection nor the
// stream.
func TestOverHTTP2AnUnreadBodyDoesNotEndTheConnection(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	secure := httptest.NewUnstartedServer(s.Config.Handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	reused := false
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	for n, path := range []string{"/health", "/events/poll", "/health", "/nowhere"} {
		r, err := http.NewRequestWithContext(trace, http.MethodGet, secure.URL+path, strings.NewReader(strings.Repeat("x", 100_000)))
		require.NoError(t, err)
		response, err := secure.Client().Do(r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, "HTTP/2.0", response.Proto)
		require.Equal(t, n > 0, reused, path)
	}
}

// The memory of a body is used again for later bodies, so nothing may refer to it after
// the request. That holds for what waits for others, for the member that later joins are
// compared with, and for the answer that is kept for a repeat.
func TestWhatWasPostedDoesNotChangeWhenLaterBodiesArrive(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	hello := s.poll(t, "", "wait=0").decode(t)[0] // it reads later
	token, socketID := hello["token"].(string), hello["socketId"].(string)
	status, _ := s.post(t, token, `{"type":"join-room","roomId":"room","userId":"Bob"}`)
	require.Equal(t, http.StatusAccepted, status)
	p := s.connect(t)
	var want []string
	for n := range 20 {
		mark := strings.Repeat(string(rune('a'+n)), 10+n)
		padding := strings.Repeat(" ", n%5*3000) // some bodies need more memory
		join := padding + fmt.Sprintf(`{"type":"join-room","roomId":"room","userId":%q,"metadata":{"mark":%q},"requestId":%q}`, mark, mark, mark)
		p.send(join)
		p.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":%q}}`, socketID, mark) + padding)
		p.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":%q}`, socketID, mark))
		p.send(fmt.Sprintf(`{"type":"signal","data":%q}`, mark))
		p.send(fmt.Sprintf(`{"type":"ice-candidate","target":%q,"candidate":{"candidate":%q}}`, socketID, mark))
		p.send(padding + fmt.Sprintf(`{"type":"send-message","message":%q}`, mark))
		p.send(join) // changes nothing, so nobody else receives anything
		want = append(want, mark)
	}
	unknown := `{"type":"ping","unknown-member":1}`
	_, refused := p.keyed("/events", "key", unknown)
	p.send(`{"type":"ping"}`)
	_, repeated := p.keyed("/events", "key", unknown)
	require.Equal(t, refused, repeated)
	require.Contains(t, repeated, "unknown-member")

	var got []string
	for _, e := range s.poll(t, token, "after=1&wait=0").Events {
		require.NotContains(t, string(e), `\u0000`)
		for _, mark := range want {
			if strings.Contains(string(e), `"`+mark+`"`) {
				got = append(got, mark)
			}
		}
	}
	require.Len(t, got, 7*len(want)-1, "each mark in each event, as it was posted, and in the user-disconnected that follows from the next join")
	late := s.connect(t)
	late.send(`{"type":"join-room","roomId":"room","userId":"late"}`)
	require.Contains(t, late.next("room-joined").data, `"metadata":{"mark":"`+want[len(want)-1]+`"}`)
}
