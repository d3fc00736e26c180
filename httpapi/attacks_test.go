package httpapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/clientip"
	"signaling-server/limits"
	"signaling-server/sse"
)

// Each test is an attack. SECURITY.md lists them.

// victims joins two members to a room. They must not notice the attack.
func victims(t *testing.T, s *server) (a, b *peer) {
	a, b = s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	return a, b
}

// raw sends bytes over a new connection, and returns all bytes of the answer.
func (s *server) raw(t *testing.T, text string) string {
	t.Helper()
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(connection, text)
	require.NoError(t, err)
	answer, _ := io.ReadAll(connection) // an error may be the server's reset
	return string(answer)
}

// All members of a room know a socket's ID. With the token behind it they could read and
// send as that socket. The ID is the hash of the token, so the token cannot be computed from
// the ID. A client that guesses has 2^128 tokens to try.
func TestAttackForgingATokenFromWhatPeersKnow(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := victims(t, s)
	digest := sha256.Sum256([]byte(a.socketID))
	forgeries := []string{
		a.socketID, base64.RawURLEncoding.EncodeToString(digest[:16]), strings.ToLower(b.token), b.token[:21], b.token + "A", b.token + "=", "null", "", "Bearer",
		b.token[:21] + string(rune(b.token[21]+1)), // differs only in the bits after the last whole byte: a token must have one spelling
	}
	for range 100 {
		guess := make([]byte, 16)
		for i := range guess {
			guess[i] = byte(rand.Uint32())
		}
		forgeries = append(forgeries, base64.RawURLEncoding.EncodeToString(guess))
	}
	for _, forgery := range forgeries {
		status, problem := s.post(t, forgery, `{"type":"disconnect"}`)
		require.Equal(t, http.StatusUnauthorized, status, forgery)
		require.Equal(t, "/problems/unknown-session", problem["type"])
		stranger := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": forgery + ".0"})
		require.Equal(t, false, stranger.next("connected").json["resumed"], "a new socket, not an existing one")
		stranger.hangUp()
	}
	a.quiet()
	b.quiet()
}

// A token comes from the operating system's random generator. A client that collects its
// own tokens could predict others if they were counted or made from the time. Then some
// bits would be the same in all tokens.
func TestAttackPredictingTokensFromOnesOwn(t *testing.T) {
	seen := make(map[string]bool)
	var ones [128]int
	const many = 4096
	for range many {
		token, err := base64.RawURLEncoding.DecodeString(sse.NewToken().Secret())
		require.NoError(t, err)
		require.Len(t, token, 16)
		seen[string(token)] = true
		for i := range ones {
			ones[i] += int(token[i/8] >> (i % 8) & 1)
		}
	}
	require.Len(t, seen, many)
	for bit, count := range ones { // 8 standard deviations: exceeded by chance once in 10^13 runs
		require.InDelta(t, many/2, count, 8*32, "bit %d", bit)
	}
}

// An event's id resumes its socket. So the events that a client receives must not contain
// the token of another socket. Nor may a client resume another socket by an id that it
// puts together from its own token or a socket ID and the number of an event.
func TestAttackReplayingAnothersEventID(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := victims(t, s)
	a.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":"for Bob alone"}`, b.socketID))
	received := b.next("signal")
	require.NotContains(t, received.data, b.token)
	require.NotContains(t, received.data+received.id, a.token, "an event does not contain its sender's token")

	stranger := s.connect(t)
	_, sequence, _ := strings.Cut(received.id, ".")
	for _, id := range []string{stranger.token + "." + sequence, b.socketID + "." + sequence, a.socketID + ".0", "." + sequence} {
		thief := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": id})
		thief.token = thief.next("connected").json["token"].(string)
		thief.next("heartbeat")
		thief.quiet()
	}
	// A token beside an id of another socket resumes neither of the two.
	mixed := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": received.id, "Authorization": "Bearer " + stranger.token})
	require.Equal(t, false, mixed.next("connected").json["resumed"])
	b.quiet()
}

// A socket can send to its own room only. The answer is the same for a target in another
// room and for a target that does not exist, so a client cannot probe for sockets.
func TestAttackInjectingIntoAnotherRoom(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, _ := victims(t, s)
	outside := s.join(t, "another", "Eve")
	elsewhere := outside.refuse(http.StatusNotFound, "target-not-found", fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"x"}}`, a.socketID))
	nowhere := outside.refuse(http.StatusNotFound, "target-not-found", fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"x"}}`, sse.NewToken().SocketID()))
	require.Equal(t, nowhere, elsewhere)
	outside.send(`{"type":"signal","data":"to all"}`)
	outside.send(`{"type":"send-message","message":"to all"}`)
	outside.refuse(http.StatusUnprocessableEntity, "validation-failed", `{"type":"send-message","message":"x","roomId":"room"}`)
	a.quiet()
}

// The server sets "from" to the sender of an event. A "from" that the sender wrote itself
// must not reach a receiver, however it is spelled.
func TestAttackSpeakingInAnothersName(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := victims(t, s)
	eve := s.join(t, "room", "Eve")
	a.next("user-connected")
	b.next("user-connected")
	for _, lie := range []string{`"from":%q`, `"from":{},"from":%q`, `"\u0066rom":%q`} {
		eve.send(fmt.Sprintf(`{"type":"offer","target":%q,`+lie+`,"offer":{"type":"offer","sdp":"x"}}`, b.socketID, a.socketID))
		offer := b.next("offer")
		require.Equal(t, eve.socketID, offer.json["from"])
		require.Equal(t, 1, strings.Count(offer.data, `rom"`), offer.data)
	}
	for _, lookalike := range []string{"From", "FROM", "fRoM"} {
		eve.refuse(http.StatusUnprocessableEntity, "validation-failed",
			fmt.Sprintf(`{"type":"offer","target":%q,%q:%q,"offer":{"type":"offer","sdp":"x"}}`, b.socketID, lookalike, a.socketID))
	}
	a.quiet()
}

// A line end within an event would let its sender write fields or events into the
// receiver's stream: another id, another type, a "disconnected".
func TestAttackInjectingEventsThroughNamesAndMetadata(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := victims(t, s)
	eve := s.connect(t)
	for _, end := range []string{"\n", "\r", "\r\n", "\u2028", "\u2029", "\u0085", "\x00", "\u202e"} {
		name, err := json.Marshal("x" + end + end + "event: disconnected" + end + `data: {}` + end + end)
		require.NoError(t, err)
		for _, event := range []string{`{"type":"join-room","roomId":%s,"userId":"Eve"}`, `{"type":"join-room","roomId":"room","userId":%s}`} {
			eve.refuse(http.StatusUnprocessableEntity, "validation-failed", fmt.Sprintf(event, name))
		}
	}
	payload := `{"a":"\n\nevent: disconnected\ndata: {}\n\n","b\r\n":"\r\nid: 7\r\n\r\n"}`
	eve.send(`{"type":"join-room","roomId":"room","userId":"Eve","metadata":` + payload + `}`)
	eve.next("room-joined")
	eve.send(`{"type":"signal","data":` + payload + `}`)
	eve.send(`{"type":"send-message","message":"one\n\nevent: disconnected\ndata: {}\n\n"}`)
	for _, p := range []*peer{a, b} {
		require.Equal(t, "Eve", p.next("user-connected").json["userId"])
		require.Contains(t, p.next("signal").data, payload, "unchanged, on one line")
		require.Contains(t, p.next("new-message").json["message"], "event: disconnected")
		p.quiet()
	}
}

// The Link header of a page of /rooms contains the name of a room.
func TestAttackInjectingHeadersThroughNames(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for n := range 3 {
		s.join(t, fmt.Sprintf(`room%d>; rel="next", <https://evil.example/`, n), "Eve")
	}
	response, err := s.Client().Get(s.URL + "/rooms?limit=1")
	require.NoError(t, err)
	response.Body.Close()
	require.Regexp(t, `^</rooms\?cursor=[A-Za-z0-9_%-]+&limit=1>; rel="next"$`, response.Header.Get("Link"))
	answer := s.raw(t, "GET /demo?x=%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	require.NotContains(t, answer, "\nSet-Cookie")
}

// Small JSON that is expensive to read, here or at the receivers.
func TestAttackJSONBombs(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, unheard)
	a, b := victims(t, s)
	members := new(strings.Builder)
	for n := range 6000 {
		fmt.Fprintf(members, `,"m%d":1`, n)
	}
	for body, want := range map[string]int{
		`{"type":"signal","data":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`:           http.StatusBadRequest,
		`{"type":"signal","data":` + strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000) + `}`: http.StatusBadRequest,
		`{"type":"signal","data":1e` + strings.Repeat("9", 60_000) + `}`:                                       http.StatusAccepted, // relayed as text: the server does not compute the number
		`{"type":"ping"` + members.String() + `}`:                                                              http.StatusUnprocessableEntity,
		`{"type":"signal","data":"` + strings.Repeat(`\u0041`, 10_000) + `"}`:                                  http.StatusAccepted,
		`{"type":"signal","data":"` + strings.Repeat(`\ud800`, 10_000) + `"}`:                                  http.StatusAccepted, // halves of surrogate pairs
	} {
		status, _ := s.post(t, a.token, body)
		require.Equal(t, want, status, body[:min(len(body), 60)])
		if status == http.StatusAccepted {
			b.next("signal")
		}
	}
	b.quiet()
}

// A small compressed body that unpacks to gigabytes. The server never unpacks a body.
func TestAttackCompressionBombs(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, _ := victims(t, s)
	var bomb bytes.Buffer
	compressor := gzip.NewWriter(&bomb)
	_, err := compressor.Write(make([]byte, 16<<20))
	require.NoError(t, err)
	require.NoError(t, compressor.Close())
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "gzip, gzip", "identity"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", bytes.NewReader(bomb.Bytes()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("Authorization", "Bearer "+a.token)
		status, problem := s.do(t, r)
		require.Equal(t, http.StatusUnsupportedMediaType, status)
		require.Equal(t, "/problems/unsupported-media-type", problem["type"])
	}
}

// Connections that stay open because their clients send very slowly (slowloris), in the
// header or in the body. The server ends each in time, and answers others meanwhile.
func TestAttackSlowloris(t *testing.T) {
	t.Parallel() // this test mostly waits
	s := newServer(t, sse.Options{}, 100, func(u *setup) {
		u.http = func(h *http.Server) { h.ReadHeaderTimeout, h.ReadTimeout = time.Second, 2*time.Second }
	})
	a, b := victims(t, s)
	var slow sync.WaitGroup
	for _, start := range []string{
		"GET /events HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + a.token + "\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
		"POST /events/stream?lastEventId HTTP/1.1\r\nHost: x\r\nContent-Le",
		"POST /events/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
		"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n",
	} {
		for range 50 {
			slow.Go(func() {
				connection, err := net.Dial("tcp", s.Listener.Addr().String())
				require.NoError(t, err)
				defer connection.Close()
				require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
				fmt.Fprint(connection, start)
				dripping := make(chan struct{})
				go func() { // ends with the connection
					defer close(dripping)
					for _, err := io.WriteString(connection, "x"); err == nil; _, err = io.WriteString(connection, "x") {
						time.Sleep(20 * time.Millisecond)
					}
				}()
				_, err = io.Copy(io.Discard, connection)
				if failed, ok := err.(net.Error); ok {
					require.False(t, failed.Timeout(), "the server still waits for the rest of %q", start)
				}
				connection.Close()
				<-dripping
			})
		}
	}
	for n := range 50 {
		a.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":%d}`, b.socketID, n))
		require.EqualValues(t, n, b.next("signal").json["data"])
	}
	slow.Wait()
	b.quiet()
}

// One address that tries to take all streams of the server.
func TestAttackAThousandStreamsFromOneAddress(t *testing.T) {
	s := newServer(t, sse.Options{MaxSocketsPerNetwork: 100, ResumeWindow: time.Second}, 100)
	var greedy []*peer
	refused := 0
	for range 1000 {
		p := s.stream(t, http.MethodGet, "/events", nil)
		if first := <-p.events; first.kind == "disconnected" {
			require.Equal(t, "at capacity", first.json["reason"])
			refused++
			continue
		}
		greedy = append(greedy, p)
	}
	require.Len(t, greedy, 100)
	require.Equal(t, 900, refused)

	// Behind a trusted proxy each client counts by its own address, so others come in.
	open := newServer(t, sse.Options{MaxSocketsPerNetwork: 1}, 100, behindALoopbackProxy)
	for n := range 20 {
		p := open.stream(t, http.MethodGet, "/events", map[string]string{"X-Forwarded-For": fmt.Sprintf("192.0.2.%d", n)})
		p.next("connected")
	}
	again := open.stream(t, http.MethodGet, "/events", map[string]string{"X-Forwarded-For": "192.0.2.7"})
	require.Equal(t, "at capacity", again.next("disconnected").json["reason"])
	for _, p := range greedy[:1] {
		p.hangUp()
	}
	require.Eventually(t, func() bool {
		p := s.stream(t, http.MethodGet, "/events", nil)
		defer p.hangUp()
		return (<-p.events).kind == "connected"
	}, patience, 20*time.Millisecond, "a socket that ended frees its place")
}

func behindALoopbackProxy(u *setup) {
	u.API.TrustedProxies = clientip.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
}

// Headers that name another address in each request. The client hopes never to reach its
// own limit, or to use up the limit of another address.
func TestAttackSpoofingAnAddress(t *testing.T) {
	once := limits.Options{PerAddress: limits.Rates{Opens: 1}}
	forward := func(n int) map[string]string {
		return map[string]string{"Accept": "*/*", "X-Forwarded-For": fmt.Sprintf("198.51.100.%d, 203.0.113.5", n), "X-Real-IP": fmt.Sprintf("198.51.100.%d", n), "True-Client-IP": "1.2.3.4"}
	}
	for name, others := range map[string][]func(*setup){
		"no proxy is trusted":                           {limitedTo(once)},
		"a trusted proxy adds to what the client wrote": {limitedTo(once), behindALoopbackProxy},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{}, 100, others...)
			asked, refused := 0, 0
			for ; asked < 5; asked++ {
				s.ask(t, http.StatusOK, http.MethodGet, "/events/poll?wait=0", forward(asked))
			}
			for ; refused < 5; asked++ { // on a busy machine, the bucket refills between two requests
				require.Less(t, asked, 250, "each forged address has a bucket of its own")
				if status, _ := s.try(t, http.MethodGet, "/events/poll?wait=0", forward(asked)); status == http.StatusTooManyRequests {
					refused++
				}
			}
		})
	}
}

// Paths that lead out of the folders of the pages, in all spellings.
func TestAttackPathTraversal(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, path := range []string{
		"/../../../../etc/passwd", "/demo/../../../../etc/passwd", "/demo/..%2f..%2f..%2fetc/passwd", "/demo/%2e%2e/%2e%2e/etc/passwd", "/assets/..%5c..%5cstatic.go",
		"/demo/....//....//etc/passwd", "//etc/passwd", "/demo//etc/passwd", "/demo/%00", "/demo/index.html%00.js", "/assets/../client/package.json", "/assets/%2e%2e/index.html",
		"/dashboard/..;/..;/etc/passwd", "/problems/..%2f..%2fopenapi.yaml", "/rooms/..%2f..%2fetc%2fpasswd", "/client.js/../../go.mod", "/static.go", "/assets/.", "/demo/./demo.js/",
	} {
		answer := s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		require.Regexp(t, `^HTTP/1\.1 (404|400) `, answer, path)
		require.NotContains(t, answer, "root:")
	}
}

// A proxy and the server may disagree about the end of one of these requests. Then the
// server may take the rest of a body for the request of another client, or the proxy may
// (RFC 9112, 11.2).
func TestAttackRequestSmuggling(t *testing.T) {
	s := newServer(t, sse.Options{HeartbeatInterval: time.Second}, 100) // a heartbeat shows a stream that its client is gone
	a, b := victims(t, s)
	smuggled := "POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + a.token + "\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n" + `{"type":"signal","data":1}`
	head := "POST /events/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for _, request := range []string{
		head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nxxxx" + smuggled,
		head + "Content-Length: 4, 5\r\n\r\nxxxx" + smuggled,
		head + "Content-Length: +4\r\n\r\nxxxx" + smuggled,
		head + "Content-Length: 0x4\r\n\r\nxxxx" + smuggled,
		head + "Content-Length : 4\r\n\r\nxxxx" + smuggled,
		head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: chunked\r\n\r\n4;\n\r\nxxxx\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n0\r\n\r\n" + smuggled,
		head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n" + smuggled,
		"POST /events/stream HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n" + smuggled,
		"POST /events/stream HTTP/1.1\nHost: x\nContent-Length: 4\nX: \rTransfer-Encoding: chunked\n\nxxxx" + smuggled,
		"POST /events/stream HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"POST http://evil.example/events/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n" + smuggled,
	} {
		connection, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(connection, request)
		require.NoError(t, err)
		// However the server reads the first request, it answers no other on this connection.
		status, err := bufio.NewReader(connection).ReadString('\n')
		if err == nil {
			require.Regexp(t, `^HTTP/1\.[01] (200|4\d\d|501) `, status, "%q", request)
		}
		require.NoError(t, connection.Close())
	}
	b.quiet() // nothing was sent in Ada's name
}

// A client that measures how long the refusal of a token takes must not learn how much of
// the token is right. The server keeps only the token's hash, and compares hashes in
// constant time.
func TestAttackTimingTheComparisonOfSecrets(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	api := reflect.ValueOf(s.Config.Handler).Elem()
	require.NotContains(t, fmt.Sprintf("%+v", api.FieldByName("gate")), adminToken)
	require.Contains(t, fmt.Sprintf("%+v", api.FieldByName("gate")), strings.Trim(fmt.Sprint(sha256.Sum256([]byte(adminToken))), "[]"))
	for _, token := range []string{adminToken[:len(adminToken)-1], adminToken + "x", strings.ToUpper(adminToken), "", " "} {
		require.Equal(t, http.StatusUnauthorized, s.tryToken(t, operations[0], token), token)
	}
	require.Equal(t, http.StatusOK, s.tryToken(t, operations[0], adminToken))
}

// A client that guesses the operators' token is stopped long before it could succeed.
// While it is stopped, a right guess gets the same answer as a wrong one.
func TestAttackGuessingTheOperatorsToken(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	isStopped := func(guess string) bool { return s.tryToken(t, operations[0], guess) == http.StatusTooManyRequests }
	heard, began := 0.0, time.Now()
	for n := range 40 {
		if !isStopped(fmt.Sprint("guess ", n)) {
			heard++
		}
	}
	require.LessOrEqual(t, heard, 11+2*time.Since(began).Seconds(), "a burst of 10, and then 2 guesses in a second")
	eventually(t, func() bool { return isStopped("guess") && isStopped(adminToken) })
}

// A text that an operator or a client writes must not start a new line in the log. slog
// quotes the values that it writes, which TestALogLineCannotBeForged checks.
func TestAttackLogInjection(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	p := s.connect(t)
	s.operate(t, http.StatusUnprocessableEntity, http.MethodDelete, "/connections/"+p.socketID+"?reason=%0Alevel%3DERROR%20msg%3Dforged", "")
	p.refuse(http.StatusUnprocessableEntity, "validation-failed", `{"type":"join-room","roomId":"a\nlevel=ERROR msg=forged","userId":"u"}`)
	answer := s.raw(t, "GET /events HTTP/1.1\r\nHost: x\r\nUser-Agent: a\x1b[31m\r\nConnection: close\r\n\r\n")
	require.Regexp(t, `^HTTP/1\.1 400 `, answer, "net/http refuses control characters in headers")
	p.quiet()
}
