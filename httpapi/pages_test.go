package httpapi_test

import (
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// references match what a page loads or links to, by the media type of the file.
var references = map[string]*regexp.Regexp{
	"text/html":       regexp.MustCompile(`(?:href|src|action)="([^"#][^"]*)"`),
	"text/css":        regexp.MustCompile(`url\("?([^")]+)"?\)`),
	"text/javascript": regexp.MustCompile(`(?m)(?:^(?:import|export)\s[\w{}*,\s]*|\bimport\()"([^"]+)"`),
}

// serveBelow serves the server below a path, as a proxy does that removes the path.
func serveBelow(t *testing.T, s *server, prefix string) *httptest.Server {
	outer := http.NewServeMux()
	outer.Handle(prefix+"/", http.StripPrefix(prefix, s.Config.Handler))
	below := httptest.NewServer(outer)
	t.Cleanup(below.Close)
	return below
}

// Nothing that a page names leads out of the path, and everything is there.
func TestAllPagesWorkBelowAnyPath(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, prefix := range []string{"/signal", "/a/b/c"} {
		below := serveBelow(t, s, prefix)
		seen := make(map[string]bool)
		var visit func(address string)
		visit = func(address string) {
			if seen[address] {
				return
			}
			seen[address] = true
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			require.NoError(t, err)
			r.Header.Set("Accept", "text/html, */*")
			response, err := below.Client().Do(r)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, http.StatusOK, response.StatusCode, address)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
			reference, known := references[mediaType]
			if !known || strings.Contains(address, "scalar-") {
				return
			}
			for _, found := range reference.FindAllStringSubmatch(string(text), -1) {
				target, err := response.Request.URL.Parse(found[1])
				require.NoError(t, err)
				if target.Host != response.Request.URL.Host {
					continue
				}
				require.True(t, strings.HasPrefix(target.EscapedPath(), prefix+"/"), "%s names %s", address, found[1])
				target.Fragment = ""
				visit(target.String())
			}
		}
		for _, page := range []string{"/", "/demo?room=x", "/doctor", "/dashboard", "/docs", "/problems/not-found"} {
			visit(below.URL + prefix + page)
		}
		for _, file := range []string{"/demo/call.js", "/doctor/rungs.js", "/dashboard/uplot-1.6.32.min.css", "/docs/docs.css", "/assets/page.js", "/peers.js", "/assets/event-stream.js", "/openapi.yaml"} {
			require.True(t, seen[below.URL+prefix+file], "%s was not found among %v", file, seen)
		}
	}
}

// A link to another path of the same origin would leave the path of the proxy.
func TestARedirectStaysBelowThePathOfAProxy(t *testing.T) {
	below := serveBelow(t, newServer(t, sse.Options{}, 100), "/signal")
	below.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for from, to := range map[string]string{
		"/demo": "/demo/", "/demo?room=a%26b&name=%D7%90": "/demo/?room=a%26b&name=%D7%90", "/doctor?silence=2": "/doctor/?silence=2", "/dashboard": "/dashboard/", "/docs": "/docs/",
		"/demo?": "/demo/", "/demo?to=//example.com": "/demo/?to=//example.com", "/%64emo": "/demo/",
	} {
		response, err := below.Client().Get(below.URL + "/signal" + from)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
		target, err := url.Parse(response.Header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, below.URL+"/signal"+to, response.Request.URL.ResolveReference(target).String())
	}
}
