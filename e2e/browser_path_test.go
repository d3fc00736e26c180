package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// startBelowPath starts an nginx that serves the server below /signal/, and removes that
// path from the requests. It returns the address of the server behind it.
func startBelowPath(t *testing.T, serverURL string) string {
	t.Helper()
	below := nginx
	below.lines, below.path = "nginx-path.conf", "/signal"
	below.installed(t)
	return below.start(t, serverURL, false).url
}

// Nothing but the server's path leads anywhere, so a file or a request that a page seeks
// at the root fails. The console of a page then has an error, and fails the test.
func TestAllPagesWorkBelowThePathOfAProxy(t *testing.T) {
	takesTurns(t)
	const token = "no-operator-but-me"
	url := startBelowPath(t, startServer(t, "ADMIN_TOKEN="+token))

	landing := openTab(t, "the landing page", url)
	landing.until("live", `document.querySelector("#live-dot").dataset.state === "up"`)
	require.Equal(t, []string{url}, evaluate[[]string](landing, `[...new Set([...document.querySelectorAll("[data-server]")].map((each) => each.textContent))]`))
	landing.click(`.hero a[href="demo/"]`)

	// Without a slash at its end, the address of the demo is redirected.
	ada := joinDemo(landing, "tea & cake", "Ada")
	bob := joinDemo(openTab(t, "Bob", url+"/demo"), "tea & cake", "Bob")
	require.Equal(t, url+"/demo/?room=tea+%26+cake", evaluate[string](bob.tab, `location.href`))
	ada.click("#call")
	bob.plays(ada)
	evaluate[any](bob.tab, `Clipboard.prototype.writeText = async (text) => { window.copied = text; }, null`)
	bob.click("#share")
	bob.until("copying the link", `window.copied === "`+url+`/demo/?room=tea%20%26%20cake"`)

	operator := openFailingTab(t, "the dashboard", url+"/dashboard")
	operator.gate()
	operator.enterToken(token)
	operator.shows("figure-connections", "2")
	operator.until("listing Ada", `document.querySelector("#connection-list tbody")?.innerText.includes("Ada")`)
	operator.forgive("404")

	v := seeDoctor(t, url, 1)
	v.concludes("good", "Calls can be set up from this network.")
	for _, lane := range []string{"eventSource", "fetchStream", "poll", "post"} {
		v.shows(lane, "works")
	}
	require.Contains(t, evaluate[string](v.tab, `document.querySelector("#report-text").textContent`), url)

	reference := openReference(t, url, "#tag/monitoring/GET/health")
	reference.pressButton("Test Request")
	reference.pressButton("Send")
	reference.until("telling the answer", `document.body.innerText.includes("200 OK")`)

	problem := openTab(t, "a page about a problem", url+"/problems/room-full")
	require.NotEqual(t, "0px", evaluate[string](problem, `getComputedStyle(document.querySelector(".bar")).paddingLeft`), "it has a style")
	problem.click(".brand")
	problem.until("at home", `location.href === "`+url+`/" && document.querySelector("#live-dot")?.dataset.state === "up"`)
	problem.click(`.bar-link[href="docs/"]`)
	problem.until("at the reference", `document.body.innerText.includes("/events/batch")`)

	response, err := http.Get(url + "/nothing")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"), "the path leads to the server")
}

func TestTheClientReadsAnAddressWithAPath(t *testing.T) {
	takesTurns(t)
	url := startBelowPath(t, startServer(t))
	p := openTab(t, "a page", url+"/")
	for _, options := range []string{`"` + url + `/"`, `"` + url + `"`, `"/signal/"`, `{ path: "/signal/" }`, `location.href`} {
		require.Equal(t, 202, evaluate[int](p, `import("`+url+`/client.js").then(({ io }) => {
			const socket = io(`+options+`);
			return socket.emitWithAck("join-room", "tea", "Ada").then(({ status }) => status, ({ message }) => message).finally(() => socket.disconnect());
		})`), options)
	}
}
