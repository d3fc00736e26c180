package httpapi_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// net/http keeps buffers of 10 KB for an answer. If anything of a parked stream referred to
// its answer, all of that would stay in memory.
func TestAParkedStreamKeepsNothingOfItsAnswer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections are parked on Linux only")
	}
	_, tracing := traced()
	for name, of := range map[string]struct {
		level slog.Level
		setup func(*setup)
	}{
		"usual log":              {slog.LevelInfo, func(*setup) {}},
		"each request is logged": {slog.LevelDebug, func(*setup) {}},
		"each request is traced": {slog.LevelInfo, tracing},
	} {
		t.Run(name, func(t *testing.T) {
			level := of.level
			freed := make(chan string, 2)
			log := new(logbook)
			options := sse.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))}
			s := newServer(t, options, 100, unheard, of.setup, func(u *setup) {
				u.http = func(server *http.Server) {
					api := server.Handler
					server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						answer, request := &wrapped{w}, r.Clone(r.Context())
						runtime.AddCleanup(answer, func(what string) { freed <- what }, "answer")
						if level > slog.LevelDebug {
							runtime.AddCleanup(request, func(what string) { freed <- what }, "request")
						}
						api.ServeHTTP(answer, request)
					})
				}
			})
			connection, err := net.Dial("tcp", s.Listener.Addr().String())
			require.NoError(t, err)
			defer connection.Close()
			require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
			_, err = io.WriteString(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			require.NoError(t, err)
			require.True(t, response.Close, "it is parked")

			want := 1
			if level > slog.LevelDebug {
				want = 2
			}
			require.Eventually(t, func() bool { runtime.GC(); return len(freed) == want }, patience, time.Millisecond)
			_, err = response.Body.Read(make([]byte, 1))
			require.NoError(t, err, "the stream goes on")
			require.NotContains(t, log.String(), "path=/events")

			connection.Close()
			if level == slog.LevelDebug { // the request ends with its stream
				require.Eventually(t, func() bool { return strings.Contains(log.String(), "path=/events") }, patience, time.Millisecond)
				require.Regexp(t, `status=200 bytes=[1-9]\d\d+ took=`, log.String())
			}
		})
	}
}

// wrapped is the answer of a middleware.
type wrapped struct{ http.ResponseWriter }

// Unwrap is for [http.ResponseController].
func (w *wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }
