package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A page of another origin has a wrong address for the server. Its client says what is
// there, and what to do, on the console and in connect_error.
func TestAWrongAddressIsReported(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	answering := func(handle http.HandlerFunc) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			handle(w, r)
		}))
		t.Cleanup(s.Close)
		t.Cleanup(s.CloseClientConnections)
		return s.URL
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	for name, wrong := range map[string]struct{ address, says string }{
		"nothing is there":      {answering(http.NotFound), "(status 404)"},
		"every path has a page": {answering(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }), "(status 200)"},
		"every path has JSON": {answering(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{}")
		}), "(status none)"},
		"a namespace":             {url + "/chat", "(status 404)"},
		"no server runs":          {"http://127.0.0.1:" + freePort(t), "(status none)"},
		"the scheme is https":     {"https://127.0.0.1:" + port, "(status none)"},
		"the address has a path":  {url + "/client.js", "(status 404)"},
		"the scheme is not known": {"htp://127.0.0.1:" + port, "(status none)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := openFailingTab(t, "page", serveElsewhere(t, fmt.Sprintf(`<!doctype html><link rel="icon" href="data:,"><script type="module">
				import { io } from "%[1]s/client.js";
				io("%[2]s");
				io("%[2]s").on("connect_error", (error) => window.says ??= error.message);
			</script>`, url, wrong.address)))
			p.until("told", `window.says`)
			says := evaluate[string](p, `says`)
			require.Contains(t, says, wrong.says)
			require.Contains(t, says, `No signaling server answered a request to "`+wrong.address)
			require.Contains(t, says, "give io() its address")
			p.until("quiet", `new Promise((resolve) => setTimeout(resolve, 100, true))`)
			p.mu.Lock()
			console := strings.Join(p.console, "\n")
			p.mu.Unlock()
			require.Equal(t, 1, strings.Count(console, "console.warning: signaling: "), console)
			require.Contains(t, console, wrong.says)
			p.forgive("exception")
		})
	}
}

// storingWorker answers from its cache whatever it has seen before.
const storingWorker = `
	addEventListener("install", () => skipWaiting());
	addEventListener("activate", (event) => event.waitUntil(clients.claim()));
	addEventListener("fetch", (event) => {
		if (event.request.method !== "GET") return;
		event.respondWith(caches.open("all").then(async (cache) => {
			const known = await cache.match(event.request);
			if (known) return known;
			const answer = await fetch(event.request);
			cache.put(event.request, answer.clone()).catch(() => {});
			return answer;
		}));
	});`

func TestAServiceWorkerThatStoresEverythingReplaysNoSession(t *testing.T) {
	takesTurns(t)
	proxy := startShapingProxy(t, startServer(t), map[string]string{"/page.html": blankPage, "/sw.js": storingWorker})
	p := openTab(t, "page", proxy.url+"/page.html")
	evaluate[any](p, `navigator.serviceWorker.register("/sw.js").then(() => null)`)
	p.until("controlled", `navigator.serviceWorker.controller`)
	evaluate[any](p, `import("/client.js").then(({ io }) => { window.socket = io(); window.ids = []; socket.on("connect", () => ids.push(socket.id)); return null; })`)
	for n := range 3 {
		p.until("connected", fmt.Sprintf("ids.length === %d", n+1))
		p.until("accepted", `socket.emitWithAck("ping").then(({ status }) => status === 202)`)
		evaluate[any](p, `socket.disconnect(); null`)
		p.until("stored", fmt.Sprintf(`(await (await caches.open("all")).keys()).filter(({ url }) => new URL(url).pathname === "/events").length >= %d`, n+1))
		evaluate[any](p, `socket.connect(); null`)
	}
	p.until("connected for the last time", `ids.length === 4`)
	require.Equal(t, 4, evaluate[int](p, `new Set(ids).size`), "each session is new")
}
