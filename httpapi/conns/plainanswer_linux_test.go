package conns_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
)

// newPlain returns a server whose guard answers POSTs to / itself, and counts the connections
// that net/http gets.
func newPlain(t *testing.T, o conns.Options, handler http.HandlerFunc, others ...func(*httptest.Server)) *server {
	return watches(t, newServer(t, o, append([]func(*httptest.Server){func(h *httptest.Server) {
		h.Config.Handler = handler
	}}, others...)...))
}

// newBare is newPlain, but net/http answers all requests.
func newBare(t *testing.T, o conns.Options, handler http.HandlerFunc) *server {
	return watches(t, newServerOn(t, o, func(h *httptest.Server, guard *conns.Guard) {
		h.Config.Handler = handler
		h.Listener = guard.Listen(h.Listener)
	}))
}

var dateField = regexp.MustCompile(`(?m)^Date: (.*)\r$`)

// allAnswers sends a text and then ends the client's side. It returns all that is answered, with
// a fixed date.
func (s *server) allAnswers(t *testing.T, text string) string {
	t.Helper()
	c := s.dial(t, here)
	c.say(t, text)
	require.NoError(t, halfClose(c))
	answers, err := io.ReadAll(c.reader)
	require.NoError(t, err)
	return dateField.ReplaceAllStringFunc(string(answers), func(field string) string {
		at, err := http.ParseTime(dateField.FindStringSubmatch(field)[1])
		if err != nil || time.Since(at).Abs() > patience {
			return field
		}
		return "Date: now\r"
	})
}

func halfClose(c *client) error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func TestAnAnswerHasTheBytesOfNetHTTP(t *testing.T) {
	say := func(status int, fields http.Header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range fields {
				w.Header()[name] = values
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"nothing":             func(http.ResponseWriter, *http.Request) {},
		"202":                 say(202, http.Header{"Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"}, "Vary": {"Origin"}}, "{}"),
		"200":                 say(200, http.Header{"Content-Type": {"text/plain"}}, strings.Repeat("x", 2000)),
		"204":                 say(204, http.Header{"Content-Length": {"3"}, "X": {"a"}}, ""),
		"204 with a body":     say(204, nil, "abc"),
		"304":                 say(304, http.Header{"Etag": {`"a"`}}, "abc"),
		"401":                 say(401, http.Header{"Content-Type": {"application/problem+json"}, "Www-Authenticate": {"Bearer"}}, `{"type":"/problems/x"}`+"\n"),
		"429":                 say(429, http.Header{"Retry-After": {"1"}, "Content-Type": {"a/b"}}, "slow down"),
		"503":                 say(503, http.Header{"Connection": {"close"}, "Content-Type": {"a/b"}}, "full"),
		"an unknown status":   say(599, nil, "x"),
		"a guessed type":      say(200, nil, "<!DOCTYPE html><p>"),
		"no type":             say(200, http.Header{"Content-Type": nil}, "<p>"),
		"an encoding":         say(200, http.Header{"Content-Encoding": {"br"}}, "<p>"),
		"an empty encoding":   say(200, http.Header{"Content-Encoding": {""}}, "<p>"),
		"a date":              say(200, http.Header{"Date": {"yesterday"}}, "x"),
		"no date":             say(200, http.Header{"Date": nil}, "x"),
		"a name twice":        say(200, http.Header{"X": {"a", "b"}, "Y": {}}, "x"),
		"a name out of order": say(200, http.Header{"x-small": {"a"}, "Z": {"c"}, "A": {"b"}}, "x"),
		"line ends in values": say(200, http.Header{"X": {"a\r\nY: b", " c "}}, "x"),
		"a malformed name":    say(200, http.Header{"X Y": {"a"}, "Z\r\n": {"b"}}, "x"),
		"its length":          say(200, http.Header{"Content-Length": {"3"}, "X": {"a"}}, "abc"),
		"too little":          say(200, http.Header{"Content-Length": {"4"}}, "abc"),
		"too much":            say(200, http.Header{"Content-Length": {"2"}}, "abc"),
		"keep-alive":          say(200, http.Header{"Connection": {"keep-alive"}}, "abc"),
		"two statuses":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); w.WriteHeader(500) },
		"a field too late": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", "a")
			w.WriteHeader(200)
			w.Header().Set("X", "b")
			w.Header().Set("Y", "c")
			w.Header().Del("Content-Type")
		},
		"in parts": func(w http.ResponseWriter, _ *http.Request) {
			for _, part := range []string{"<", "p", ">"} {
				fmt.Fprint(w, part)
			}
		},
		"an error":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", 500) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a", http.StatusSeeOther) },
		"an echo": func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			fmt.Fprint(w, string(text), err)
		},
		"a part of the body": func(w http.ResponseWriter, r *http.Request) {
			n, err := r.Body.Read(make([]byte, 2))
			fmt.Fprint(w, n, err)
		},
		"deadlines": func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			fmt.Fprint(w, control.SetReadDeadline(time.Now().Add(time.Minute)), control.SetWriteDeadline(time.Now().Add(time.Minute)))
		},
		"errors": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "40")
			_, tooMuch := w.Write(make([]byte, 41))
			fmt.Fprint(w, errors.Is(tooMuch, http.ErrContentLength))
		},
		"a panic": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x"); panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, bare := newPlain(t, conns.Options{}, handler), newBare(t, conns.Options{}, handler)
			for _, request := range []string{plainPost("", `{"type":"ping"}`), plainPost("", "")} {
				require.Equal(t, bare.allAnswers(t, request), own.allAnswers(t, request))
			}
			require.Zero(t, own.moved.Load(), "the guard has answered")
			require.EqualValues(t, 2, bare.moved.Load())
		})
	}
}

// Only a long answer differs, because net/http cuts it into chunks.
func TestALongAnswerHasItsLength(t *testing.T) {
	for _, length := range []int{2048, 2049, 10_000, 3 << 20} {
		text := strings.Repeat("0123456789", length/10+1)[:length]
		s := newPlain(t, conns.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, text[:length/2])
			_, _ = io.WriteString(w, text[length/2:])
		})
		c := s.dial(t, here)
		for range 2 {
			c.say(t, plainPost("", ""))
			response, err := http.ReadResponse(c.reader, nil)
			require.NoError(t, err)
			require.EqualValues(t, length, response.ContentLength)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.True(t, text == string(body))
		}
		require.Zero(t, s.moved.Load())
	}
}

// A handler that writes when it has returned is wrong, but must not spoil the answers of others.
func TestNobodyWritesToAnAnswerThatWasSent(t *testing.T) {
	var late http.ResponseWriter
	s := newPlain(t, conns.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if late != nil {
			late.WriteHeader(500)
			_, err := late.Write([]byte("late"))
			require.Error(t, err)
			_, err = io.WriteString(late, "late")
			require.Error(t, err)
		}
		late = w
		fmt.Fprint(w, "in time")
	})
	c := s.dial(t, here)
	for range 3 {
		c.say(t, plainPost("", "x"))
		response, err := http.ReadResponse(c.reader, nil)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, "in time", string(text))
	}
}
