package httpapi_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// burst is how many events a client missed.
const burst = 100

// BenchmarkResume measures what it costs to resume a stream and receive the events that were
// missed. For comparison it measures the same events when they are sent the first time.
func BenchmarkResume(b *testing.B) {
	event := []byte(offerTo(strings.Repeat("x", 22)))
	for _, way := range []string{"first time", "resume"} {
		b.Run(strings.ReplaceAll(way, " ", "-"), func(b *testing.B) {
			s := newServer(b, sse.Options{}, 10)
			address := s.Listener.Addr().String()
			stream := openRaw(b, address)
			token, socketID := stream.token(b)
			stream.data(b) // the heartbeat
			deliver := func() {
				for range burst {
					require.NoError(b, s.hub.Deliver(socketID, "offer", event))
				}
			}
			b.ReportAllocs()
			if way == "first time" {
				for b.Loop() {
					deliver()
					stream.read(b, burst)
				}
				return
			}
			deliver()
			stream.read(b, burst)
			for b.Loop() {
				stream.connection.Close()
				stream = resumeRaw(b, address, token+".0")
				stream.read(b, 2+burst)
			}
		})
	}
}

// read reads a number of events, and drops them.
func (s *rawStream) read(b testing.TB, events int) {
	for range events {
		s.data(b)
	}
}

// resumeRaw resumes a stream after an event's id.
func resumeRaw(b testing.TB, address, lastEventID string) *rawStream {
	connection, err := net.Dial("tcp", address)
	require.NoError(b, err)
	_, err = fmt.Fprintf(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: %s\r\n\r\n", lastEventID)
	require.NoError(b, err)
	return &rawStream{connection, newLineReader(connection)}
}

// BenchmarkCandidates measures what twenty candidates cost as twenty POSTs and as one batch.
// If the target is away, that is the cost of the POSTs alone. If the target reads, the cost
// includes the time until the last candidate has arrived.
func BenchmarkCandidates(b *testing.B) {
	const candidates = 20
	for _, target := range []string{"away", "reading"} {
		for _, way := range []string{"single", "batch"} {
			b.Run(target+"/"+way, func(b *testing.B) {
				endless := sse.OutboxLimits{UnsentEvents: math.MaxInt, UnsentBytes: math.MaxInt, RetainedEvents: 4096, RetainedBytes: 1 << 20}
				s := newServer(b, sse.Options{Outbox: endless, ResumeWindow: time.Hour}, 10)
				address := s.Listener.Addr().String()
				caller, callee := openRaw(b, address), openRaw(b, address)
				callerToken, _ := caller.token(b)
				calleeToken, calleeID := callee.token(b)
				from := newSender(b, address)
				for _, token := range []string{callerToken, calleeToken} {
					from.post(b, request(token, `{"type":"join-room","roomId":"room","userId":"u"}`))
				}
				callee.until(b, "room-joined")
				if target == "away" {
					callee.connection.Close()
				}
				one := fmt.Sprintf(`{"type":"ice-candidate","target":%q,"candidate":{"candidate":"candidate:842163049 1 udp 1677729535 192.0.2.1 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0 ufrag EsAw network-cost 999","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}}`, calleeID)
				single := request(callerToken, one)
				batch := requestTo("/events/batch", callerToken, `{"events":[`+strings.Repeat(one+",", candidates-1)+one+`]}`)
				b.ReportAllocs()
				for b.Loop() {
					if way == "batch" {
						from.postFor(b, batch, http.StatusOK)
					} else {
						for range candidates {
							from.post(b, single)
						}
					}
					if target == "reading" {
						callee.read(b, candidates)
					}
				}
			})
		}
	}
}

// until reads events up to the first event of a type.
func (s *rawStream) until(b testing.TB, kind string) {
	for !strings.HasPrefix(string(s.data(b)), `{"type":"`+kind+`"`) {
	}
}

// BenchmarkPoll measures what it costs to receive an event by long polling, for comparison
// with a stream. Each event has a poll of its own.
func BenchmarkPoll(b *testing.B) {
	s := newServer(b, sse.Options{}, 10)
	address := s.Listener.Addr().String()
	connection, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer connection.Close()
	reader := newLineReader(connection)
	poll := func(token string, after int) string {
		_, err := fmt.Fprintf(connection, "GET /events/poll?after=%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n", after, token)
		require.NoError(b, err)
		response, err := http.ReadResponse(reader, nil)
		require.NoError(b, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(b, err)
		require.Equal(b, http.StatusOK, response.StatusCode)
		return string(text)
	}
	_, rest, _ := strings.Cut(poll("", 0), `"token":"`)
	token := rest[:22]
	parsed, _ := sse.ParseToken(token)
	event := []byte(offerTo(strings.Repeat("x", 22)))
	authorization := "Authorization: Bearer " + token + "\r\n"
	b.ReportAllocs()
	for after := 0; b.Loop(); after++ {
		require.NoError(b, s.hub.Deliver(parsed.SocketID(), "offer", event))
		poll(authorization, after)
	}
}
