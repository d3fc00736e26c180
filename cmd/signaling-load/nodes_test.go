package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/server"
	"signaling-server/sse"
)

// node is one of several that are one server here because they share its handler.
type node struct {
	*httptest.Server
	streams, polls, posts atomic.Int64
}

func newNode(t *testing.T, shared http.Handler) *node {
	n := new(node)
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			n.posts.Add(1)
		case strings.HasSuffix(r.URL.Path, "/poll"):
			n.polls.Add(1)
		default:
			n.streams.Add(1)
		}
		shared.ServeHTTP(w, r)
	}))
	t.Cleanup(n.kill)
	return n
}

// kill ends the node and all its connections.
func (n *node) kill() {
	_ = n.Listener.Close()
	n.CloseClientConnections()
	n.Close()
}

func TestRequestsGoToAllNodesInTurn(t *testing.T) {
	for name, flags := range map[string][]string{
		"streams":              nil,
		"polls":                {"-transport=poll"},
		"net/http and batches": {"-net-http", "-batch=5"},
		"shared connections":   {"-post-connections=2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := ours(t, server.Parts{}).Handler()
			a, b, c := newNode(t, shared), newNode(t, shared), newNode(t, shared)
			r := measure(t, brief(a.URL+","+b.URL, append(flags, "-url", c.URL)...)...)
			require.Equal(t, strings.Join([]string{a.URL, b.URL, c.URL}, ","), r.URL)
			require.Zero(t, *r.Resuming)
			for _, n := range []*node{a, b, c} {
				require.Greater(t, n.posts.Load(), (a.posts.Load()+b.posts.Load()+c.posts.Load())/4)
				require.GreaterOrEqual(t, n.streams.Load()+n.polls.Load(), int64(3), "of 10 clients")
			}
		})
	}
}

// Clients of a node that is killed come back at another, as the same sockets.
func TestClientsComeBackAtAnotherNode(t *testing.T) {
	for name, flags := range map[string][]string{
		"as shipped clients do":  {"-rate=500"},
		"in turn":                nil,
		"as EventSource does":    {"-rate=500", "-retry=300ms"},
		"by polls":               {"-rate=500", "-transport=poll"},
		"while others leave too": {"-rate=500", "-churn=20"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := ours(t, server.Parts{}).Handler()
			a, b := newNode(t, shared), newNode(t, shared)
			kill := time.AfterFunc(300*time.Millisecond, b.kill)
			r := measure(t, brief(a.URL+","+b.URL, append(flags, "-duration=2s")...)...)
			require.False(t, kill.Stop())
			require.Equal(t, check{Accepted: r.Check.Accepted, Received: r.Check.Accepted}, r.Check)
			require.Positive(t, r.Resuming.Repeated)
			require.Equal(t, r.Resuming.Broken, r.Resuming.Resumed)
			if strings.Contains(name, "polls") {
				return
			}
			require.Positive(t, r.Resuming.Resumed)
			require.Positive(t, r.Resuming.Latency.P99)
			require.Equal(t, strings.Contains(name, "EventSource"), r.Resuming.Latency.P50 >= 300)
		})
	}
}

// spoiled lets spoil decide about each event that is posted: it returns true if it has answered.
func spoiled(shared http.Handler, spoil func(nth int64, w http.ResponseWriter, r *http.Request) bool) http.Handler {
	var posts atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !spoil(posts.Add(1), w, r) {
			shared.ServeHTTP(w, r)
		}
	})
}

func problem(w http.ResponseWriter, status int, name string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"/problems/%s"}`, name)
}

// A request that was not accepted, or whose answer is lost, is repeated under its key.
func TestRequestsAreRepeatedUnderTheirKey(t *testing.T) {
	t.Parallel()
	shared := ours(t, server.Parts{}).Handler()
	var keys sync.Map
	url := serve(t, spoiled(shared, func(nth int64, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Idempotency-Key") == "" {
			problem(w, http.StatusBadRequest, "no-key")
			return true
		}
		key := r.Header.Get("Authorization") + r.Header.Get("Idempotency-Key")
		if _, isRepeat := keys.LoadOrStore(key, true); isRepeat {
			return false
		}
		switch nth % 10 {
		case 0:
			problem(w, http.StatusServiceUnavailable, "not-ready")
		case 1:
			problem(w, http.StatusServiceUnavailable, "shutting-down")
		case 3:
			shared.ServeHTTP(httptest.NewRecorder(), r)
			problem(w, http.StatusGatewayTimeout, "outcome-unknown")
		case 6:
			shared.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	}))
	for _, more := range []string{"-batch=1", "-batch=5"} {
		r := measure(t, brief(url, "-resume", "-rate=500", "-duration=500ms", more)...)
		require.Equal(t, check{Accepted: r.Check.Accepted, Received: r.Check.Accepted}, r.Check)
		require.Positive(t, r.Resuming.Repeated)
	}
}

// What a node does wrong when a client comes back is found.
func TestFaultsOfResumingAreFound(t *testing.T) {
	resuming := func(edit func(id sse.EventID, r *http.Request)) func(http.Handler) http.Handler {
		return func(shared http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, isOne := sse.ParseEventID(r.Header.Get("Last-Event-ID"))
				r.Header.Del("Last-Event-ID") // nothing is confirmed
				if isOne && r.Method == http.MethodGet {
					edit(id, r)
				}
				shared.ServeHTTP(w, r)
			})
		}
	}
	for name, c := range map[string]struct {
		node func(http.Handler) http.Handler
		says string
	}{
		"events come again": {
			resuming(func(id sse.EventID, r *http.Request) {
				r.Header.Set("Last-Event-ID", fmt.Sprintf("%s.%d", id.Token.Secret(), id.Sequence-2))
			}), `lost · doubled · reordered +0 · [1-9]\d* · 0`,
		},
		"sockets are lost": {
			resuming(func(_ sse.EventID, r *http.Request) { r.Header.Del("Authorization") }), `lost their stream +[1-9]`,
		},
		"sockets end": {
			resuming(func(id sse.EventID, r *http.Request) {
				r.Header.Set("Last-Event-ID", fmt.Sprintf("%s.%d", id.Token.Secret(), id.Sequence+1000))
			}), `heard that a member has left +[1-9]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := c.node(ours(t, server.Parts{}).Handler())
			a, b := newNode(t, shared), newNode(t, shared)
			kill := time.AfterFunc(300*time.Millisecond, b.kill)
			status, stdout, stderr := try(t, brief(a.URL+","+b.URL, "-rate=500", "-duration=2s")...)
			require.False(t, kill.Stop())
			require.Equal(t, 1, status, stdout+stderr)
			require.Regexp(t, c.says, stdout)
		})
	}
}

// A run that no node takes ends, and says what to do.
func TestANodeThatIsNotReadyIsExplained(t *testing.T) {
	t.Parallel()
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusServiceUnavailable, "not-ready") }))
	status, _, stderr := try(t, brief(url+","+url)...)
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "/readyz says why")
}

func TestEachProcessIsMeasured(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("-pid needs Linux")
	}
	t.Parallel()
	url := serve(t, ours(t, server.Parts{}).Handler())
	own := fmt.Sprint(os.Getpid())
	r := measure(t, brief(url, "-pid", own+","+own, "-engine-pid", own)...)
	var roles []string
	for _, p := range r.Sending.Processes {
		require.Equal(t, os.Getpid(), p.PID)
		require.Positive(t, p.Each)
		require.Positive(t, p.Cores)
		require.Positive(t, p.Resident)
		roles = append(roles, p.Role)
	}
	require.Equal(t, []string{"server", "server", "engine"}, roles)
	require.InDelta(t, r.Sending.Processes[0].Each+r.Sending.Processes[1].Each, r.Sending.Server, 0.001, "the engine is not counted")
	require.Empty(t, measure(t, brief(url, "-pid", own)...).Sending.Processes)
}

// muffled is a connection that may lose all that a stream brings, as if its node were gone from
// one moment to the next.
type muffled struct {
	net.Conn
	isGone   *atomic.Bool
	isStream atomic.Bool
}

func (m *muffled) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if strings.HasPrefix(string(b[:n]), "GET /events") {
		m.isStream.Store(true)
	}
	return n, err
}

func (m *muffled) Write(b []byte) (int, error) {
	if m.isGone.Load() && m.isStream.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

// muffling is a listener of such connections.
type muffling struct {
	net.Listener
	isGone atomic.Bool
}

func (l *muffling) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &muffled{Conn: conn, isGone: &l.isGone}, err
}

// A stream that is silent for two and a half heartbeats is given up.
func TestASilentStreamIsResumedElsewhere(t *testing.T) {
	t.Parallel()
	shared := ours(t, server.Parts{SSE: sse.Options{HeartbeatInterval: 100 * time.Millisecond}}).Handler()
	good := newNode(t, shared)
	silent := httptest.NewUnstartedServer(shared)
	listener := &muffling{Listener: silent.Listener}
	silent.Listener = listener
	silent.Start()
	t.Cleanup(func() {
		silent.CloseClientConnections()
		silent.Close()
	})
	time.AfterFunc(200*time.Millisecond, func() { listener.isGone.Store(true) })
	r := measure(t, brief(good.URL+","+silent.URL, "-rate=500", "-duration=1500ms")...)
	require.Equal(t, check{Accepted: r.Check.Accepted, Received: r.Check.Accepted}, r.Check)
	require.Positive(t, r.Resuming.Resumed)
	require.Equal(t, r.Resuming.Broken, r.Resuming.Resumed)
}

// Events that wait for clients that are coming back are not lost yet.
func TestARunWaitsForClientsThatComeBack(t *testing.T) {
	for name, c := range map[string]struct{ returning, arrived, waits int64 }{
		"all is there":        {1, 5, 0},
		"nobody comes back":   {0, 4, 2},
		"somebody comes back": {1, 4, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				receiver, target := new(client), new(room)
				l := &load{clients: []*client{receiver}, rooms: []*room{target}}
				target.accepted.Store(5)
				receiver.received.Store(c.arrived)
				l.resumes.returning.Store(c.returning)
				time.AfterFunc(20*time.Second, func() {
					receiver.received.Store(5)
					l.resumes.returning.Store(0)
				})
				began := time.Now()
				l.drain()
				require.InDelta(t, c.waits, time.Since(began).Seconds(), 0.1)
			})
		})
	}
}

// A node may accept a connection, and never answer.
func TestAStreamThatIsNotAnsweredIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	address := &url.URL{Scheme: "http", Host: silent.Addr().String()}
	for _, l := range []link{newStandard(address, true, 50*time.Millisecond), newPlain(address, true, 50*time.Millisecond)} {
		_, err := l.stream([]byte("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		require.ErrorContains(t, err, "timeout")
		l.close()
	}
}
