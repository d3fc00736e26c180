package httpapi_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// Without ADMIN_TOKEN, the monitoring is open to everybody on the operator's machine. A
// page of any origin could make a browser there read it.
func TestAttackReadingTheMonitoringFromAnotherPage(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	s.join(t, "standup", "Ada")
	own := s.URL
	machine, err := os.Hostname()
	require.NoError(t, err)
	for _, one := range []struct {
		what, host, origin, site string
		is                       int
	}{
		{"a program", "", "", "", http.StatusOK},
		{"the dashboard, or an address that was typed", "localhost:3002", "", "same-origin", http.StatusOK},
		{"an address that was typed", "localhost", "", "none", http.StatusOK},
		{"the dashboard behind a proxy that ends TLS", "localhost", "https://sig.example.com", "same-origin", http.StatusOK},
		{"the dashboard in a browser without Fetch Metadata", "", own, "", http.StatusOK},
		{"the dashboard by https, without Fetch Metadata", "localhost:3002", "https://LOCALHOST:3002", "", http.StatusOK},
		{"another name of this machine", "app.localhost:3002", "", "", http.StatusOK},
		{"the machine's name", machine + ":3002", "", "", http.StatusOK},
		{"the machine's name in the local network", machine + ".local:3002", "", "", http.StatusOK},
		{"an IPv6 address", "[::1]:3002", "", "", http.StatusOK},
		{"an IPv6 address without a port", "[fe80::1]", "", "", http.StatusOK},
		{"a private address", "192.168.0.7:3002", "", "", http.StatusOK},

		{"a page of another site", "", "https://evil.example", "cross-site", http.StatusForbidden},
		{"a script or image that a page of another site loads", "", "", "cross-site", http.StatusForbidden},
		{"a page of another port", "", "http://127.0.0.1:9999", "same-site", http.StatusForbidden},
		{"a page of another port in a browser without Fetch Metadata", "", "http://127.0.0.1:9999", "", http.StatusForbidden},
		{"a page in a sandbox", "", "null", "", http.StatusForbidden},
		{"an Origin that cannot be parsed", "", "http://%zz", "", http.StatusForbidden},
		{"a foreign name that resolves to this machine (DNS rebinding)", "evil.example:3002", "", "", http.StatusForbidden},
		{"a page of that name, which is same-origin to its browser (DNS rebinding)", "evil.example:3002", "http://evil.example:3002", "same-origin", http.StatusForbidden},
		{"a name that only begins with localhost", "localhost.evil.example", "", "", http.StatusForbidden},
		{"a name that only ends with localhost", "evillocalhost", "", "", http.StatusForbidden},
		{"a name that begins with an address", "127.0.0.1.evil.example", "", "", http.StatusForbidden},
	} {
		for _, o := range operations {
			if o.method != http.MethodGet {
				continue
			}
			r := o.request(t, s)
			if one.host != "" {
				r.Host = one.host
			}
			for name, value := range map[string]string{"Origin": one.origin, "Sec-Fetch-Site": one.site} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			response, err := s.Client().Do(r)
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, one.is, response.StatusCode, "%s: %s", one.what, o.path)
			if one.is == http.StatusForbidden {
				require.NotContains(t, response.Header, "Access-Control-Allow-Origin", "the page cannot read even the refusal")
			}
		}
	}
	r := operation{method: http.MethodGet, path: "/rooms"}.request(t, s)
	r.Host = "evil.example"
	_, problem := s.do(t, r)
	require.Equal(t, "/problems/origin-not-allowed", problem["type"])
	require.Contains(t, problem["detail"], "Set ADMIN_TOKEN")
}

// With the token, a page of an allowed origin can read the monitoring, whatever the Host
// of its request.
func TestAPageOfAnotherOriginReadsTheMonitoringWithTheToken(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken, func(u *setup) { u.API.CORSOrigins = []string{"https://ops.example.com"} })
	for origin, allowed := range map[string]string{"https://ops.example.com": "https://ops.example.com", "https://evil.example": ""} {
		r := operation{method: http.MethodGet, path: "/connections"}.request(t, s)
		r.Host = "signaling.example.com"
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Authorization", "Bearer "+adminToken)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, allowed, response.Header.Get("Access-Control-Allow-Origin"))
	}
}
