package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/httpapi/httpapitest"
	"signaling-server/limits"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// overHTTP2 makes a server speak HTTP/2 without TLS as well.
func overHTTP2(u *setup) {
	u.unheard = true
	u.http = func(server *http.Server) {
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true)
		server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1000}
		server.ReadTimeout, server.WriteTimeout = 20*time.Second, 30*time.Second
	}
}

func withRequests(perAddress int) func(*setup) {
	return func(u *setup) {
		u.unheard = true
		u.API.Limits = limits.New(limits.Options{RequestsPerAddress: perAddress, ReadingPerAddress: perAddress})
	}
}

// closedWindow is an HTTP/2 connection on which the client accepts no body of an answer: the
// flow-control window of each stream is 0 bytes.
type closedWindow struct {
	net.Conn
	stream  uint32
	isKnown bool // the large field is in the server's header table

	mu      sync.Mutex // guards the fields below
	headers int        // how many HEADERS frames came
	resets  int        // how many streams were reset
}

func newClosedWindow(t testing.TB, address string) *closedWindow {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	w := &closedWindow{Conn: c, stream: 1}
	var reading sync.WaitGroup
	reading.Go(w.read)
	t.Cleanup(func() {
		c.Close()
		reading.Wait()
	})
	_, err = c.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, []byte{0, 4, 0, 0, 0, 0})...))
	require.NoError(t, err)
	return w
}

// frame builds a frame of HTTP/2 (RFC 9113, 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	header := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[5:], stream)
	return append(header, payload...)
}

func (w *closedWindow) read() {
	reader := bufio.NewReader(w)
	header := make([]byte, 9)
	for {
		if _, err := io.ReadFull(reader, header); err != nil {
			return
		}
		length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
		if _, err := reader.Discard(length); err != nil {
			return
		}
		w.mu.Lock()
		switch header[3] {
		case 1:
			w.headers++
		case 3:
			w.resets++
		}
		w.mu.Unlock()
	}
}

func (w *closedWindow) seen() (headers, resets int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.headers, w.resets
}

// get asks for a path, and sends a header field of 256 bytes several times. Only the first
// time it takes its full size on the wire. After that it takes one byte, because it is in
// the server's header table.
func (w *closedWindow) get(t testing.TB, path string, fields int) {
	t.Helper()
	block := append([]byte{0x82, 0x86, 0x04, byte(len(path))}, path...)
	block = append(append(block, 0x01, 9), "localhost"...)
	if fields > 0 && !w.isKnown {
		block = append(block, 0x40, 3, 'x', '-', 'a', 0x7f, 0x81, 0x01)
		block = append(block, strings.Repeat("v", 256)...)
		w.isKnown = true
		fields--
	}
	block = append(block, bytes.Repeat([]byte{0x80 | 62}, fields)...)
	_, _ = w.Write(frame(1, 0x5, w.stream, block)) // the server may have hung up
	w.stream += 2
}

// Once, a client that sent 969 KB made the server hold 1,052 MB of answers, because the
// client's window did not let them through.
func TestAttackAnswersThatAreNotLetThrough(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, overHTTP2, func(u *setup) {
		u.API.Limits = limits.New(limits.Options{RequestsPerAddress: 512})
	})
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := held()
	for range 10 {
		w := newClosedWindow(t, s.Listener.Addr().String())
		for range 1000 {
			w.get(t, "/doctor.json", 54)
		}
		require.Eventually(t, func() bool { _, resets := w.seen(); return resets > 400 }, patience, time.Millisecond)
	}
	grown := float64(int64(held())-int64(before)) / (1 << 20)
	t.Logf("the server holds %.1f MiB more", grown)
	require.Less(t, grown, 60.0)
	status, _ := s.get(t, "/livez")
	require.Equal(t, http.StatusOK, status, "a probe is answered all the same")
}

// An answer counts even if it fits into net/http's buffer. A refusal counts too.
func TestAnAnswerIsCountedUntilItIsSent(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, overHTTP2, withRequests(8))
	w := newClosedWindow(t, s.Listener.Addr().String())
	for range 200 {
		w.get(t, "/openapi.json", 0)
	}
	// The server sends 8 answers and 64 refusals, and resets all other requests.
	require.Eventually(t, func() bool { headers, resets := w.seen(); return headers == 8+64 && resets == 200-8-64 }, patience, time.Millisecond)
	w.Close()
	require.Eventually(t, func() bool {
		response, err := s.Client().Get(s.URL + "/doctor.json") // the server may still reset this request
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, patience, time.Millisecond)
}

func TestTheRequestsUnderWayOfAnAddressAreLimited(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withRequests(8), func(u *setup) {
		u.API.TrustedProxies = clientip.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
		u.API.AdminToken = "operators-token-1"
		u.API.Environment = httpapi.Production
	})
	p := s.connect(t) // a stream does not count as a short request
	for range 8 {
		p.promise()
	}
	status, problem := s.get(t, "/doctor.json")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "/problems/at-capacity", problem["type"])
	require.Contains(t, problem["detail"], "requests under way")

	for path, token := range map[string]string{"/livez": "", "/readyz": "", "/health": "", "/stats": "operators-token-1"} {
		s.ask(t, http.StatusOK, http.MethodGet, path, map[string]string{"Authorization": "Bearer " + token})
	}
	s.ask(t, http.StatusServiceUnavailable, http.MethodGet, "/stats", map[string]string{"Authorization": "Bearer operators-token-2"})
	header := s.ask(t, http.StatusServiceUnavailable, http.MethodGet, "/doctor.json", map[string]string{"Origin": "https://example.com"})
	require.Equal(t, "*", header.Get("Access-Control-Allow-Origin"), "a page can read the refusal")
	s.ask(t, http.StatusOK, http.MethodGet, "/doctor.json", map[string]string{"X-Forwarded-For": "192.0.2.1"})
	s.connect(t).hangUp()
}

func TestTheStreamsAndPollsUnderWayOfAnAddressAreLimited(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withRequests(4))
	var open []*peer
	for range 4 {
		open = append(open, s.connect(t))
	}
	status, problem := s.get(t, "/events/poll")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, problem["detail"], "streams and polls")
	refused := s.stream(t, http.MethodGet, "/events", map[string]string{"Accept": "text/event-stream"})
	require.Equal(t, http.StatusOK, refused.response.StatusCode, "an EventSource reconnects only after a 200")
	require.Equal(t, "at capacity", refused.next("disconnected").json["reason"])
	open[0].send(`{"type":"ping"}`)
	open[0].next("pong")
	open[0].hangUp()
	require.Eventually(t, func() bool { status, _ := s.get(t, "/events/poll?wait=0"); return status == http.StatusOK }, patience, time.Millisecond)
}

// Once, 8,000 clients promised bodies that they did not send, and the server waited 20 s
// for each.
func TestTheServerWaitsLessForTheBodiesOfACrowd(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{}, 100, withRequests(512), func(u *setup) {
		u.http = func(server *http.Server) { server.ReadTimeout, server.WriteTimeout = 24*time.Second, 24*time.Second }
	})
	p := s.connect(t)
	promised := fmt.Sprintf("POST /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n", p.token)
	var last net.Conn
	for range 512 {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, promised)
		require.NoError(t, err)
		last = c
	}
	require.NoError(t, last.SetDeadline(time.Now().Add(patience)))
	began := time.Now()
	_, err := bufio.NewReader(last).ReadByte()
	require.NoError(t, err, "the server answers that the body did not come")
	require.Less(t, time.Since(began), 12*time.Second, "with 512 requests, each has an eighth of 24 s")
}

// Up to 64 requests of an address have the whole time-out. In a crowd of 128 each has half
// of it, and so on. No request has less than the minimum, unless the time-out itself is
// less.
func TestACrowdHasLessTimeForBodiesAndAnswers(t *testing.T) {
	for count, want := range map[int]time.Duration{1: 30 * time.Second, 64: 30 * time.Second, 128: 15 * time.Second, 512: 3750 * time.Millisecond, 5000: 2 * time.Second} {
		require.Equal(t, want, httpapi.ShareOfTime(30*time.Second, count, 2*time.Second), count)
	}
	require.Equal(t, time.Second, httpapi.ShareOfTime(time.Second, 5000, 2*time.Second))
}

// guarded starts a server behind a guard.
func guarded(t *testing.T, o conns.Options) (*httptest.Server, *conns.Guard) {
	api := httpapitest.Run(t, signaling.Parts{
		Rooms: rooms.Options{Members: 100},
		API:   httpapi.Options{CORSOrigins: []string{"*"}, AdminToken: "operators-token-1", Environment: httpapi.Production},
	}).Handler()
	guard := conns.New(o)
	s := httptest.NewUnstartedServer(api)
	s.Listener = guard.Listen(s.Listener)
	s.Config.ConnState, s.Config.ConnContext = guard.ConnState, guard.ConnContext
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s, guard
}

// Once, 3,000 idle connections of one address took all file descriptors. Now, when all
// connections are in use, a few more are reserved for operators and probes.
func TestTheReserveAnswersOperatorsAndProbesOnly(t *testing.T) {
	s, guard := guarded(t, conns.Options{InAll: 4, Reserve: 4})
	for range 4 {
		stream := openRaw(t, s.Listener.Addr().String())
		stream.token(t)
	}
	ask := func(path, token string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.True(t, response.Close, "the connection closes, to free its place in the reserve")
		require.Eventually(t, func() bool { return guard.Counts().Reserve == 0 }, patience, 100*time.Microsecond)
		return response
	}
	for path, token := range map[string]string{"/livez": "", "/readyz": "", "/health": "", "/metrics": "operators-token-1", "/rooms": "operators-token-1"} {
		require.Equal(t, http.StatusOK, ask(path, token).StatusCode, path)
	}
	for path, token := range map[string]string{"/": "", "/events": "", "/rooms": "operators-token-2", "/connections": sse.NewToken().Secret()} {
		response := ask(path, token)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, path)
		require.NotEmpty(t, response.Header.Get("Retry-After"))
	}
	for range 100 { // a socket's token does not count as a guess of the operators' token
		ask("/", sse.NewToken().Secret())
	}
	require.Equal(t, http.StatusOK, ask("/rooms", "operators-token-1").StatusCode)
}

func BenchmarkAdmission(b *testing.B) {
	s := newServer(b, sse.Options{}, 100, withRequests(512))
	r := httptest.NewRequest(http.MethodGet, "/livez", nil)
	b.ReportAllocs()
	for b.Loop() {
		s.Config.Handler.ServeHTTP(discard{make(http.Header)}, r)
	}
}

// discard drops the answer.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
