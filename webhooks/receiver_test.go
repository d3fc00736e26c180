package webhooks_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/webhooks"
)

const patience = 10 * time.Second

// A receiver over a real network fails in each way that it can, and has the change in the end.
func TestARealReceiverMayFailInAnyWay(t *testing.T) {
	var strayed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	t.Cleanup(elsewhere.Close) // the subtests go on when this function has returned
	hung := make(chan struct{})
	for name, fail := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"it is gone": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) },
		"a reset": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, _ := w.(http.Hijacker).Hijack()
			_ = connection.(*net.TCPConn).SetLinger(0)
			_ = connection.Close()
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, _ := w.(http.Hijacker).Hijack()
			_, _ = connection.Write([]byte("SSH-2.0-OpenSSH\r\n\r\n"))
			_ = connection.Close()
		},
		"a refusal that never ends": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"a refusal that hangs": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-hung:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := new(receiver)
			var tried atomic.Int32
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tried.Add(1) <= 2 {
					fail(w, r)
					return
				}
				backend.ServeHTTP(w, r)
			}))
			defer web.Close()
			s := start(t, webhooks.Options{URL: web.URL})
			s.enter("tea", "a")
			require.Eventually(t, func() bool {
				s.sender.Changed(true) // no pause
				return len(backend.list()) == 2
			}, patience, 5*time.Millisecond)
			status := s.sender.Status()
			require.Equal(t, uint64(2), status.FailedAttempts)
			require.NotContains(t, status.LastFailure.Text, web.URL)
			s.stop()
			require.Zero(t, strayed.Load())
		})
	}
	t.Cleanup(func() { close(hung) })
}

// An answer that has begun counts, however much follows it.
func TestAnAnswerCountsWhenItBegins(t *testing.T) {
	t.Parallel()
	var tried atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tried.Add(1)
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer web.Close()
	s := start(t, webhooks.Options{URL: web.URL})
	s.enter("tea", "a")
	require.Eventually(t, func() bool { return s.sender.Status().Delivered == 2 }, patience, 5*time.Millisecond)
	require.Equal(t, int32(2), tried.Load())
}

func TestAReceiverMayBeAwayForAWhile(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := listener.Addr().String()
	require.NoError(t, listener.Close())
	s := start(t, webhooks.Options{URL: "http://user:password@" + at})
	s.enter("tea", "a")
	require.Eventually(t, func() bool { return s.sender.Status().IsFailing }, patience, 5*time.Millisecond)
	require.Contains(t, s.sender.Status().LastFailure.Text, "connection refused")
	require.NotContains(t, s.sender.Status().LastFailure.Text, "password")

	backend := new(receiver)
	listener, err = net.Listen("tcp", at)
	require.NoError(t, err)
	web := &httptest.Server{Listener: listener, Config: &http.Server{Handler: backend}}
	web.Start()
	defer web.Close()
	require.Eventually(t, func() bool {
		s.sender.Changed(true)
		return len(backend.list()) == 2
	}, patience, 5*time.Millisecond)
	s.stop()
}
