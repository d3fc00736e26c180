package conns_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
)

// posts sends a plain request and returns the answer.
func (c *client) posts(t *testing.T, body string) string {
	t.Helper()
	c.say(t, plainPost("", body))
	return c.hears(t)
}

// hears reads an answer.
func (c *client) hears(t *testing.T) string {
	t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(w, r.Body)
}

func TestTheGuardAnswersPlainRequestsOnly(t *testing.T) {
	s := newPlain(t, conns.Options{}, echo)
	for name, text := range plainRequests {
		c := s.dial(t, here)
		for range 3 {
			c.say(t, text)
			require.Equal(t, text[strings.Index(text, "\r\n\r\n")+4:], c.hears(t), name)
		}
	}
	require.Zero(t, s.moved.Load())
	for name, text := range otherRequests {
		c := s.dial(t, here)
		before := s.moved.Load()
		c.posts(t, "")
		require.Equal(t, before, s.moved.Load(), name)
		c.say(t, text)
		require.NoError(t, halfClose(c))
		_, _ = io.Copy(io.Discard, c)                              // an error means that net/http has closed the connection
		if text != "" && name != "a line end before the request" { // net/http drops it behind a POST
			require.Equal(t, before+1, s.moved.Load(), name)
		}
	}
}

func TestARequestIsTheSameWhoeverReadsIt(t *testing.T) {
	type seen struct {
		request http.Request
		context string
		body    string
	}
	requests := make(chan seen, 1)
	note := func(w http.ResponseWriter, r *http.Request) {
		network, _ := conns.NetworkOf(r.Context())
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		context := fmt.Sprint(network, conns.InReserve(r.Context()), conns.IsWriting(r.Context()), conns.WasEncrypted(r.Context()),
			server.Handler != nil, r.Context().Value(http.LocalAddrContextKey) != nil, r.Context().Err(), r.Context().Value(ownKey{}))
		text, err := io.ReadAll(r.Body)
		if err != nil {
			context += err.Error()
		}
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			context += err.Error()
		}
		copied := *r.WithContext(context2{})
		copied.RemoteAddr, copied.Body = host, nil
		requests <- seen{copied, context, string(text)}
	}
	base := func(h *httptest.Server) {
		h.Config.BaseContext = func(net.Listener) context.Context { return context.WithValue(context.Background(), ownKey{}, "own") }
	}
	own, bare := newPlain(t, conns.Options{}, note, base), newServerOn(t, conns.Options{}, func(h *httptest.Server, guard *conns.Guard) {
		base(h)
		h.Config.Handler = http.HandlerFunc(note)
		h.Listener = guard.Listen(h.Listener)
	})
	for name, text := range plainRequests {
		var both []seen
		for _, s := range []*server{own, bare} {
			c := s.dial(t, here)
			c.say(t, text)
			c.hears(t)
			both = append(both, <-requests)
		}
		require.Equal(t, both[1], both[0], name)
	}
	require.Zero(t, own.moved.Load())
}

type ownKey struct{}

// context2 is the context of all requests that are compared.
type context2 struct{ context.Context }

func TestAConnectionThatPostsSleepsAndWakesWithoutNetHTTP(t *testing.T) {
	b := budget.New(1 << 30)
	s := newPlain(t, conns.Options{Budget: b}, echo)
	before := runtime.NumGoroutine()
	const count = 300
	all := make([]*client, count)
	for i := range all {
		all[i] = s.dial(t, here)
		require.Equal(t, "a", all[i].posts(t, "a"))
	}
	for range 2 {
		s.falls(t, count)
		require.Equal(t, conns.Counts{Idle: count}, s.guard.Counts())
		require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+10 }, patience, time.Millisecond, "Eventually has a few of its own")
		require.Zero(t, s.guard.Answering())
		require.EqualValues(t, count*asleepCost, b.Used())
		for _, c := range all {
			require.Equal(t, "b", c.posts(t, "b"))
		}
		s.becomes(t, func(n conns.Counts) bool { return n.Idle == count && b.Used() == count*conns.Cost })
	}
	for _, c := range all[:count/2] {
		c.Close()
	}
	s.becomes(t, func(n conns.Counts) bool { return n.Idle == count/2 })
	s.falls(t, count/2)
	for _, c := range all[count/2:] {
		reset(c.Conn)
	}
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 })
	require.Zero(t, s.moved.Load())
}

func TestAConnectionThatPostsFallsAsleepAfterTwoSeconds(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newPlain(t, conns.Options{}, echo)
	began := time.Now()
	s.dial(t, here).posts(t, "a")
	require.Eventually(t, func() bool { return s.guard.Asleep() == 1 }, patience, time.Millisecond)
	require.Greater(t, time.Since(began), 2*time.Second)
}

// A connection goes to net/http and comes back when it has slept, with each kind of request.
func TestPlainAndOtherRequestsMayFollowEachOther(t *testing.T) {
	s := newPlain(t, conns.Options{}, echo)
	c := s.dial(t, here)
	chunked := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
	for round := range int64(3) {
		require.Equal(t, "a", c.posts(t, "a"))
		require.Equal(t, round, s.moved.Load())
		c.say(t, chunked)
		require.Equal(t, "c", c.hears(t))
		require.Equal(t, round+1, s.moved.Load())
		require.Equal(t, "b", c.posts(t, "b"), "net/http keeps it")
		c.say(t, plainPost("", "d")+plainPost("", "e")+chunked)
		require.Equal(t, "dec", c.hears(t)+c.hears(t)+c.hears(t))
		s.falls(t, 1)
	}
	for at := 1; at < len(chunked); at += 7 { // a beginning that net/http gets is not lost
		require.Equal(t, "a", c.posts(t, "a"))
		c.say(t, chunked[:at])
		s.becomes(t, func(conns.Counts) bool { return s.guard.Answering() == 0 })
		s.staysAwake(t)
		c.say(t, chunked[at:])
		require.Equal(t, "c", c.hears(t))
		s.falls(t, 1)
	}
}

// Some clients send a line end behind a body. net/http drops it, and so does the guard.
func TestALineEndBehindABodyIsDropped(t *testing.T) {
	for _, make := range []func(*testing.T, conns.Options, http.HandlerFunc) *server{
		newBare,
		func(t *testing.T, o conns.Options, h http.HandlerFunc) *server { return newPlain(t, o, h) },
	} {
		s := make(t, conns.Options{}, echo)
		for _, end := range []string{"\r\n", "\n", "\r\n\r\n"} {
			c := s.dial(t, here)
			require.Equal(t, "a", c.posts(t, "a"))
			c.say(t, end)
			time.Sleep(time.Millisecond)
			require.Equal(t, "b", c.posts(t, "b"))
			c.say(t, end+plainPost("", "c"))
			require.Equal(t, "c", c.hears(t))
		}
		c := s.dial(t, here)
		c.say(t, "\r\n"+plainPost("", "a"))
		require.Contains(t, c.hears(t), "400", "it is not behind a body")
		c = s.dial(t, here)
		require.Equal(t, "a", c.posts(t, "a"))
		c.say(t, "\r\n\r\n\n"+plainPost("", "a"))
		require.Contains(t, c.hears(t), "400", "they are too many")
	}
}

// An offer as Chromium sends it: the header in one segment, the body in the next.
const browsersFields = "Connection: keep-alive\r\nsec-ch-ua-platform: \"Linux\"\r\nAuthorization: Bearer abc\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
	"Content-Type: application/json\r\nAccept: */*\r\nOrigin: https://example.com\r\nSec-Fetch-Mode: cors\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"

func TestTheBodyOfAPlainRequestMayComeLater(t *testing.T) {
	conns.SetRestTimeout(t, patience)
	b := budget.New(1 << 30)
	s := newPlain(t, conns.Options{Budget: b}, echo)
	c := s.dial(t, here)
	for _, length := range []int{1, 1200, 6000} {
		body := strings.Repeat("x", length)
		text := plainPost(browsersFields, body)
		for _, pieces := range [][]int{{0}, {length / 2}, {0, length / 3, length / 2}} {
			from := 0
			for _, at := range pieces {
				to := len(text) - length + at
				c.say(t, text[from:to])
				from = to
				s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Active: 1} })
				time.Sleep(time.Millisecond)
			}
			c.say(t, text[from:])
			require.Equal(t, body, c.hears(t))
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Idle: 1} && b.Used() == conns.Cost })
		}
	}
	s.falls(t, 1)
	require.Equal(t, "a", c.posts(t, "a"))
	require.Zero(t, s.moved.Load())
}

func TestTheWaitForABodyLeavesNoDeadline(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newPlain(t, conns.Options{}, echo)
	c := s.dial(t, here)
	c.say(t, strings.TrimSuffix(plainPost("", "abc"), "bc"))
	s.becomes(t, func(n conns.Counts) bool { return n.Active == 1 })
	c.say(t, "bc")
	require.Equal(t, "abc", c.hears(t))
	time.Sleep(300 * time.Millisecond)
	require.Equal(t, "a", c.posts(t, "a"))
}

func TestTheBodyOfAPlainRequestMayFollowAPROXYHeader(t *testing.T) {
	conns.SetRestTimeout(t, patience)
	s := newPlain(t, behindProxy(0), echo)
	text := "PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n" + plainPost(browsersFields, "abc")
	c := s.dial(t, there)
	c.say(t, text[:len(text)-3])
	s.becomes(t, func(n conns.Counts) bool { return n.Active == 1 })
	c.say(t, "abc")
	require.Equal(t, "abc", c.hears(t))
	require.Zero(t, s.moved.Load())
}

// Then net/http reads it from its beginning.
func TestARequestWhoseBodyDoesNotComeSoonIsLeftToNetHTTP(t *testing.T) {
	text := plainPost(browsersFields, "abcd")
	for name, rest := range map[string]func(*testing.T, *server, *client){
		"after a pause": func(t *testing.T, s *server, c *client) {
			s.becomes(t, func(conns.Counts) bool { return s.moved.Load() == 1 })
			c.say(t, "cd")
		},
		"bytes that come one by one": func(t *testing.T, s *server, c *client) {
			time.Sleep(200 * time.Millisecond)
			c.say(t, "c")
			s.becomes(t, func(conns.Counts) bool { return s.moved.Load() == 1 })
			c.say(t, "d")
		},
		"a request behind it": func(t *testing.T, _ *server, c *client) { c.say(t, "cd"+beginning) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			b := budget.New(1 << 30)
			s := newPlain(t, conns.Options{Budget: b}, echo)
			c := s.dial(t, here)
			c.say(t, text[:len(text)-2])
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Active: 1} && b.Used() == conns.Cost })
			rest(t, s, c)
			require.Equal(t, "abcd", c.hears(t))
			require.EqualValues(t, 1, s.moved.Load())
			if name == "a request behind it" {
				c.say(t, "\r\n")
				c.hears(t)
			}
			s.falls(t, 1)
			require.Equal(t, conns.Counts{Idle: 1}, s.guard.Counts())
		})
	}
}

func TestAClientThatGoesBeforeItsBodyIsNoticed(t *testing.T) {
	conns.SetRestTimeout(t, patience)
	for name, leave := range map[string]func(*client){
		"closes":      func(c *client) { c.Close() },
		"resets":      func(c *client) { reset(c.Conn) },
		"closes half": func(c *client) { _ = halfClose(c) },
	} {
		t.Run(name, func(t *testing.T) {
			errors := make(chan error, 1)
			b := budget.New(1 << 30)
			s := newPlain(t, conns.Options{Budget: b}, func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				errors <- err
			})
			c := s.dial(t, here)
			text := plainPost(browsersFields, "abcd")
			c.say(t, text[:len(text)-2])
			s.becomes(t, func(n conns.Counts) bool { return n.Active == 1 })
			leave(c)
			require.ErrorIs(t, <-errors, io.ErrUnexpectedEOF, "as net/http says it")
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 })
		})
	}
}

func TestAStopWaitsForABodyThatComesSoon(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"in time": patience, "too late": moment} {
		t.Run(name, func(t *testing.T) {
			conns.SetRestTimeout(t, timeout)
			s := newPlain(t, conns.Options{}, echo)
			c := s.dial(t, here)
			c.say(t, strings.TrimSuffix(plainPost(browsersFields, "abcd"), "cd"))
			s.becomes(t, func(n conns.Counts) bool { return n.Active == 1 })
			_ = s.Listener.Close() // http.Server closes it, too, and only once without an error
			if timeout == patience {
				c.say(t, "cd")
				response, err := http.ReadResponse(c.reader, nil)
				require.NoError(t, err)
				require.True(t, response.Close)
			}
			require.NoError(t, s.guard.Shutdown(t.Context()))
			c.Close() // on a slow machine net/http has it
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
		})
	}
}

func TestConnectionsAreCountedAsTheyAreWithNetHTTP(t *testing.T) {
	b := budget.New(1 << 30)
	var s *server
	under, goOn := make(chan bool), make(chan struct{})
	s = newPlain(t, conns.Options{Budget: b, InAll: 1, Reserve: 2}, func(w http.ResponseWriter, r *http.Request) {
		under <- conns.InReserve(r.Context())
		<-goOn
	})
	c := s.dial(t, here)
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{New: 1} })
	for range 2 {
		c.say(t, plainPost("", "a"))
		require.False(t, <-under)
		require.Equal(t, conns.Counts{Active: 1}, s.guard.Counts())
		operator := s.dial(t, there)
		operator.say(t, plainPost("", "a"))
		require.True(t, <-under)
		require.Equal(t, conns.Counts{Active: 1, Reserve: 1}, s.guard.Counts())
		require.Equal(t, 1, s.guard.ActiveInReserve())
		require.EqualValues(t, 2*conns.Cost, b.Used())
		goOn <- struct{}{}
		goOn <- struct{}{}
		c.hears(t)
		operator.hears(t)
		operator.Close()
		s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Idle: 1} })
	}
	require.Zero(t, s.moved.Load())
}

func TestAConnectionWithoutARequestHasItsTimeout(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newPlain(t, conns.Options{HeaderTimeout: 2 * time.Second, IdleTimeout: time.Second}, echo)
	silent, idle := s.dial(t, here), s.dial(t, here)
	idle.posts(t, "a")
	require.True(t, idle.isClosed(t, patience))
	require.True(t, silent.isClosed(t, patience))
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
	require.Equal(t, 1, s.count(conns.IdleTimeout))
	require.Equal(t, 1, s.count(conns.HeaderTimeout))
}

func TestAPlainRequestMayFollowAPROXYHeader(t *testing.T) {
	for name, pieces := range map[string][]string{
		"at once":   {"PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n" + plainPost("", "a")},
		"behind it": {"PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n", plainPost("", "a")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPlain(t, behindProxy(0), func(w http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				network, _ := conns.NetworkOf(r.Context())
				fmt.Fprint(w, r.RemoteAddr, " ", network, " ", string(text))
			})
			c := s.dial(t, there)
			for _, piece := range pieces {
				c.say(t, piece)
				time.Sleep(time.Millisecond)
			}
			require.Equal(t, "192.0.2.1:40000 192.0.2.1/32 a", c.hears(t))
			require.Equal(t, "192.0.2.1:40000 192.0.2.1/32 b", c.posts(t, "b"))
			s.falls(t, 1)
			require.Equal(t, "192.0.2.1:40000 192.0.2.1/32 c", c.posts(t, "c"))
			require.Zero(t, s.moved.Load())
		})
	}
}

func TestPlainRequestsOverAUnixSocket(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	require.NoError(t, err)
	s := watches(t, newServerOver(t, conns.Options{}, func(h *httptest.Server) {
		h.Listener.Close()
		h.Listener = listener
	}))
	connection, err := net.Dial("unix", listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	c := &client{connection, bufio.NewReader(connection)}
	require.Equal(t, "false", c.posts(t, "a"))
	s.falls(t, 1)
	require.Equal(t, "false", c.posts(t, "a"))
	require.Zero(t, s.moved.Load())
}

// lines collects what a log writes.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestAPanicEndsItsConnectionOnly(t *testing.T) {
	var logged lines
	s := newPlain(t, conns.Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch text, _ := io.ReadAll(r.Body); string(text) {
		case "panic":
			panic("out of cheese")
		case "abort":
			panic(http.ErrAbortHandler)
		case "exit":
			runtime.Goexit()
		}
	}, func(h *httptest.Server) { h.Config.ErrorLog = log.New(&logged, "", 0) })
	other := s.dial(t, here)
	other.posts(t, "")
	for _, how := range []string{"abort", "exit", "panic"} {
		require.Empty(t, logged.String())
		c := s.dial(t, here)
		c.posts(t, "")
		c.say(t, plainPost("", how))
		require.True(t, c.isClosed(t, patience))
	}
	require.Regexp(t, `^http: panic serving 127\.0\.0\.1:\d+: out of cheese\ngoroutine \d+ \[running\]:\n`, logged.String())
	other.posts(t, "")
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Idle: 1} })
	require.Zero(t, s.moved.Load())
}

func TestAnAnswerThatNobodyReadsHasTheServersWriteTimeout(t *testing.T) {
	for name, deadline := range map[string]time.Duration{"the server's": 0, "the handler's": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			ctxs := make(chan context.Context, 1)
			s := newPlain(t, conns.Options{}, func(w http.ResponseWriter, r *http.Request) {
				if deadline > 0 {
					_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(deadline))
				}
				ctxs <- r.Context()
				_, _ = w.Write(make([]byte, 8<<20))
			}, func(h *httptest.Server) {
				h.Config.WriteTimeout = patience
				if deadline == 0 {
					h.Config.WriteTimeout = time.Second
				}
			})
			c := s.dial(t, here)
			c.say(t, plainPost("", "a"))
			ctx := <-ctxs
			require.Eventually(t, func() bool { return conns.IsWriting(ctx) }, patience, time.Millisecond)
			require.Equal(t, 1, s.guard.Counts().Active)
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
			require.Error(t, ctx.Err())
		})
	}
}

func TestAStopWaitsForTheAnswerOfARequestUnderWay(t *testing.T) {
	under, goOn := make(chan struct{}), make(chan struct{})
	s := newPlain(t, conns.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == int64(len("early")) {
			w.WriteHeader(http.StatusOK) // so it does not say that the connection ends
		}
		if r.ContentLength > 1 {
			under <- struct{}{}
			<-goOn
		}
		_, _ = io.Copy(w, r.Body)
	})
	fresh, idle, busy, early := s.dial(t, here), s.dial(t, here), s.dial(t, here), s.dial(t, here)
	idle.posts(t, "a")
	busy.say(t, plainPost("", "busy"))
	<-under
	early.say(t, plainPost("", "early"))
	<-under
	s.becomes(t, func(conns.Counts) bool { return s.guard.Answering() == 4 })
	require.NoError(t, s.Config.Shutdown(t.Context()))
	require.True(t, fresh.isClosed(t, patience))
	require.True(t, idle.isClosed(t, patience))

	short, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	require.ErrorIs(t, s.guard.Shutdown(short), context.DeadlineExceeded)
	close(goOn)
	require.NoError(t, s.guard.Shutdown(t.Context()))
	response, err := http.ReadResponse(busy.reader, nil)
	require.NoError(t, err)
	require.True(t, response.Close)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "busy", string(text))
	require.True(t, busy.isClosed(t, patience))
	require.Equal(t, "early", early.hears(t))
	require.True(t, early.isClosed(t, patience))
	require.Equal(t, conns.Counts{}, s.guard.Counts())
}

func TestAGuardThatStopsCutsOffWhatItAnswers(t *testing.T) {
	under := make(chan struct{})
	guard := conns.New(conns.Options{})
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		under <- struct{}{}
		<-r.Context().Done()
	}))
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	web.Listener = guard.ListenFor(web.Listener, web.Config, "/")
	web.Start()
	defer web.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { guard.Run(ctx) })
	s := watches(t, &server{Server: web, guard: guard})
	waiting, busy := s.dial(t, here), s.dial(t, here)
	busy.say(t, plainPost("", "busy"))
	<-under
	s.becomes(t, func(conns.Counts) bool { return guard.Answering() == 2 })
	stop()
	running.Wait()
	require.Equal(t, conns.Counts{}, guard.Counts())
	require.True(t, waiting.isClosed(t, patience))
	require.True(t, busy.isClosed(t, patience))
	require.NoError(t, guard.Shutdown(t.Context()))
}

// A client that waits for its PROXY header does not hold up the stop.
func TestAStopDoesNotWaitForAPROXYHeader(t *testing.T) {
	s := newPlain(t, behindProxy(0), echo)
	c := s.dial(t, there)
	s.becomes(t, func(conns.Counts) bool { return s.guard.Answering() == 1 })
	time.Sleep(time.Millisecond)
	require.NoError(t, s.Config.Shutdown(t.Context()))
	require.NoError(t, s.guard.Shutdown(t.Context()))
	require.True(t, c.isClosed(t, patience))
}
