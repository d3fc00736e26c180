package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// rawStream reads a stream as cheaply as possible, so that a benchmark measures the server
// and not its client.
type rawStream struct {
	connection net.Conn
	reader     *bufio.Reader
}

func openRaw(b testing.TB, address string) *rawStream {
	connection, err := net.Dial("tcp", address)
	require.NoError(b, err)
	b.Cleanup(func() { connection.Close() })
	_, err = io.WriteString(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
	require.NoError(b, err)
	return &rawStream{connection, newLineReader(connection)}
}

func newLineReader(connection net.Conn) *bufio.Reader { return bufio.NewReaderSize(connection, 4096) }

// data returns the next event's data.
func (s *rawStream) data(b testing.TB) []byte {
	for {
		line, err := s.reader.ReadSlice('\n')
		require.NoError(b, err)
		if data, found := bytes.CutPrefix(line, []byte("data: ")); found {
			return bytes.TrimSpace(data)
		}
	}
}

// token reads the stream's first event, and returns the token and the socket ID in it.
func (s *rawStream) token(b testing.TB) (token, socketID string) {
	text := string(s.data(b))
	_, rest, _ := strings.Cut(text, `"token":"`)
	_, id, _ := strings.Cut(text, `"socketId":"`)
	return rest[:22], id[:22]
}

// sender sends all its posts over one connection.
type sender struct {
	connection net.Conn
	reader     *bufio.Reader
}

func newSender(b testing.TB, address string) *sender {
	connection, err := net.Dial("tcp", address)
	require.NoError(b, err)
	b.Cleanup(func() { connection.Close() })
	return &sender{connection, bufio.NewReader(connection)}
}

func request(token, body string) []byte { return requestTo("/events", token, body) }

func requestTo(path, token, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, token, len(body), body)
}

func (s *sender) post(b testing.TB, request []byte) { s.postFor(b, request, http.StatusAccepted) }

func (s *sender) postFor(b testing.TB, request []byte, status int) {
	_, err := s.connection.Write(request)
	require.NoError(b, err)
	response, err := http.ReadResponse(s.reader, nil)
	require.NoError(b, err)
	text, _ := io.ReadAll(response.Body)
	require.Equal(b, status, response.StatusCode, string(text))
}

func offerTo(target string) string {
	return fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0\r\n%s"}}`, target, strings.Repeat("a=candidate:1 ", 80))
}

// relay measures how fast posts become events. It runs one pair for each element of the
// slices: post sends an event and waits for the answer, while next reads the event that
// arrives.
func relay(b *testing.B, post, next []func()) {
	b.ReportAllocs()
	var all sync.WaitGroup
	b.ResetTimer()
	for pair := range post {
		events := (b.N + pair) / len(post)
		all.Go(func() {
			for range events {
				post[pair]()
			}
		})
		all.Go(func() {
			for range events {
				next[pair]()
			}
		})
	}
	all.Wait()
}

// BenchmarkRelayOffer has the server and its clients in one process. So it shows what a
// change does to allocations and time, but not what the server costs by itself: make bench
// measures that.
func BenchmarkRelayOffer(b *testing.B) {
	for _, pairs := range []int{1, 8} {
		b.Run(fmt.Sprint("pairs=", pairs), func(b *testing.B) { relayServer(b, pairs) })
	}
}

func relayServer(b *testing.B, pairs int) {
	address := newServer(b, sse.Options{}, 1000).Listener.Addr().String()
	var post, next []func()
	for pair := range pairs {
		onePost, oneNext := newCall(b, address, fmt.Sprint("room ", pair))
		post, next = append(post, onePost), append(next, oneNext)
	}
	relay(b, post, next)
}

// newCall joins a caller and a callee to a room. The function post sends an offer as the
// caller, and next reads an offer from the callee's stream.
func newCall(b *testing.B, address, room string) (post, next func()) {
	caller, callee := openRaw(b, address), openRaw(b, address)
	callerToken, _ := caller.token(b)
	calleeToken, calleeID := callee.token(b)
	from := newSender(b, address)
	join := fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":"u"}`, room)
	from.post(b, request(calleeToken, join))
	from.post(b, request(callerToken, join))
	for !bytes.Contains(callee.data(b), []byte("user-connected")) {
	}
	offer := request(callerToken, offerTo(calleeID))
	post = func() { from.post(b, offer) }
	next = func() {
		for !bytes.HasPrefix(callee.data(b), []byte(`{"type":"offer"`)) {
		}
	}
	return post, next
}
