package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
	"signaling-server/internal/ssetest"
	"signaling-server/server"
	"signaling-server/sse"
)

// guarded serves a server with a guard on a loopback port. The handler may be wrapped.
func guarded(t *testing.T, wrap func(http.Handler) http.Handler) (*server.Server, *httptest.Server) {
	s, err := server.New(server.Options{HeartbeatInterval: time.Hour}) // none comes between a test's events
	require.NoError(t, err)
	guard := s.Guard(conns.Options{})
	run(t, s)
	web := httptest.NewUnstartedServer(wrap(s.Handler()))
	web.Listener = guard.Listen(web.Listener)
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	serve(t, web)
	return s, web
}

// rawStream is a stream that a test reads from its connection.
type rawStream struct {
	net.Conn
	response *http.Response
	events   *ssetest.Reader
	id       string // of the socket
}

// openStream opens a stream. Its connection is parked or not, as the test says.
func openStream(t *testing.T, web *httptest.Server, mustBeParked bool) *rawStream {
	t.Helper()
	for {
		connection, err := net.Dial("tcp", web.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { connection.Close() })
		require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		if mustBeParked && !response.Close { // the guard does not run yet
			connection.Close()
			continue
		}
		require.Equal(t, mustBeParked, response.Close)
		s := &rawStream{connection, response, ssetest.NewReader(response.Body), ""}
		hello, err := s.events.Next()
		require.NoError(t, err)
		_, s.id, _ = strings.Cut(hello.Data, `"socketId":"`)
		s.id, _, _ = strings.Cut(s.id, `"`)
		_, err = s.events.Next()
		require.NoError(t, err)
		return s
	}
}

// onlyLinux skips a test on systems on which no connection is parked.
func onlyLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections are parked on Linux only")
	}
}

// shared is an event in pieces that many sockets share.
type shared struct{ pieces [][]byte }

// Len implements [sse.Data].
func (s shared) Len() (length int) {
	for _, piece := range s.pieces {
		length += len(piece)
	}
	return length
}

// Held implements [sse.Data].
func (shared) Held() int { return 100 }

// WriteTo implements [sse.Data].
func (s shared) WriteTo(w io.Writer) (written int64, err error) {
	for _, piece := range s.pieces {
		n, err := w.Write(piece)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func newShared(size int) shared {
	s := shared{[][]byte{[]byte(`{"type":"signal","data":"`)}}
	for n := 0; n < size; n += 1000 {
		s.pieces = append(s.pieces, fmt.Appendf(nil, "%01000d", n))
	}
	s.pieces = append(s.pieces, []byte(`"}`))
	return s
}

// A client stops reading until all buffers on the way are full, and then reads on.
func TestALargeEventArrivesOnceAndInOrderAfterAStall(t *testing.T) {
	onlyLinux(t)
	s, web := guarded(t, func(h http.Handler) http.Handler { return h })
	c := openStream(t, web, true)
	const events = 8
	for n := range events {
		require.NoError(t, s.Hub().DeliverMessage(c.id, sse.Message{Kind: "signal", Data: newShared((n%2 + 1) * 1_000_000)}))
		s.Hub().Flush()
	}
	time.Sleep(100 * time.Millisecond)
	for n := range events {
		e, err := c.events.Next()
		require.NoError(t, err)
		var want bytes.Buffer
		_, _ = newShared((n%2 + 1) * 1_000_000).WriteTo(&want)
		require.True(t, want.String() == e.Data, "event %d", n)
		require.True(t, strings.HasSuffix(e.ID, fmt.Sprint(".", n+1)), e.ID)
	}
	require.True(t, s.Hub().Kick(c.id, "enough"))
	last, err := c.events.Next()
	require.NoError(t, err)
	require.Contains(t, last.Data, "enough")
	_, err = c.events.Next()
	require.ErrorIs(t, err, io.EOF, "the response has its end")
}

// A program may wrap the answer in a type of its own.
func TestStreamsWorkWithinAnyMiddleware(t *testing.T) {
	onlyLinux(t)
	for name, c := range map[string]struct {
		wrap     func(http.ResponseWriter) http.ResponseWriter
		isParked bool
	}{
		"that hides everything but Flush and deadlines": {func(w http.ResponseWriter) http.ResponseWriter { return streaming{w} }, false},
		"that has Unwrap": {func(w http.ResponseWriter) http.ResponseWriter { return unwrapping{w} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, web := guarded(t, func(h http.Handler) http.Handler {
				own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Program", "own")
					h.ServeHTTP(c.wrap(w), r)
				})
				return prefixed(http.StripPrefix("/below", own))
			})
			stream := openStream(t, web, c.isParked)
			require.Equal(t, "own", stream.response.Header.Get("X-Program"))
			require.NoError(t, s.Hub().Deliver(stream.id, "signal", []byte(`{"type":"signal"}`)))
			e, err := stream.events.Next()
			require.NoError(t, err)
			require.Equal(t, "signal", e.Type)
		})
	}
}

// prefixed sends all requests below a path.
func prefixed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/below" + r.URL.Path
		h.ServeHTTP(w, r)
	})
}

type streaming struct{ w http.ResponseWriter }

func (s streaming) Header() http.Header            { return s.w.Header() }
func (s streaming) Write(text []byte) (int, error) { return s.w.Write(text) }
func (s streaming) WriteHeader(status int)         { s.w.WriteHeader(status) }
func (s streaming) Flush()                         { s.w.(http.Flusher).Flush() }
func (s streaming) SetWriteDeadline(at time.Time) error {
	return http.NewResponseController(s.w).SetWriteDeadline(at)
}

type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }
