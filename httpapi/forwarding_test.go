package httpapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
	"signaling-server/sse"
)

// warnings is a log that a test reads while a server writes it.
type warnings struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *warnings) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(line)
}

func (w *warnings) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Split(strings.TrimSuffix(w.text.String(), "\n"), "\n")
}

func (w *warnings) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// A proxy that does not name its clients rightly harms them, and lets them lie. The log
// says so, once for each fault.
func TestTheLogWarnsOfProxiesThatDoNotNameTheirClients(t *testing.T) {
	forwarded := func(values ...string) (all []map[string]string) {
		for _, value := range values {
			name, value, _ := strings.Cut(value, ": ")
			all = append(all, map[string]string{name: value})
		}
		return all
	}
	both := map[string]string{"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.2"}
	for _, c := range []struct {
		what     string
		requests []map[string]string
		want     string // a part of the warning; empty: there is none
	}{
		{"a proxy that always names them", forwarded("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.7, 192.0.2.1"), ""},
		{"a proxy that sets both headers", []map[string]string{{"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}}, ""},
		{"a proxy that passes X-Real-IP on, which is not read", []map[string]string{{"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "1.2.3.4"}, {"X-Forwarded-For": "192.0.2.1"}}, ""},
		{"a proxy that passes X-Forwarded-For on", forwarded("", "X-Forwarded-For: 198.51.100.7"), "X-Forwarded-For comes with some requests"},
		{"a proxy that passes X-Forwarded-For on, the liar comes first", forwarded("X-Forwarded-For: 198.51.100.7", ""), "X-Forwarded-For comes with some requests"},
		{"a proxy that passes Forwarded on", []map[string]string{both, {"X-Forwarded-For": "192.0.2.1"}}, "Forwarded comes with some requests"},
		{"a proxy that passes X-Real-IP on", forwarded("", "X-Real-IP: 198.51.100.7"), "X-Real-Ip comes with some requests"},
		{"a proxy that sets only X-Real-IP, and passes X-Forwarded-For on", []map[string]string{{"X-Real-IP": "192.0.2.1"}, {"X-Real-IP": "192.0.2.1", "X-Forwarded-For": "198.51.100.7"}}, "X-Forwarded-For comes with some requests"},
		{"headers that disagree", []map[string]string{both}, "different clients"},
		{"a header without an address", forwarded("X-Forwarded-For: unix:"), "holds no address"},
		{"another proxy that is not trusted", forwarded("X-Forwarded-For: 192.0.2.1, 172.17.0.1"), "add it to TRUSTED_PROXIES"},
		{"some requests that name nobody, as from the same machine", make([]map[string]string, 99), ""},
		{"a proxy that never names anybody", make([]map[string]string, 101), "does not name its clients"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var log warnings
			s := newServer(t, sse.Options{Logger: log.logger()}, 100, behindALoopbackProxy)
			for range 2 {
				for _, headers := range c.requests {
					delete(headers, "")
					s.ask(t, http.StatusOK, http.MethodGet, "/events/poll?wait=0", headers)
				}
				if len(c.requests) > 90 {
					break
				}
			}
			found := log.lines()
			if c.want == "" {
				require.Equal(t, []string{""}, found)
				return
			}
			var matching []string
			for _, line := range found {
				require.Contains(t, line, "proxy=127.0.0.1")
				if strings.Contains(line, c.want) {
					matching = append(matching, line)
				}
			}
			require.Len(t, matching, 1, found)
		})
	}
}

// Probes and operators may reach the server by another way than clients.
func TestOnlyRequestsOfClientsSayHowAProxyNamesThem(t *testing.T) {
	var log warnings
	s := newServer(t, sse.Options{Logger: log.logger()}, 100, behindALoopbackProxy)
	s.ask(t, http.StatusOK, http.MethodGet, "/events/poll?wait=0", map[string]string{"X-Forwarded-For": "192.0.2.1"})
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/stats", "/rooms", "/"} {
		s.ask(t, http.StatusOK, http.MethodGet, path, nil)
	}
	require.Equal(t, []string{""}, log.lines())
}

func TestTheLogWarnsOnceOfAProxyThatIsNotTrusted(t *testing.T) {
	for _, header := range clientip.Headers {
		for name, others := range map[string][]func(*setup){
			"none is trusted":    nil,
			"another is trusted": {func(u *setup) { u.API.TrustedProxies = clientip.Proxies{clientip.UnixSocket} }},
		} {
			t.Run(header+", "+name, func(t *testing.T) {
				var log warnings
				s := newServer(t, sse.Options{Logger: log.logger()}, 100, others...)
				for n := range 3 {
					s.ask(t, http.StatusOK, http.MethodGet, "/events/poll?wait=0", map[string]string{header: fmt.Sprint("for=192.0.2.", n)})
				}
				found := log.lines()
				require.Len(t, found, 1)
				require.Contains(t, found[0], "add it to TRUSTED_PROXIES")
				require.Contains(t, found[0], "proxy=127.0.0.1")
			})
		}
	}
}

// Behind a proxy that ends TLS, browsers learn to insist on https as they do without it.
func TestBehindAProxyThatEndsTLSBrowsersLearnToInsistOnHTTPS(t *testing.T) {
	strictly := func(u *setup) { u.API.StrictTransport = 365 * 24 * time.Hour; u.API.Environment = httpapi.Production }
	const hsts = "Strict-Transport-Security"
	paths := map[string]int{
		"/": http.StatusOK, "/demo/": http.StatusOK, "/client.js": http.StatusOK, "/livez": http.StatusOK, "/events/poll?wait=0": http.StatusOK,
		"/nowhere": http.StatusNotFound, "/rooms": http.StatusForbidden, "/docs": http.StatusPermanentRedirect,
	}
	for path, status := range paths {
		s := newServer(t, sse.Options{}, 100, strictly, behindALoopbackProxy)
		s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, headers := range []map[string]string{{"X-Forwarded-Proto": "https"}, {"Forwarded": "for=192.0.2.1;proto=https"}} {
			require.Equal(t, []string{"max-age=31536000"}, s.ask(t, status, http.MethodGet, path, headers)[hsts], path)
		}
		require.Empty(t, s.ask(t, status, http.MethodGet, path, map[string]string{"X-Forwarded-Proto": "http"})[hsts], path)
		require.Empty(t, s.ask(t, status, http.MethodGet, path, nil)[hsts], path)
	}
	untrusting := newServer(t, sse.Options{}, 100, strictly)
	require.Empty(t, untrusting.ask(t, http.StatusOK, http.MethodGet, "/", map[string]string{"X-Forwarded-Proto": "https"})[hsts], "anybody may write that")
	developing := newServer(t, sse.Options{}, 100, behindALoopbackProxy)
	require.Empty(t, developing.ask(t, http.StatusOK, http.MethodGet, "/", map[string]string{"X-Forwarded-Proto": "https"})[hsts])
}
