package conns_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// server serves over guarded connections, and counts what the guard closed.
type server struct {
	*httptest.Server
	guard *conns.Guard
	moved atomic.Int64 // connections that net/http got

	mu     sync.Mutex
	closed map[conns.Reason]int
}

func newServer(t *testing.T, o conns.Options, others ...func(*httptest.Server)) *server {
	return newServerOver(t, o, func(*httptest.Server) {}, others...)
}

// newServerOver is newServer with a change to the server before its listener is guarded.
func newServerOver(t *testing.T, o conns.Options, below func(*httptest.Server), others ...func(*httptest.Server)) *server {
	return newServerOn(t, o, func(h *httptest.Server, guard *conns.Guard) {
		below(h)
		h.Listener = guard.ListenFor(h.Listener, h.Config, "/", "/body", "/who")
		for _, other := range others {
			other(h)
		}
	})
}

// newServerOn is newServer with a function that connects the guard with the listener.
func newServerOn(t *testing.T, o conns.Options, connect func(*httptest.Server, *conns.Guard)) *server {
	s := &server{closed: make(map[conns.Reason]int)}
	o.OnClosed = func(why conns.Reason, _ netip.Addr) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed[why]++
	}
	s.guard = conns.New(o)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(answer))
	// httptest.Server sets a hook of its own, which calls this one.
	s.Config.ConnContext = s.guard.ConnContext
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.moved.Add(1)
		}
		s.guard.ConnState(c, state)
	}
	connect(s.Server, s.guard)
	if s.TLS != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.guard.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		s.CloseClientConnections()
		s.Close()
		require.Eventually(t, func() bool { return s.guard.Counts() == conns.Counts{} }, patience, time.Millisecond, "closed connections are not counted")
	})
	return s
}

// answer is the handler. Its answer says whether the connection is in the reserve. A
// request to /hold stays under way until its client is gone, a request to /hijack takes the
// connection over, and the answer to /who says what is known of the client. The body of a
// request to /body is read.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hold" {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	if r.URL.Path == "/body" {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if r.URL.Path == "/hijack" {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
			c.Close()
		}
		return
	}
	if r.URL.Path == "/who" {
		network, _ := conns.NetworkOf(r.Context())
		fmt.Fprint(w, r.RemoteAddr, " ", network, " ", conns.WasEncrypted(r.Context()))
		return
	}
	fmt.Fprint(w, conns.InReserve(r.Context()))
}

func (s *server) count(why conns.Reason) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed[why]
}

// client is one connection to the server.
type client struct {
	net.Conn
	reader *bufio.Reader
}

// dial connects from one of the loopback addresses.
func (s *server) dial(t *testing.T, from string) *client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &client{c, bufio.NewReader(c)}
}

// ask sends a request and returns the answer.
func (c *client) ask(path string) (string, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return "", err
	}
	if path == "/hold" {
		return "", nil
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func (c *client) mustAsk(t *testing.T, path string) string {
	t.Helper()
	text, err := c.ask(path)
	require.NoError(t, err)
	return text
}

// moment is how long a test waits for something that should not happen.
const moment = 100 * time.Millisecond

// isClosed reports whether the server closes the connection within a time.
func (c *client) isClosed(t *testing.T, within time.Duration) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := c.reader.Peek(1)
	_ = c.SetDeadline(time.Now().Add(patience))
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

// idlers connects clients one after the other. Each sends one request.
func (s *server) idlers(t *testing.T, count int, from string) (all []*client) {
	t.Helper()
	for range count {
		c := s.dial(t, from)
		require.Equal(t, "false", c.mustAsk(t, "/"))
		all = append(all, c)
		s.becomes(t, func(c conns.Counts) bool { return c.Active == 0 }) // otherwise a later connection could become idle before this connection
	}
	return all
}

func (s *server) becomes(t *testing.T, is func(conns.Counts) bool) {
	t.Helper()
	require.Eventually(t, func() bool { return is(s.guard.Counts()) }, patience, time.Millisecond)
}

// refuses checks that a new connection is closed. That may happen before the client
// knows that it is open.
func (s *server) refuses(t *testing.T, from string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		return
	}
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = (&client{c, bufio.NewReader(c)}).ask("/")
	require.Error(t, err)
}

const here, there, elsewhere = "127.0.0.1", "127.0.0.2", "127.0.0.3"

func TestAtItsBoundAnAddressLosesItsOldestIdleConnection(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 3})
	all := s.idlers(t, 3, here)
	neighbour := s.idlers(t, 1, there)[0]
	all[0].mustAsk(t, "/")
	s.becomes(t, func(c conns.Counts) bool { return c.Idle == 4 })

	require.Equal(t, "false", s.dial(t, here).mustAsk(t, "/"))
	require.True(t, all[1].isClosed(t, patience), "it was idle for the longest")
	require.False(t, all[0].isClosed(t, moment))
	require.False(t, all[2].isClosed(t, moment))
	require.False(t, neighbour.isClosed(t, moment))
	require.Equal(t, 1, s.count(conns.MadeRoom))
}

func TestANewConnectionIsClosedIfItsAddressUsesAllThatItMayHave(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 4})
	for range 4 {
		s.dial(t, here).mustAsk(t, "/hold")
	}
	s.becomes(t, func(c conns.Counts) bool { return c.Active == 4 })
	s.refuses(t, here)
	require.Equal(t, 1, s.count(conns.AddressFull))
	s.dial(t, there).mustAsk(t, "/")
}

func TestATrustedProxyHasNoBoundOfItsOwn(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 2, Exempt: clientip.Proxies{netip.MustParsePrefix(here + "/32")}})
	for _, c := range s.idlers(t, 10, here) {
		require.Equal(t, "false", c.mustAsk(t, "/"))
	}
	require.Zero(t, s.count(conns.MadeRoom))
}

// Connections without a request may be half of what an address may have. An honest
// client is among the newest of them.
func TestConnectionsWithoutARequestTakeNoMoreThanTheirShare(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 8})
	var silent []*client
	for range 4 {
		silent = append(silent, s.dial(t, here))
	}
	s.becomes(t, func(c conns.Counts) bool { return c.New == 4 })
	require.Equal(t, "false", s.dial(t, here).mustAsk(t, "/"))
	require.True(t, silent[0].isClosed(t, patience))
	require.False(t, silent[1].isClosed(t, moment))
	require.Equal(t, 1, s.count(conns.Unserved))
}

// Before there was a bound, one address with 3,000 idle connections took all 2,000 file
// descriptors of the process.
func TestOneAddressLeavesHalfOfAllConnectionsToStrangers(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 4000, InAll: 200, Reserve: 8})
	require.Equal(t, 100, s.guard.PerAddress())
	for range 300 {
		s.dial(t, here).mustAsk(t, "/")
	}
	s.idlers(t, 100, there)
	require.Equal(t, 200, s.count(conns.MadeRoom), "connections of the attacker")
	require.LessOrEqual(t, s.guard.Counts().Idle, 200)

	for range 10 {
		require.Equal(t, "false", s.dial(t, elsewhere).mustAsk(t, "/"), "a newcomer takes the place of an idle connection")
	}
}

func TestIfAllConnectionsAreInUseTheReserveIsLeft(t *testing.T) {
	s := newServer(t, conns.Options{InAll: 4, Reserve: 4})
	for range 4 {
		s.dial(t, here).mustAsk(t, "/hold")
	}
	s.becomes(t, func(c conns.Counts) bool { return c.Active == 4 })
	first := s.dial(t, here)
	require.Equal(t, "true", first.mustAsk(t, "/"))
	s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{Active: 4, Reserve: 1} })
	for range 10 {
		s.visitReserve(t, here)
	}
	require.True(t, first.isClosed(t, patience))
	require.Equal(t, 9, s.count(conns.ReserveFull), "one address has half of the reserve")
	for range 2 {
		s.visitReserve(t, there)
	}
	require.Equal(t, 9, s.count(conns.ReserveFull))
	for range 2 {
		s.dial(t, there).mustAsk(t, "/hold")
	}
	s.refuses(t, there)
	require.Equal(t, "true", s.dial(t, elsewhere).mustAsk(t, "/"))
}

// visitReserve sends a request from the reserve, and waits until the server has noted
// that the connection is idle. The client may have the answer before that. Only an idle
// connection makes room for another connection.
func (s *server) visitReserve(t *testing.T, from string) {
	t.Helper()
	require.Equal(t, "true", s.dial(t, from).mustAsk(t, "/"))
	require.Eventually(t, func() bool { return s.guard.ActiveInReserve() == 0 }, patience, time.Millisecond)
}

func TestIdleConnectionsOfACrowdHaveLessTime(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newServer(t, conns.Options{InAll: 4000, IdleTimeout: time.Minute, HeaderTimeout: time.Minute})
	few := s.idlers(t, 64, there)
	s.idlers(t, 1280, here)
	// While there are 1,280 connections, each has 64/1280 of the minute. The last 64 have
	// the whole minute.
	s.becomes(t, func(conns.Counts) bool { return s.count(conns.IdleTimeout) > 300 })
	for _, c := range few {
		c.mustAsk(t, "/")
	}
}

func TestHandshakesOfACrowdHaveLessTime(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newServer(t, conns.Options{HeaderTimeout: 20 * time.Second, InAll: 4000}, func(h *httptest.Server) { h.TLS = new(tls.Config) })
	began := time.Now()
	for range 640 {
		s.dial(t, here)
	}
	s.becomes(t, func(conns.Counts) bool { return s.count(conns.HeaderTimeout) > 100 })
	require.Less(t, time.Since(began), 20*time.Second, "while there are 640, each has a tenth of that")
	s.CloseClientConnections()
}

func TestIfTheBudgetIsUsedUpTheReserveIsLeft(t *testing.T) {
	b := budget.New(16 * conns.Cost)
	s := newServer(t, conns.Options{PerAddress: 100, Reserve: 2, Budget: b})
	require.Equal(t, 4, s.guard.PerAddress(), "a quarter of the budget for one address")
	for _, from := range []string{here, there, elsewhere, "127.0.0.4"} {
		for range 4 {
			s.dial(t, from).mustAsk(t, "/hold")
		}
	}
	require.EqualValues(t, 16*conns.Cost, b.Used())
	require.Equal(t, "true", s.dial(t, "127.0.0.5").mustAsk(t, "/"))
	s.CloseClientConnections()
	require.Eventually(t, func() bool { return b.Used() == 0 }, patience, time.Millisecond)
}

func TestAHijackedConnectionIsCountedUntilItIsClosed(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 1})
	for range 3 {
		c := s.dial(t, here)
		require.Equal(t, "hello", c.mustAsk(t, "/hijack"))
		s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{} })
	}
}

func TestHTTP2IsIdleOnlyWithoutStreams(t *testing.T) {
	for name, set := range map[string]func(*httptest.Server){
		"TLS": func(h *httptest.Server) { h.TLS, h.EnableHTTP2 = new(tls.Config), true },
		"h2c": func(h *httptest.Server) {
			h.Config.Protocols = new(http.Protocols)
			h.Config.Protocols.SetUnencryptedHTTP2(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, conns.Options{PerAddress: 1}, set)
			protocols := new(http.Protocols)
			protocols.SetUnencryptedHTTP2(name == "h2c")
			protocols.SetHTTP2(name == "TLS")
			newClient := func() *http.Client {
				transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				t.Cleanup(transport.CloseIdleConnections)
				return &http.Client{Transport: transport}
			}
			client := newClient()
			held, err := client.Get(s.URL + "/hold")
			require.NoError(t, err)
			require.Equal(t, 2, held.ProtoMajor)
			s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{Active: 1} })
			_, err = newClient().Get(s.URL + "/")
			require.Error(t, err, "the only connection of the address is in use")
			held.Body.Close()
			s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{Idle: 1} })
			response, err := newClient().Get(s.URL + "/")
			require.NoError(t, err)
			response.Body.Close()
		})
	}
}

func TestShutdownClosesIdleConnectionsAndWaitsForOthers(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 10})
	idler := s.idlers(t, 1, here)[0]
	holder := s.dial(t, here)
	holder.mustAsk(t, "/hold")
	done := make(chan error, 1)
	go func() { done <- s.Config.Shutdown(t.Context()) }() // ends with the holder
	require.True(t, idler.isClosed(t, patience))
	s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{Active: 1} })
	holder.Close()
	require.NoError(t, <-done)
}

func TestManyClientsAtOnceAreCountedCorrectly(t *testing.T) {
	s := newServer(t, conns.Options{PerAddress: 20, InAll: 50, Reserve: 5, IdleTimeout: time.Second})
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 200 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+n%4))}}
				c, err := dialer.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					continue
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				client := &client{c, bufio.NewReader(c)}
				_, _ = client.ask("/") // it may be closed meanwhile
				counts := s.guard.Counts()
				if counts.New+counts.Active+counts.Idle > 50 || counts.Reserve > 5 {
					panic(fmt.Sprint(counts))
				}
				c.Close()
			}
		})
	}
	all.Wait()
	s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{} })
}
