package conns_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
)

// writer owns a parked connection, and writes a text to it whenever it takes more.
type writer struct {
	parked *conns.Parked
	whole  chan struct{} // receives a value when the text is written as a whole
	gone   chan struct{} // closed when the client has gone
	goes   atomic.Int32  // how often Gone was called

	mu      sync.Mutex // guards what follows, and the calls of parked
	left    []byte
	blocked int // how many writes were not taken as a whole
	closed  bool
}

func (o *writer) write(text []byte) {
	o.mu.Lock()
	o.left = text
	o.mu.Unlock()
	o.Writable()
}

// Writable implements [conns.Owner].
func (o *writer) Writable() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.left) == 0 {
		return
	}
	n, err := o.parked.Write(o.left)
	o.left = o.left[n:]
	switch {
	case err != nil:
	case len(o.left) == 0:
		o.whole <- struct{}{}
	default:
		o.blocked++
	}
}

// Gone implements [conns.Owner].
func (o *writer) Gone(error) {
	if o.goes.Add(1) == 1 {
		close(o.gone)
	}
}

func (o *writer) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.parked.Close()
	}
}

// lot is a server that parks the connections of all requests.
type lot struct {
	*server
	owned sync.Map // the channel for the writer of a request, by its path
	asked atomic.Int64
	first string // what each connection sends first, as a trusted proxy does
}

func newLot(t *testing.T, o conns.Options, below func(*httptest.Server)) *lot {
	l := new(lot)
	l.server = newServerOver(t, o, below, func(s *httptest.Server) {
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for !l.guard.CanPark(w, r) { // until the guard runs
				time.Sleep(time.Millisecond)
			}
			o := &writer{whole: make(chan struct{}, 1), gone: make(chan struct{})}
			o.mu.Lock()
			defer o.mu.Unlock()
			var err error
			if o.parked, err = l.guard.Park(w, r, o); err != nil {
				panic(http.ErrAbortHandler)
			}
			owned, _ := l.owned.LoadAndDelete(r.URL.Path)
			owned.(chan *writer) <- o
		})
	})
	return l
}

func newTCPLot(t *testing.T) *lot { return newLot(t, conns.Options{}, func(*httptest.Server) {}) }

// park opens a connection, and returns both of its ends.
func (l *lot) park(t *testing.T) (net.Conn, *writer) {
	t.Helper()
	var dialer net.Dialer
	if l.first != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(there)}
	}
	c, err := dialer.Dial(l.Listener.Addr().Network(), l.Listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	path, owned := fmt.Sprint("/", l.asked.Add(1)), make(chan *writer)
	l.owned.Store(path, owned)
	_, err = fmt.Fprintf(c, "%sGET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", l.first, path)
	require.NoError(t, err)
	o := <-owned
	t.Cleanup(func() {
		c.Close()
		o.close()
	})
	return c, o
}

// overEachTransport runs a test over TCP, with and without a PROXY header, and over a Unix
// socket.
func overEachTransport(t *testing.T, test func(t *testing.T, l *lot)) {
	t.Run("tcp", func(t *testing.T) { test(t, newTCPLot(t)) })
	t.Run("PROXY header", func(t *testing.T) {
		l := newLot(t, behindProxy(0), func(*httptest.Server) {})
		l.first = "PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n"
		test(t, l)
	})
	t.Run("unix", func(t *testing.T) {
		listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
		require.NoError(t, err)
		test(t, newLot(t, conns.Options{}, func(s *httptest.Server) {
			s.Listener.Close()
			s.Listener = listener
		}))
	})
}

func TestParkedConnectionsNeedNoGoroutines(t *testing.T) {
	l := newTCPLot(t)
	l.park(t)
	before := runtime.NumGoroutine()
	const count = 2000
	var clients []net.Conn
	var owners []*writer
	for range count {
		c, o := l.park(t)
		clients, owners = append(clients, c), append(owners, o)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+10 }, patience, time.Millisecond, "Eventually has a few of its own")
	require.Equal(t, count+1, l.guard.Counts().Active)
	text := make([]byte, 100)
	for i, o := range owners {
		o.write(fmt.Appendf(nil, "%100d", i))
		_, err := io.ReadFull(clients[i], text)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%100d", i), string(text))
	}
	for i, o := range owners {
		if i%2 == 0 {
			clients[i].Close()
			<-o.gone
		}
		o.close()
	}
	l.becomes(t, func(c conns.Counts) bool { return c.Active == 1 })
}

func TestAClientThatStallsAndReadsOnGetsAllOnceAndInOrder(t *testing.T) {
	overEachTransport(t, func(t *testing.T, l *lot) {
		c, o := l.park(t)
		want := make([]byte, 8<<20)
		for i := 0; i < len(want); i += 8 {
			binary.BigEndian.PutUint64(want[i:], uint64(i))
		}
		o.write(want)
		time.Sleep(moment) // the buffers of the kernel are full now
		o.mu.Lock()
		require.NotEmpty(t, o.left)
		o.mu.Unlock()
		got := make([]byte, len(want))
		_, err := io.ReadFull(c, got)
		require.NoError(t, err)
		<-o.whole
		require.Positive(t, o.blocked)
		require.True(t, bytes.Equal(want, got))
	})
}

func TestAClientThatGoesIsNoticed(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"closes":       func(c net.Conn) { c.Close() },
		"closes half":  func(c net.Conn) { _ = c.(interface{ CloseWrite() error }).CloseWrite() },
		"sends first":  func(c net.Conn) { _, _ = c.Write(make([]byte, 1000)); c.Close() },
		"resets":       func(c net.Conn) { reset(c) },
		"does not ask": func(c net.Conn) { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\n"); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			overEachTransport(t, func(t *testing.T, l *lot) {
				for _, isBlocked := range []bool{false, true} {
					c, o := l.park(t)
					if isBlocked {
						o.write(make([]byte, 32<<20))
					}
					leave(c)
					<-o.gone
					o.close()
					l.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{} })
					_, err := o.parked.Write([]byte("x"))
					require.Error(t, err)
				}
			})
		})
	}
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

// A descriptor is used again as soon as it is closed. Nobody learns of what happened to
// the connection that had it before.
func TestWhatHappensToOneConnectionDoesNotReachTheNextWithItsDescriptor(t *testing.T) {
	l := newTCPLot(t)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for n := range 50 {
				c, o := l.park(t)
				o.write(make([]byte, 200<<10)) // its end may be reported twice: the client goes, and more could be written
				if n%2 == 0 {
					c.Close()
				} else {
					reset(c)
				}
				o.close()

				c, o = l.park(t)
				o.write([]byte("x"))
				_, err := io.ReadFull(c, make([]byte, 1))
				if err != nil || o.goes.Load() > 0 {
					t.Errorf("%v; the living connection was reported as gone %d times", err, o.goes.Load())
				}
				c.Close()
				<-o.gone
				o.close()
			}
		})
	}
	running.Wait()
}

func TestAGuardThatStopsReportsAllParkedConnectionsAndParksNoMore(t *testing.T) {
	guard := conns.New(conns.Options{})
	parks := make(chan bool, 1)
	owned := make(chan *writer, 1)
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		canPark := guard.CanPark(w, r)
		parks <- canPark
		if !canPark {
			return
		}
		o := &writer{gone: make(chan struct{})}
		o.parked, _ = guard.Park(w, r, o)
		owned <- o
	}))
	web.Listener = guard.Listen(web.Listener)
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	web.Start()
	defer web.Close()
	ask := func() net.Conn {
		c, err := net.Dial("tcp", web.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		return c
	}
	ask()
	require.False(t, <-parks, "the guard does not run yet")
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { guard.Run(ctx) })
	require.Eventually(t, func() bool { ask(); return <-parks }, patience, time.Millisecond)
	first := <-owned
	ask()
	require.True(t, <-parks)
	second := <-owned
	stop()
	running.Wait()
	for _, o := range []*writer{first, second} {
		<-o.gone
		o.close()
	}
	ask()
	require.False(t, <-parks)
	require.Eventually(t, func() bool { return guard.Counts() == conns.Counts{} }, patience, time.Millisecond)
}

// flusher is an answer that no handler can hijack. Many middlewares have such a type.
type flusher struct{ http.ResponseWriter }

func (f flusher) Flush() { f.ResponseWriter.(http.Flusher).Flush() }

// wrapper is a flusher that http.ResponseController sees through.
type wrapper struct{ flusher }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// counting is a connection that must see all that is written.
type counting struct{ *net.TCPConn }

func (c counting) Write(text []byte) (int, error) { return c.TCPConn.Write(bytes.ToUpper(text)) }

// upper is a connection above the guard's.
type upper struct{ net.Conn }

func (u upper) NetConn() net.Conn { return u.Conn }

type listenerOf struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l listenerOf) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

// What is written to a parked connection goes to its descriptor, past everything in between.
func TestOnlyAConnectionWithNothingInBetweenIsParked(t *testing.T) {
	below := func(wrap func(net.Conn) net.Conn) func(*httptest.Server) {
		return func(s *httptest.Server) {
			plain, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			s.Listener.Close()
			s.Listener = listenerOf{plain, wrap}
		}
	}
	above := func(s *httptest.Server) {
		s.Listener = listenerOf{s.Listener, func(c net.Conn) net.Conn { return upper{c} }}
	}
	noChange := func(*httptest.Server) {}
	for name, c := range map[string]struct {
		request string
		wrap    func(http.ResponseWriter) http.ResponseWriter
		below   func(*httptest.Server) // changes the listener under the guard
		above   func(*httptest.Server) // changes the listener over the guard
		want    bool
	}{
		"plain":                       {"GET / HTTP/1.1\r\n", nil, noChange, noChange, true},
		"HTTP/1.0":                    {"GET / HTTP/1.0\r\n", nil, noChange, noChange, true},
		"POST without a body":         {"POST / HTTP/1.1\r\n", nil, noChange, noChange, true},
		"POST with an empty body":     {"POST / HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-continue\r\n", nil, noChange, noChange, true},
		"POST with a body":            {"POST / HTTP/1.1\r\nContent-Length: 1\r\n", nil, noChange, noChange, false},
		"POST with chunks":            {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", nil, noChange, noChange, false},
		"an answer without Hijack":    {"GET / HTTP/1.1\r\n", func(w http.ResponseWriter) http.ResponseWriter { return flusher{w} }, noChange, noChange, false},
		"an answer with Unwrap":       {"GET / HTTP/1.1\r\n", func(w http.ResponseWriter) http.ResponseWriter { return wrapper{flusher{w}} }, noChange, noChange, true},
		"a recorded answer":           {"GET / HTTP/1.1\r\n", func(http.ResponseWriter) http.ResponseWriter { return httptest.NewRecorder() }, noChange, noChange, false},
		"a connection that encodes":   {"GET / HTTP/1.1\r\n", nil, below(func(c net.Conn) net.Conn { return counting{c.(*net.TCPConn)} }), noChange, false},
		"a connection without a file": {"GET / HTTP/1.1\r\n", nil, below(func(c net.Conn) net.Conn { return upper{c} }), noChange, false},
		"a connection over the guard": {"GET / HTTP/1.1\r\n", nil, noChange, above, false},
	} {
		t.Run(name, func(t *testing.T) {
			canPark := make(chan bool, 1)
			var l *server
			guarded := func(s *httptest.Server) {
				c.above(s)
				s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c.wrap != nil {
						w = c.wrap(w)
					}
					for range 100 { // until the guard runs
						if l.guard.CanPark(w, r) {
							break
						}
						time.Sleep(time.Millisecond)
					}
					canPark <- l.guard.CanPark(w, r)
				})
			}
			l = newServerOver(t, conns.Options{}, c.below, guarded)
			connection, err := net.Dial("tcp", l.Listener.Addr().String())
			require.NoError(t, err)
			defer connection.Close()
			_, err = io.WriteString(connection, c.request+"Host: localhost\r\n\r\n")
			require.NoError(t, err)
			require.Equal(t, c.want, <-canPark)
		})
	}
}

// The kernel would report an end again and again until the connection is closed. While an
// event is being written, that may take a moment.
func TestAnEndIsReportedOnceEvenIfTheOwnerClosesLater(t *testing.T) {
	overEachTransport(t, func(t *testing.T, l *lot) {
		c, o := l.park(t)
		c.Close()
		<-o.gone
		time.Sleep(moment)
		require.EqualValues(t, 1, o.goes.Load())
		o.close()
		_, err := o.parked.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}
