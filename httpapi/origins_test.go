package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// askFor sends a request as a browser does for a page, and returns the
// answer.
func (s *server) askFor(t *testing.T, origin, method, path string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	require.NoError(t, err)
	r.Header.Set("Origin", origin)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	return response
}

// Tracers and wrappers of fetch add headers of their own to each request. If the server
// did not allow one of them, the browser would refuse the whole request.
func TestAPageOfAnotherOriginMaySendAnyHeader(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, names := range []string{
		"authorization,content-type,idempotency-key,last-event-id",
		"authorization,content-type,idempotency-key,traceparent,tracestate",
		"authorization,baggage,content-type,idempotency-key,sentry-trace",
		"x-b3-parentspanid,x-b3-sampled,x-b3-spanid,x-b3-traceid",
		"x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id",
		"newrelic,request-context,request-id,x-cloud-trace-context,uber-trace-id",
		"cache-control,pragma,x-requested-with,x-socket-id,ngsw-bypass",
		"x-csrf-token,x-xsrf-token,accept-version",
		"Authorization, TraceParent",
	} {
		for path, method := range map[string]string{"/events": "POST", "/events/batch": "POST", "/events/stream": "POST", "/events/poll": "GET", "/health": "GET", "/rooms/x": "DELETE"} {
			response := s.askFor(t, "https://app.example.com", http.MethodOptions, path, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", names)
			require.Equal(t, http.StatusNoContent, response.StatusCode)
			require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, method, response.Header.Get("Access-Control-Allow-Methods"))
			require.Equal(t, names, response.Header.Get("Access-Control-Allow-Headers"), "Authorization has to be named: * does not stand for it (Fetch, 4.8)")
			require.Contains(t, response.Header.Get("Vary"), "Access-Control-Request-Headers", "no cache gives the answer to another page")
		}
	}
}

// The pages of other origins learn nothing, whatever they ask for.
func TestAPageOfAForeignOriginMaySendNoHeader(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, func(u *setup) { u.API.CORSOrigins = []string{"https://app.example.com"} })
	response := s.askFor(t, "https://evil.example", http.MethodOptions, "/events", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "traceparent", "Access-Control-Request-Private-Network", "true")
	for _, name := range []string{"Origin", "Headers", "Methods", "Credentials", "Private-Network"} {
		require.NotContains(t, response.Header, "Access-Control-Allow-"+name)
	}
}

// A wrapper of fetch may add credentials: "include". The browser then demands an answer
// that names the origin, and allows credentials. Any page could otherwise use the
// cookies of a proxy, so this is only for pages that the operator has named.
func TestOnlyNamedOriginsMaySendCredentials(t *testing.T) {
	for origins, allowed := range map[string]string{"https://app.example.com": "true", "https://*.example.com": "true", "*": "", "null": ""} {
		s := newServer(t, sse.Options{}, 100, func(u *setup) { u.API.CORSOrigins = []string{"https://named.example", origins} })
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			response := s.askFor(t, "https://app.example.com", method, "/health", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "traceparent")
			require.Equal(t, allowed, response.Header.Get("Access-Control-Allow-Credentials"), origins)
			if allowed != "" {
				require.Equal(t, "https://app.example.com", response.Header.Get("Access-Control-Allow-Origin"))
			}
		}
	}
}

func TestAPageOfTheInternetMayUseAServerInAPrivateNetwork(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	response := s.askFor(t, "https://app.example.com", http.MethodOptions, "/events", "Access-Control-Request-Method", "POST", "Access-Control-Request-Private-Network", "true")
	require.Equal(t, "true", response.Header.Get("Access-Control-Allow-Private-Network"))
}

// The host of an app's origin may be any name. It does not make the app's page a page of
// the server.
func TestAPageOfAnAppIsNotAPageOfTheServer(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, unheard, func(u *setup) { u.API.CORSOrigins = []string{"https://app.example.com"} })
	for origin, status := range map[string]int{
		"capacitor://localhost": http.StatusForbidden, "app://localhost": http.StatusForbidden, "null": http.StatusForbidden, "https://localhost:8443": http.StatusForbidden,
		"http://localhost": http.StatusUnauthorized, "https://localhost": http.StatusUnauthorized, "HTTPS://LOCALHOST": http.StatusUnauthorized, "https://app.example.com": http.StatusUnauthorized,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", nil)
		require.NoError(t, err)
		r.Host = "localhost"
		r.Header.Set("Origin", origin)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, status, response.StatusCode, origin)
	}
}

// Some proxies write the default port into Host, and browsers never write it into
// Origin.
func TestADefaultPortMakesNoOtherOrigin(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, unheard, func(u *setup) { u.API.CORSOrigins = []string{"https://app.example.com"} })
	for origin, hosts := range map[string]map[string]int{
		"https://a.example":      {"a.example": http.StatusUnauthorized, "a.example:443": http.StatusUnauthorized, "a.example:80": http.StatusForbidden, "a.example:8443": http.StatusForbidden},
		"http://a.example":       {"a.example:80": http.StatusUnauthorized, "a.example:443": http.StatusForbidden},
		"https://a.example:8443": {"a.example:8443": http.StatusUnauthorized, "a.example": http.StatusForbidden},
	} {
		for host, status := range hosts {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", nil)
			require.NoError(t, err)
			r.Host = host
			r.Header.Set("Origin", origin)
			response, err := s.Client().Do(r)
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, status, response.StatusCode, "%s at %s", origin, host)
		}
	}
}

func TestPagesOfOtherOriginsMayUseTheAPI(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for path, method := range map[string]string{"/events": "POST", "/events/stream": "POST", "/health": "GET"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", "https://app.example.com")
		r.Header.Set("Access-Control-Request-Method", method)
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,idempotency-key,last-event-id")
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusNoContent, response.StatusCode)
		require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "authorization,content-type,idempotency-key,last-event-id", response.Header.Get("Access-Control-Allow-Headers"))
	}
	p := s.stream(t, http.MethodGet, "/events", map[string]string{"Origin": "https://app.example.com"})
	require.Equal(t, "*", p.response.Header.Get("Access-Control-Allow-Origin"))
}

func TestOnlyListedOriginsMayUseTheAPI(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, func(u *setup) {
		u.API.CORSOrigins = []string{
			"https://App.example.com:443/", "https://*.example.org", "https://bücher.example", "http://localhost:*", "capacitor://localhost",
			"moz-extension://*", "http://[2001:DB8:0::1]:80",
		}
	})
	for origin, allowed := range map[string]bool{
		"https://app.example.com":                              true,
		"https://a.example.org":                                true,
		"http://app.example.com":                               false,
		"https://app.example.com.evil":                         false,
		"https://evil.com":                                     false,
		"null":                                                 false,
		"https://xn--bcher-kva.example":                        true,
		"http://localhost":                                     true,
		"http://localhost:3000":                                true,
		"https://localhost:3000":                               false,
		"http://localhost.evil.com":                            false,
		"https://a.example.org:8443":                           false,
		"https://example.org":                                  false,
		"https://app.example.com:444":                          false,
		"capacitor://localhost":                                true,
		"ionic://localhost":                                    false,
		"capacitor://localhost:80":                             false,
		"moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc": true,
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop":  false,
		"http://[2001:db8::1]":                                 true,
		"file://":                                              false,
	} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/health", nil)
			require.NoError(t, err)
			r.Header.Set("Origin", origin)
			if method == http.MethodOptions {
				r.Header.Set("Access-Control-Request-Method", "GET")
			}
			response, err := s.Client().Do(r)
			require.NoError(t, err)
			response.Body.Close()
			want := ""
			if allowed {
				want = origin
			}
			require.Equal(t, want, response.Header.Get("Access-Control-Allow-Origin"), origin)
		}
	}
}
