package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/sse"
)

// diagnose asks for /doctor.json with some headers. It returns the headers that the server
// says it received, and the headers that it says it sent.
func (s *server) diagnose(t *testing.T, headers http.Header) (answer map[string]any, received, sent map[string][]string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/doctor.json", nil)
	require.NoError(t, err)
	maps.Copy(r.Header, headers)
	status, answer := s.do(t, r)
	require.Equal(t, http.StatusOK, status)
	return answer, fieldsOf(answer["requestHeaders"]), fieldsOf(answer["responseHeaders"])
}

func fieldsOf(list any) map[string][]string {
	fields := make(map[string][]string)
	for _, one := range list.([]any) {
		field := one.(map[string]any)
		name := field["name"].(string)
		fields[name] = append(fields[name], field["value"].(string))
	}
	return fields
}

func TestTheDoctorReportsHowARequestArrived(t *testing.T) {
	s := newServer(t, sse.Options{HeartbeatInterval: 7 * time.Second, ResumeWindow: 11 * time.Second}, 100)
	answer, received, _ := s.diagnose(t, http.Header{
		"Via":             {"1.1 proxy.school.example"},
		"X-Forwarded-For": {"203.0.113.7, 10.0.0.2", "10.0.0.3"},
		"User-Agent":      {"a browser"},
	})
	require.Regexp(t, isTime, answer["time"])
	require.Equal(t, signalingserver.Version, answer["version"])
	require.Equal(t, "HTTP/1.1", answer["protocol"])
	require.NotContains(t, answer, "tls")
	require.Equal(t, "127.0.0.1", answer["remoteAddress"])
	require.Equal(t, []any{"203.0.113.7", "10.0.0.2", "10.0.0.3"}, answer["forwardedFor"])
	require.Equal(t, 7000.0, answer["heartbeatInterval"])
	require.Equal(t, 11000.0, answer["resumeWindow"])
	require.Equal(t, []string{"1.1 proxy.school.example"}, received["Via"])
	require.Equal(t, []string{"203.0.113.7, 10.0.0.2", "10.0.0.3"}, received["X-Forwarded-For"])
	require.Equal(t, []string{"a browser"}, received["User-Agent"])
	require.Equal(t, []string{strings.TrimPrefix(s.URL, "http://")}, received["Host"])
}

// The page compares this list with the headers that reached it. So the list must
// match what the server sent.
func TestTheDoctorListsTheHeadersThatItSends(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	_, _, sent := s.diagnose(t, http.Header{"Origin": {"https://app.example.com"}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/doctor.json", nil)
	require.NoError(t, err)
	r.Header.Set("Origin", "https://app.example.com")
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	response.Header.Del("Date") // net/http adds these two
	response.Header.Del("Content-Length")
	require.Equal(t, map[string][]string(response.Header), sent)
	require.Equal(t, []string{"no-store"}, sent["Cache-Control"])
	require.Equal(t, []string{"no"}, sent["X-Accel-Buffering"])
}

func TestTheDoctorRepeatsNoSecret(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	const secret = "c2VjcmV0"
	headers := make(http.Header)
	for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization", "Last-Event-ID", "X-Amzn-Oidc-Data", "Cf-Access-Jwt-Assertion", "X-Api-Key", "X-Session"} {
		headers.Set(name, secret)
	}
	headers.Set("X-Request-Id", "not a secret")
	answer, received, _ := s.diagnose(t, headers)
	require.NotContains(t, fmt.Sprint(answer), secret)
	for name := range headers {
		want := "[hidden]"
		if name == "X-Request-Id" {
			want = "not a secret"
		}
		require.Equal(t, []string{want}, received[name], name)
	}
}

func TestTheDoctorRepeatsABoundedPartOfARequest(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	headers := make(http.Header)
	for n := range 200 {
		headers.Set(fmt.Sprintf("X-Many-%03d", n), "1")
	}
	headers.Set("A-Long-One", strings.Repeat("é", 1000))
	headers.Set("X-Forwarded-For", strings.Repeat("192.0.2.1,", 500))
	answer, received, _ := s.diagnose(t, headers)
	require.Len(t, answer["requestHeaders"], 65) // 64, and Host
	require.Len(t, answer["forwardedFor"], 64)
	require.Equal(t, []string{strings.Repeat("é", 31) + "…" + strings.Repeat("é", 32)}, received["A-Long-One"])

	_, received, _ = s.diagnose(t, http.Header{"X-" + strings.Repeat("N", 1000): {"1"}})
	require.Contains(t, received, "X-"+"N"+strings.Repeat("n", 28)+"…"+strings.Repeat("n", 32))
}

// listen opens a silent stream and takes its first event.
func (s *server) listen(t *testing.T, seconds int) *peer {
	t.Helper()
	p := s.stream(t, http.MethodGet, fmt.Sprintf("/silence?seconds=%d", seconds), nil)
	require.Equal(t, http.StatusOK, p.response.StatusCode)
	require.Equal(t, float64(seconds), p.next("silence-began").json["seconds"])
	return p
}

func TestASilentStreamIsSilentForTheTimeRequested(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{}, 100, func(u *setup) {
		u.http = func(server *http.Server) {
			server.ReadTimeout = time.Second / 2 // the stream must outlive both time-outs
			server.WriteTimeout = time.Second / 2
		}
	})
	p := s.listen(t, 1)
	require.Equal(t, "no-cache, no-store, no-transform", p.response.Header.Get("Cache-Control"))
	require.Equal(t, "no", p.response.Header.Get("X-Accel-Buffering"))
	began := time.Now()
	require.Equal(t, "complete", p.next("silence-ended").json["reason"])
	require.Greater(t, time.Since(began), 900*time.Millisecond)
	p.ended()
}

func TestASilentStreamOverHTTP2OutlivesTheServersTimeouts(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{}, 100)
	secure := httptest.NewUnstartedServer(s.Config.Handler)
	secure.EnableHTTP2 = true
	shortTimeouts(secure.Config)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	overHTTP2 := &server{secure, s.hub}
	answer, _, _ := overHTTP2.diagnose(t, nil)
	require.Equal(t, "HTTP/2.0", answer["protocol"])
	require.Equal(t, "TLS 1.3", answer["tls"])
	p := overHTTP2.listen(t, 2)
	require.Equal(t, "complete", p.next("silence-ended").json["reason"])
	p.ended()
}

func TestASilentStreamLastsOneSecondToThreeMinutes(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	s.listen(t, 180).hangUp()
	for _, query := range []string{"", "?seconds=", "?seconds=0", "?seconds=181", "?seconds=-1", "?seconds=1.5", "?seconds=soon", "?seconds=70000"} {
		status, problem := s.get(t, "/silence"+query)
		require.Equal(t, http.StatusUnprocessableEntity, status, query)
		require.Equal(t, []string{"seconds range"}, fieldErrors(problem))
	}
}

func TestAnAddressHasOnlyItsShareOfTheSilentStreams(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	var open []*peer
	for range 96 {
		open = append(open, s.listen(t, 180))
	}
	status, problem := s.get(t, "/silence?seconds=1")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "/problems/at-capacity", problem["type"])
	require.Equal(t, "Your address has as many silent streams open as one address may have.", problem["detail"])
	require.NotEmpty(t, s.ask(t, http.StatusServiceUnavailable, http.MethodGet, "/silence?seconds=1", nil).Get("Retry-After"))

	s.connect(t) // sockets are counted apart from silent streams
	open[0].hangUp()
	require.Eventually(t, func() bool { // the place is free when the server notices that the client is gone
		return s.tryListen(t) == http.StatusOK
	}, patience, 10*time.Millisecond)
}

// tryListen opens a silent stream and hangs up.
func (s *server) tryListen(t *testing.T) (status int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/silence?seconds=180", nil)
	require.NoError(t, err)
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	return response.StatusCode
}

func TestSilentStreamsDoNotDelayTheServersShutdown(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p, quiet := s.connect(t), s.listen(t, 180)
	began := time.Now()
	require.NoError(t, s.hub.Drain(t.Context()))
	require.Equal(t, "server-shutdown", quiet.next("silence-ended").json["reason"])
	quiet.ended()
	p.next("server-shutdown")
	p.ended()
	require.NoError(t, s.Config.Shutdown(t.Context()))
	require.Less(t, time.Since(began), time.Minute, "the silence would last for three")
}

// A client that goes away during a silence leaves nothing behind, whether it resets its
// connection or closes it. TestMain looks for goroutines that it left.
func TestASilentStreamEndsWithItsClient(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	fmt.Fprint(connection, "GET /silence?seconds=180 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_, err = io.ReadFull(connection, make([]byte, 100))
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).SetLinger(0)) // a reset
	require.NoError(t, connection.Close())
	s.listen(t, 180).hangUp()
	began := time.Now()
	require.NoError(t, s.Config.Shutdown(t.Context())) // waits for all handlers that still run
	require.Less(t, time.Since(began), time.Minute, "the silence would last for three")
}
