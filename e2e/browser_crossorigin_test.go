package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wrappedFetch is a page of another origin. Something in it changes the page's requests
// before they leave, as tracers do. Then the page joins a room.
const wrappedFetch = `<!doctype html><link rel="icon" href="data:,"><script type="module">
	const real = window.fetch;
	window.fetch = (address, init = {}) => {
		const { method = "GET" } = init;
		const headers = new Headers(init.headers);
		init = { ...init, headers };
		%[2]s
		return real(address, init);
	};
	const { io } = await import("%[1]s/client.js");
	const { joinRoom } = await import("%[1]s/peers.js");
	window.errors = [];
	window.socket = io("%[1]s").on("connect_error", (error) => errors.push(error.message));
	joinRoom(socket, "room", { userId: "Ada" }).then((room) => { window.room = room; });
</script>`

const traceparent = `headers.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");`

func TestAPageOfAnotherOriginMayWrapFetch(t *testing.T) {
	takesTurns(t)
	open := startServer(t)
	named := startServer(t, "CORS_ORIGIN=http://127.0.0.1:*")
	for name, page := range map[string]struct{ server, change string }{
		"with a tracer":                      {open, traceparent},
		"with several tracers":               {open, `for (const name of ["baggage", "sentry-trace", "x-b3-traceid", "x-datadog-trace-id", "x-requested-with", "pragma"]) headers.set(name, "1");`},
		"with credentials":                   {named, `init.credentials = "include";`},
		"with credentials and with a tracer": {named, `init.credentials = "include"; ` + traceparent},
	} {
		t.Run(name, func(t *testing.T) {
			p := openTab(t, "page", serveElsewhere(t, fmt.Sprintf(wrappedFetch, page.server, page.change)))
			p.until("in the room", `window.room`)
			require.Empty(t, evaluate[[]string](p, `errors`))
		})
	}
}

// startStrictProxy starts a proxy that lets pages of other origins send four headers and no
// others, as servers of version 1.0.0 did.
func startStrictProxy(t *testing.T, serverURL string) string {
	t.Helper()
	target, err := url.Parse(serverURL)
	require.NoError(t, err)
	upstream := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
			if !slices.Contains([]string{"", "authorization", "content-type", "idempotency-key", "last-event-id"}, name) {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		upstream.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

// The stream of a page works, but the browser or an extension refuses each POST. The
// client reports it, and goes on trying.
func TestARefusalOfEachPostIsReported(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	for name, page := range map[string]struct{ server, change string }{
		"by the server's list of headers": {startStrictProxy(t, url), `if (method === "POST" && !window.stopped) ` + traceparent},
		"by an extension":                 {url, `if (method === "POST" && !window.stopped) return Promise.reject(new TypeError("Failed to fetch"));`},
		"by the page's policy":            {url, `if (method === "POST" && !window.stopped) address = "http://elsewhere.invalid/events";`},
	} {
		t.Run(name, func(t *testing.T) {
			p := openFailingTab(t, "page", serveElsewhere(t, `<meta http-equiv="Content-Security-Policy" content="connect-src http://127.0.0.1:*">`+fmt.Sprintf(wrappedFetch, page.server, page.change)))
			p.until("told", `window.errors?.length`)
			require.True(t, evaluate[bool](p, `socket.connected`), "the stream works")
			require.Contains(t, evaluate[string](p, `errors[0]`), fmt.Sprintf("No signaling server answered a request to %q", page.server+"/"))
			require.False(t, evaluate[bool](p, `Boolean(window.room)`))
			evaluate[any](p, `window.stopped = true, dispatchEvent(new Event("online")), null`) // the client does not wait longer
			p.until("in the room", `window.room`)
			p.forgive("exception")
		})
	}
}

// A sandboxed frame, or a page from a file, has the origin null.
func TestAPageWithoutAnOriginMayUseTheServerIfThatIsAllowed(t *testing.T) {
	takesTurns(t)
	url := startServer(t, "CORS_ORIGIN=https://app.example.com,null")
	p := openTab(t, "page", serveElsewhere(t, fmt.Sprintf(`<!doctype html><link rel="icon" href="data:,"><script>
		addEventListener("message", ({ data, origin }) => { window.heard = data + " " + origin; });
	</script><iframe sandbox="allow-scripts" srcdoc='<script type="module">
		import { io } from "%[1]s/client.js";
		const socket = io("%[1]s");
		socket.emitWithAck("join-room", "room", "Ada").then(({ status }) => parent.postMessage(status, "*"));
	</script>'></iframe>`, url)))
	p.until("joined", `window.heard === "202 null"`)
}

func TestTheDemoSaysThatNothingCanBeSentAndWhenItCanAgain(t *testing.T) {
	takesTurns(t)
	ada := openFaultyDemo(t, startServer(t), "mute", "Ada", `
		const real = fetch;
		window.fetch = (address, init) => window.mute && init?.method === "POST" ? Promise.reject(new TypeError("Failed to fetch")) : real(address, init);`)
	evaluate[any](ada.tab, `window.mute = true, null`)
	ada.say("hello")
	ada.until("told", `document.querySelector("#status").dataset.state === "reconnecting"`)
	ada.reads("The server cannot be reached. Calls go on")
	evaluate[any](ada.tab, `window.mute = false, null`)
	ada.until("back", `document.querySelector("#status").dataset.state === "open" && !document.body.innerText.includes("The server cannot be reached")`)
	ada.reads("hello")
}
