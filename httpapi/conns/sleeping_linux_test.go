package conns_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
)

const asleepCost = 1 << 10

// watches returns a server after its guard has begun to run. Before that no connection falls
// asleep.
func watches(t *testing.T, s *server) *server {
	t.Helper()
	require.Eventually(t, s.guard.CanWatch, patience, time.Millisecond)
	return s
}

// falls makes a number of connections fall asleep.
func (s *server) falls(t *testing.T, count int) {
	t.Helper()
	require.Eventually(t, func() bool { s.guard.PutToSleep(); return s.guard.Asleep() == count }, patience, time.Millisecond)
}

// staysAwake checks that no connection falls asleep.
func (s *server) staysAwake(t *testing.T) {
	t.Helper()
	for range 20 {
		s.guard.PutToSleep()
		time.Sleep(time.Millisecond)
	}
	require.Zero(t, s.guard.Asleep())
}

// answers checks that a request is answered.
func (c *client) answers(t *testing.T) {
	t.Helper()
	require.NoError(t, discard(c.reader))
}

func TestASleepingConnectionTakesNoGoroutineAndServesItsNextRequest(t *testing.T) {
	b := budget.New(1 << 30)
	s := watches(t, newServer(t, conns.Options{Budget: b}))
	before := runtime.NumGoroutine()
	const count = 300
	all := s.idlers(t, count, here)
	for range 2 {
		s.falls(t, count)
		require.Equal(t, conns.Counts{Idle: count}, s.guard.Counts())
		require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+10 }, patience, time.Millisecond, "Eventually has a few of its own")
		require.EqualValues(t, count*asleepCost, b.Used())
		for _, c := range all {
			require.Equal(t, "false", c.mustAsk(t, "/"))
		}
		require.Zero(t, s.guard.Asleep())
		s.becomes(t, func(n conns.Counts) bool { return n.Idle == count && b.Used() == count*conns.Cost })
	}
	s.falls(t, count)
	for _, c := range all {
		c.Close()
	}
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 })
}

func TestAConnectionFallsAsleepWhateverItsBodyWas(t *testing.T) {
	s := watches(t, newServer(t, conns.Options{}))
	for i, body := range []string{"0/01", "a\n", strings.Repeat("a\n", 1000), beginning, "\x16", strings.Repeat("x", 20_000) + "\na"} {
		s.dial(t, here).say(t, fmt.Sprintf("POST /body? HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		s.falls(t, i+1)
	}
	require.EqualValues(t, 6, s.moved.Load())
}

func TestAConnectionFallsAsleepAfterTwoSeconds(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := watches(t, newServer(t, conns.Options{}))
	began := time.Now()
	c := s.idlers(t, 1, here)[0]
	require.Eventually(t, func() bool { return s.guard.Asleep() == 1 }, patience, time.Millisecond)
	require.Greater(t, time.Since(began), 2*time.Second)
	c.mustAsk(t, "/")
}

// What net/http has read of the next request would be lost if the connection fell asleep.
func TestAConnectionWithTheBeginningOfARequestStaysAwake(t *testing.T) {
	post := "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n[1,2]"
	for name, first := range map[string]string{"GET": beginning + "\r\n", "POST": post} {
		for at := 1; at < len(beginning); at++ {
			if at > 5 && beginning[at-1] != '\n' && beginning[at] != '\r' {
				continue
			}
			t.Run(fmt.Sprint(name, " and ", at, " bytes"), func(t *testing.T) {
				s := watches(t, newServer(t, conns.Options{}))
				c := s.dial(t, here)
				c.say(t, first+beginning[:at])
				c.answers(t)
				s.staysAwake(t)
				c.say(t, beginning[at:]+"\r\n")
				c.answers(t)
				s.falls(t, 1)
			})
		}
	}
}

func TestARequestMayComeInAnyPiecesWhileItsConnectionSleeps(t *testing.T) {
	s := watches(t, newServer(t, conns.Options{}))
	c := s.idlers(t, 1, here)[0]
	post := "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n[1,2]"
	for name, pieces := range map[string][]string{
		"single bytes":        strings.Split(post, ""),
		"all at once":         {post},
		"header, then body":   {post[:len(post)-5], post[len(post)-5:]},
		"several requests":    {post + post + post},
		"half of the second":  {post + post[:30], post[30:]},
		"end of header later": {post[:len(post)-7], post[len(post)-7:]},
	} {
		s.falls(t, 1)
		for _, piece := range pieces {
			c.say(t, piece)
			time.Sleep(200 * time.Microsecond)
			s.guard.PutToSleep()
		}
		for range strings.Count(strings.Join(pieces, ""), "POST") {
			require.NoError(t, discard(c.reader), name)
		}
	}
}

// Between the moment in which the read is interrupted and the moment in which the guard
// watches the connection, requests come.
func TestNoRequestIsLostWhileConnectionsFallAsleep(t *testing.T) {
	for by, query := range map[string]string{"net/http": "?", "the guard": ""} {
		t.Run("answered by "+by, func(t *testing.T) { losesNoRequest(t, query) })
	}
}

func losesNoRequest(t *testing.T, query string) {
	s := watches(t, newServer(t, conns.Options{}, func(h *httptest.Server) {
		h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			fmt.Fprint(w, string(text))
		})
	}))
	var clients, all sync.WaitGroup
	ended := make(chan struct{})
	var slept atomic.Int64
	all.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Microsecond):
				s.guard.PutToSleep()
				slept.Add(int64(s.guard.Asleep()))
			}
		}
	})
	for n := range 20 {
		c := s.dial(t, here)
		clients.Go(func() {
			for i := range 25 {
				body := fmt.Sprintf("[%d,%d%s]", n, i, strings.Repeat("1", i*100))
				_, err := fmt.Fprintf(c, "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", query, len(body), body)
				if err != nil {
					t.Errorf("request %s: %v", body, err)
					return
				}
				response, err := http.ReadResponse(c.reader, nil)
				if err != nil {
					t.Errorf("answer to %s: %v", body, err)
					return
				}
				if text, err := io.ReadAll(response.Body); err != nil || string(text) != body {
					t.Errorf("answer to %s: %q, %v", body, text, err)
				}
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
			}
		})
	}
	clients.Wait()
	close(ended)
	all.Wait()
	require.Positive(t, slept.Load())
	s.falls(t, 20)
}

func TestAClientThatGoesWhileItsConnectionSleepsIsNoticed(t *testing.T) {
	for name, leave := range map[string]func(*testing.T, *client){
		"closes":      func(_ *testing.T, c *client) { c.Close() },
		"resets":      func(_ *testing.T, c *client) { reset(c.Conn) },
		"closes half": func(_ *testing.T, c *client) { _ = c.Conn.(*net.TCPConn).CloseWrite() },
		"sends a byte": func(t *testing.T, c *client) {
			c.say(t, "G")
			c.Close()
		},
		"asks and closes half": func(t *testing.T, c *client) {
			c.say(t, beginning+"\r\n")
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			c.answers(t)
		},
		"asks and resets": func(t *testing.T, c *client) {
			c.say(t, beginning+"\r\n")
			reset(c.Conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(1 << 30)
			s := watches(t, newServer(t, conns.Options{Budget: b}))
			all := s.idlers(t, 5, here)
			s.falls(t, len(all))
			for _, c := range all {
				leave(t, c)
			}
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 && s.guard.Asleep() == 0 })
		})
	}
}

func TestASleepingConnectionHasItsIdleTimeout(t *testing.T) {
	t.Parallel() // it waits most of the time
	b := budget.New(1 << 30)
	s := watches(t, newServer(t, conns.Options{IdleTimeout: time.Second, Budget: b}))
	all := s.idlers(t, 3, here)
	s.falls(t, 3)
	for _, c := range all {
		require.True(t, c.isClosed(t, patience))
	}
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 && s.guard.Asleep() == 0 })
	require.Equal(t, 3, s.count(conns.IdleTimeout))
}

func TestASleepingConnectionMakesRoom(t *testing.T) {
	s := watches(t, newServer(t, conns.Options{PerAddress: 3}))
	all := s.idlers(t, 3, here)
	s.falls(t, 3)
	all[0].mustAsk(t, "/") // so it is not the oldest any more
	s.falls(t, 3)
	require.Equal(t, "false", s.dial(t, here).mustAsk(t, "/"))
	require.True(t, all[1].isClosed(t, patience))
	require.Equal(t, 1, s.count(conns.MadeRoom))
	require.Equal(t, 2, s.guard.Asleep())
	all[0].mustAsk(t, "/")
	all[2].mustAsk(t, "/")
}

// Otherwise one byte for each sleeping connection would take their memory back for nothing.
func TestAHeaderThatWakesAConnectionIsChargedAndHasItsTimeout(t *testing.T) {
	t.Parallel() // it waits most of the time
	b := budget.New(1 << 30)
	s := watches(t, newServer(t, conns.Options{HeaderTimeout: 2 * time.Second, Budget: b}))
	all := s.idlers(t, 50, here)
	s.falls(t, 50)
	for _, c := range all {
		c.say(t, "G")
	}
	s.becomes(t, func(n conns.Counts) bool { return n.New == 50 && b.Used() > 50*conns.Cost })
	s.becomes(t, func(n conns.Counts) bool {
		return n == conns.Counts{} && b.Used() == 0 && s.count(conns.HeaderTimeout) == 50
	})
}

func TestAConnectionThatWakesIsClosedIfTheBudgetHasNoRoom(t *testing.T) {
	b := budget.New(40 * conns.Cost)
	s := watches(t, newServer(t, conns.Options{Budget: b}))
	sleeper := s.idlers(t, 1, here)[0]
	s.falls(t, 1)
	b.Charge(39*conns.Cost + 1)
	_, err := sleeper.ask("/")
	require.Error(t, err)
	require.Equal(t, 1, s.count(conns.HeaderMemory))
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 39*conns.Cost+1 })
}

// One sleeping connection gives back less than a new one takes, or one that wakes.
func TestIfMemoryIsShortSleepingConnectionsOfACrowdMakeRoom(t *testing.T) {
	b := budget.New(400 * conns.Cost)
	s := watches(t, newServer(t, conns.Options{Reserve: 2, Budget: b}))
	s.idlers(t, 150, here)
	sleeper := s.idlers(t, 1, there)[0]
	s.falls(t, 151)
	b.Charge(int(b.Limit()-b.Used()) - 10<<10)
	require.Equal(t, "false", s.dial(t, elsewhere).mustAsk(t, "/"), "not in the reserve")
	require.Equal(t, "false", sleeper.mustAsk(t, "/"))
	s.becomes(t, func(n conns.Counts) bool { return n.Active == 0 })
	require.LessOrEqual(t, b.Used(), b.Limit())
	require.GreaterOrEqual(t, s.guard.Counts().Idle, 152-2*25)
	require.Zero(t, s.count(conns.HeaderMemory))
}

func TestWhatStopsTheServerEndsSleepingConnections(t *testing.T) {
	for name, stop := range map[string]func(*server) error{
		"Shutdown": func(s *server) error { return s.Config.Shutdown(context.Background()) },
		"Close":    func(s *server) error { return s.Config.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New(1 << 30)
			s := watches(t, newServer(t, conns.Options{Budget: b}))
			all := s.idlers(t, 20, here)
			s.falls(t, 20)
			for _, c := range all[:10] { // some of them wake in this moment
				c.say(t, beginning+"\r\n")
			}
			require.NoError(t, stop(s))
			for _, c := range all[10:] {
				require.True(t, c.isClosed(t, patience))
			}
			s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 && s.guard.Asleep() == 0 })
		})
	}
}

func TestAGuardThatStopsEndsSleepingConnections(t *testing.T) {
	guard := conns.New(conns.Options{})
	web := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	web.Listener = guard.Listen(web.Listener)
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	web.Start()
	defer web.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { guard.Run(ctx) })
	s := watches(t, &server{Server: web, guard: guard})
	all := s.idlers(t, 3, here)
	s.falls(t, 3)
	stop()
	running.Wait()
	for _, c := range all {
		require.True(t, c.isClosed(t, patience))
	}
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
	s.idlers(t, 1, here)
	s.staysAwake(t)
}

func TestAListenerEndsItsOwnSleepingConnectionsOnly(t *testing.T) {
	s := watches(t, newServer(t, conns.Options{}))
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	second := s.guard.Listen(plain)
	web := &http.Server{Handler: http.HandlerFunc(answer), ConnState: s.guard.ConnState, ConnContext: s.guard.ConnContext}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(second) })
	mine := s.idlers(t, 1, here)[0]
	connection, err := net.Dial("tcp", plain.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	other := &client{connection, bufio.NewReader(connection)}
	other.mustAsk(t, "/")
	s.falls(t, 2)
	other.mustAsk(t, "/")
	s.falls(t, 2)
	require.NoError(t, web.Shutdown(t.Context()))
	serving.Wait()
	require.True(t, other.isClosed(t, patience))
	require.Equal(t, 1, s.guard.Asleep())
	mine.mustAsk(t, "/")
}

func TestOnlyAConnectionThatWaitsForItsNextRequestFallsAsleep(t *testing.T) {
	ask := func(path string) func(*testing.T, *client) {
		return func(t *testing.T, c *client) { c.mustAsk(t, path) }
	}
	above := func(h *httptest.Server) {
		h.Listener = listenerOf{h.Listener, func(c net.Conn) net.Conn { return upper{c} }}
	}
	for name, c := range map[string]struct {
		options conns.Options
		above   func(*httptest.Server)
		use     func(*testing.T, *client)
	}{
		"new":                           {use: func(*testing.T, *client) {}},
		"a request is under way":        {use: ask("/hold")},
		"another connection is over it": {use: ask("/"), above: above},
	} {
		t.Run(name, func(t *testing.T) {
			if c.above == nil {
				c.above = func(*httptest.Server) {}
			}
			s := watches(t, newServer(t, c.options, c.above))
			c.use(t, s.dial(t, here))
			s.staysAwake(t)
		})
	}
	t.Run("in the reserve", func(t *testing.T) {
		s := watches(t, newServer(t, conns.Options{InAll: 1, Reserve: 2}))
		s.dial(t, there).mustAsk(t, "/hold")
		s.visitReserve(t, here)
		s.staysAwake(t)
	})
	t.Run("parked", func(t *testing.T) {
		l := newTCPLot(t)
		c, o := l.park(t)
		l.staysAwake(t)
		o.write([]byte("x"))
		_, err := io.ReadFull(c, make([]byte, 1))
		require.NoError(t, err)
	})
	t.Run("HTTP/1 over TLS of the guard", func(t *testing.T) {
		s := watches(t, serverWith(t, true, conns.Options{}))
		c := s.dial(t, here).handshake(t, "http/1.1")
		c.mustAsk(t, "/")
		s.staysAwake(t)
		c.mustAsk(t, "/")
	})
	for _, version := range []string{"h2", "h2c", "http/1.1"} {
		t.Run(version+" of net/http", func(t *testing.T) {
			s := watches(t, newServer(t, conns.Options{}, func(h *httptest.Server) {
				if version != "h2c" {
					h.TLS, h.EnableHTTP2 = new(tls.Config), version == "h2"
					return
				}
				h.Config.Protocols = new(http.Protocols)
				h.Config.Protocols.SetHTTP1(true)
				h.Config.Protocols.SetUnencryptedHTTP2(true)
			}))
			protocols := new(http.Protocols)
			protocols.SetHTTP1(version == "http/1.1")
			protocols.SetHTTP2(version == "h2")
			protocols.SetUnencryptedHTTP2(version == "h2c")
			transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			t.Cleanup(transport.CloseIdleConnections)
			for range 2 {
				response, err := (&http.Client{Transport: transport}).Get(s.URL)
				require.NoError(t, err)
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				s.becomes(t, func(n conns.Counts) bool { return n.Idle == 1 })
				s.staysAwake(t)
			}
		})
	}
}

// net/http begins anew when a connection wakes, so it also looks for HTTP/2.
func TestAConnectionMayWakeWithHTTP2(t *testing.T) {
	b := budget.New(64 << 20)
	s := watches(t, serverWith(t, false, conns.Options{Budget: b, MaxHeader: 16 << 10}))
	c := s.dial(t, here)
	c.mustAsk(t, "/")
	s.falls(t, 1)
	c.say(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	s.becomes(t, func(conns.Counts) bool { return b.Used() >= conns.Cost+32<<10 })
	s.becomes(t, func(n conns.Counts) bool { return n.Idle == 1 })
	s.staysAwake(t)
	c.Close()
	s.becomes(t, func(conns.Counts) bool { return b.Used() == 0 })
}

func TestASleepingConnectionWakesWithAnyKindOfRequest(t *testing.T) {
	s := watches(t, newServer(t, conns.Options{}))
	t.Run("HTTP/1.0", func(t *testing.T) {
		c := s.dial(t, here)
		for range 3 {
			c.say(t, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
			c.answers(t)
			s.falls(t, 1)
		}
		c.say(t, "GET / HTTP/1.0\r\n\r\n")
		c.answers(t)
		require.True(t, c.isClosed(t, patience))
	})
	t.Run("Connection: close", func(t *testing.T) {
		c := s.idlers(t, 1, here)[0]
		s.falls(t, 1)
		c.say(t, beginning+"Connection: close\r\n\r\n")
		c.answers(t)
		require.True(t, c.isClosed(t, patience))
	})
	t.Run("Expect: 100-continue", func(t *testing.T) {
		c := s.idlers(t, 1, here)[0]
		s.falls(t, 1)
		c.say(t, "POST /body HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		response, err := http.ReadResponse(c.reader, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusContinue, response.StatusCode)
		c.say(t, "[1,2]")
		c.answers(t)
		c.Close()
	})
	t.Run("an error", func(t *testing.T) {
		c := s.idlers(t, 1, here)[0]
		s.falls(t, 1)
		c.say(t, "nonsense\r\n\r\n")
		response, err := http.ReadResponse(c.reader, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, response.StatusCode)
	})
	t.Run("a hijack", func(t *testing.T) {
		c := s.idlers(t, 1, here)[0]
		s.falls(t, 1)
		require.Equal(t, "hello", c.mustAsk(t, "/hijack"))
	})
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
}

func TestConnectionsOfAProxyFallAsleep(t *testing.T) {
	s := watches(t, newServer(t, conns.Options{ProxyProtocol: true, Exempt: clientip.Proxies{netip.MustParsePrefix(here + "/32")}}))
	c := s.dial(t, here)
	c.say(t, "PROXY TCP4 203.0.113.9 192.0.2.1 1234 80\r\n"+beginning+"\r\n"+beginning+"\r\n")
	c.answers(t)
	c.answers(t)
	for range 2 {
		s.falls(t, 1)
		require.Equal(t, "203.0.113.9:1234 203.0.113.9/32 false", c.mustAsk(t, "/who"))
	}
}

func TestConnectionsOfAUnixSocketFallAsleep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	s := watches(t, newServerOver(t, conns.Options{}, func(h *httptest.Server) {
		h.Listener.Close()
		var err error
		h.Listener, err = net.Listen("unix", path)
		require.NoError(t, err)
	}))
	connection, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer connection.Close()
	c := &client{connection, bufio.NewReader(connection)}
	for range 3 {
		c.mustAsk(t, "/")
		s.falls(t, 1)
	}
	c.Close()
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
}

// A client may open its stream over a connection that was idle before.
func TestAConnectionThatHasSleptIsParked(t *testing.T) {
	b := budget.New(1 << 30)
	owned := make(chan *writer, 1)
	var s *server
	s = watches(t, newServer(t, conns.Options{Budget: b}, func(h *httptest.Server) {
		h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/park" {
				answer(w, r)
				return
			}
			o := &writer{whole: make(chan struct{}, 1), gone: make(chan struct{})}
			o.parked, _ = s.guard.Park(w, r, o)
			owned <- o
		})
	}))
	c := s.idlers(t, 1, here)[0]
	s.falls(t, 1)
	c.say(t, "GET /park HTTP/1.1\r\nHost: localhost\r\n\r\n")
	o := <-owned
	o.write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	c.answers(t)
	s.staysAwake(t)
	require.EqualValues(t, asleepCost, b.Used())
	c.Close()
	<-o.gone
	o.close()
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 })
}

// Connections fall asleep, wake, end and make room at once, and new ones get the descriptors
// of those that have ended.
func TestConnectionsThatSleepAndEndAtOnceAreCountedCorrectly(t *testing.T) {
	b := budget.New(80 * conns.Cost)
	s := watches(t, newServer(t, conns.Options{PerAddress: 30, InAll: 60, Reserve: 4, IdleTimeout: time.Second, Budget: b}))
	var clients, sleeping sync.WaitGroup
	ended := make(chan struct{})
	sleeping.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Microsecond):
				s.guard.PutToSleep()
			}
		}
	})
	for n := range 8 {
		clients.Go(func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+n%3))}}
			var all [8]*client
			for i := range 250 {
				at := rand.IntN(len(all))
				c := all[at]
				if c == nil {
					connection, err := dialer.Dial("tcp", s.Listener.Addr().String())
					if err != nil {
						continue
					}
					_ = connection.SetDeadline(time.Now().Add(patience))
					c = &client{connection, bufio.NewReader(connection)}
					all[at] = c
				}
				_, err := c.ask("/") // it may have made room
				switch {
				case err != nil || i%5 == 0:
					reset(c.Conn)
					all[at] = nil
				case i%5 == 1:
					c.Close()
					all[at] = nil
				}
			}
			for _, c := range all {
				if c != nil {
					c.Close()
				}
			}
		})
	}
	clients.Wait()
	close(ended)
	sleeping.Wait()
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} && b.Used() == 0 && s.guard.Asleep() == 0 })
}
