package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// codeBlocks returns the blocks of code that the documents mark with a name, in the
// order in which people read them.
func codeBlocks(t *testing.T, name string) (blocks []string) {
	t.Helper()
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	marked := regexp.MustCompile("(?s)<!-- test:" + name + " -->\\s*```\\w+\n(.*?)```")
	for _, page := range append([]string{"../README.md"}, pages...) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, match := range marked.FindAllSubmatch(text, -1) {
			blocks = append(blocks, string(match[1]))
		}
	}
	require.NotEmpty(t, blocks, "no document has a block of code after <!-- test:%s -->", name)
	return blocks
}

// codeBlock returns the only block of code with a name.
func codeBlock(t *testing.T, name string) string {
	t.Helper()
	blocks := codeBlocks(t, name)
	require.Len(t, blocks, 1, name)
	return blocks[0]
}

// All blocks of the documents that use curl run in one shell, one after the other. The
// server has another port than the documents name.
func TestFiveMinutesWithCurl(t *testing.T) {
	runsBeside(t)
	var script strings.Builder
	script.WriteString("set -m\n") // jobs, as in a terminal
	blocks := codeBlocks(t, "curl")
	require.GreaterOrEqual(t, len(blocks), 5)
	for _, block := range blocks {
		script.WriteString(block)
	}
	url := startServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", strings.ReplaceAll(script.String(), "http://localhost:3002", url))
	shell.Dir = t.TempDir()
	output, err := shell.CombinedOutput()
	text := string(output)
	require.NoError(t, err, text)
	require.Equal(t, 2, strings.Count(text, "202 Accepted"), text)
	require.Contains(t, text, `event: room-joined`)
	require.Contains(t, text, `"message":"Hello from curl"`)
	require.Contains(t, text, `did you mean roomId?`)
	require.Contains(t, text, `"resumed":true`)
	require.Contains(t, text, `{"roomId":"lobby","users":1,`)
	require.Regexp(t, `\{"events":\[\{"type":"pong","timestamp":\d+\}\],"lastEventId":"[\w-]{22}\.\d+"\}`, text)
}

// A back end does all that the page for it shows, in one shell.
func TestABackEndDoesWhatItsPageShows(t *testing.T) {
	runsBeside(t)
	folder, port := t.TempDir(), freePort(t)
	program, err := builtServer.build()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(program, filepath.Join(folder, "signaling-server")))
	script := "set -eum -o pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + strings.Join(codeBlocks(t, "back-end"), "")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", strings.ReplaceAll(script, "http://localhost:3002", "http://127.0.0.1:"+port))
	shell.Dir, shell.Env = folder, []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "HOST=127.0.0.1", "PORT=" + port}
	shell.Cancel = func() error { return shell.Process.Signal(syscall.SIGTERM) } // so that it ends its jobs
	output, err := shell.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(folder, "server.log"))
	require.NoError(t, err, "%s\n%s", output, log)
	require.Regexp(t, `\{"roomId":"standup","users":1,"userList":\[\{"userId":"ada",`, string(output))
	require.Contains(t, string(output), `"totalConnections":1`)
	require.Contains(t, string(output), "Your access was revoked.")
	ada, err := os.ReadFile(filepath.Join(folder, "ada.txt"))
	require.NoError(t, err)
	require.Regexp(t, `(?s)Ten minutes left.*Your turn.*"reason":"kicked"`, string(ada))
	for _, done := range []string{"announced something to a room", "announced something to a socket", "locked a room", "revoked the access"} {
		require.Regexp(t, "operator "+done+" operator=back-end", string(log))
	}
}

// documentedServer is the address of the server in the documents' examples.
const documentedServer = "http://localhost:3002"

// The first thing that newcomers copy from the README must work as it is there, in two
// browsers, on a page that the server does not serve.
func TestTwoPeersInAPage(t *testing.T) {
	takesTurns(t)
	require.Equal(t, 1, strings.Count(codeBlock(t, "connect-two-peers"), documentedServer), "one line has the address")
	connects(t, chromium, chromium)
}

// connects opens the README's page without a client in two browsers.
func connects(t *testing.T, one, other engine) {
	t.Helper()
	url := serveCode(t, "connect-two-peers", "")
	for _, p := range []*tab{openTabIn(one, t, "the first", url), openTabIn(other, t, "the second", url)} {
		p.until("connected", `window.connected === true`)
	}
}

// serveCode starts a server, and serves a page of another origin that consists of a block
// of code and what is added to it. It returns the page's address.
func serveCode(t *testing.T, name, added string) string {
	t.Helper()
	code := strings.ReplaceAll(codeBlock(t, name), documentedServer, startServer(t))
	return serveElsewhere(t, `<!doctype html><link rel="icon" href="data:,"><script type="module">`+code+added+`</script>`)
}

// The call that the README makes with the browser client, on a page of another origin.
func TestACallInEightLinesOfTheClient(t *testing.T) {
	takesTurns(t)
	seesTwoOthers(t, serveCode(t, "mesh", `window.room = room;`), chromium, chromium, chromium)
}

// The landing page's sample works in a page of another origin.
func TestTheLandingPagesSampleWorksAsItStands(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	landing := openTab(t, "landing", url+"/")
	landing.until("filled in", `document.querySelector("#page-sample").textContent.includes(location.origin)`)
	sample := evaluate[string](landing, `document.querySelector("#page-sample").textContent`)
	seesTwoOthers(t, servePage(t, url, "<!doctype html>"+sample), chromium, chromium, chromium)
}

// seesTwoOthers opens a page in three browsers, and waits until each shows the videos of
// the two others.
func seesTwoOthers(t *testing.T, url string, in ...engine) {
	const playing = `[...document.querySelectorAll("video")].filter((video) => video.videoWidth > 2).length === 2`
	var tabs []*tab
	for _, e := range in {
		tabs = append(tabs, openTabIn(e, t, fmt.Sprint(e.name(), len(tabs)+1), url+"/page.html"))
	}
	for _, p := range tabs {
		p.until("showing the two others", playing)
	}
}

// The loop that the documents give to pages whose stream brings nothing, from its first
// poll until another poll takes over.
func TestAPollingPageTakesPartInARoom(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	code := strings.ReplaceAll(codeBlock(t, "poll"), documentedServer, url)
	member := connect(t, url)
	member.join("room", "member")
	p := openTab(t, "polling", serveElsewhere(t, blankPage))
	p.do(chromedp.Evaluate[chromedp.Void](code+`
		window.heard = [];
		const post = (event) => fetch(server + "/events", { method: "POST", body: JSON.stringify(event),
			headers: { "Authorization": "Bearer " + token, "Content-Type": "application/json" } });
		pollForEver((event) => {
			heard.push(event);
			if (event.type === "connected") post({ type: "join-room", roomId: "room", userId: "polling" });
		}).then(() => { window.over = true; });`, replMode))
	var joined struct{ SocketID string }
	member.await("user-connected", &joined)
	for n := range 50 {
		require.NoError(t, member.send(bounded(t), fields{"type": "signal", "target": joined.SocketID, "data": n}))
	}
	p.until("all signals", `heard.filter((event) => event.type === "signal").length >= 50`)
	p.until("in order", `heard.filter((event) => event.type === "signal").every((event, n) => event.data === n)`)
	p.do(chromedp.Evaluate[chromedp.Void](`fetch(server + "/events/poll?wait=0&after=" + after, { headers: { "Authorization": "Bearer " + token } })`, replMode))
	p.until("the end", `window.over === true`)
}

// The commands by which the documents start the server do start it.
func TestTheServerStartsAsTheDocumentsSay(t *testing.T) {
	runsBeside(t)
	start := func(t *testing.T, name string) string {
		command := strings.NewReplacer("ACME_DOMAINS=signaling.example.com PORT=443", "PORT=0", "signaling-server\n", "exec \"$0\"\n").Replace(codeBlock(t, name))
		return startServerBy(t, []string{"bash", "-c", command})
	}
	t.Run("in production", func(t *testing.T) {
		response, err := http.Get(start(t, "start-production") + "/stats")
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	})
	t.Run("with a TURN server", func(t *testing.T) {
		response, err := http.Get(start(t, "start-turn") + "/events/poll")
		require.NoError(t, err)
		defer response.Body.Close()
		var opened struct {
			Events []struct{ IceServers []struct{ URLs []string } }
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&opened))
		require.Len(t, opened.Events[0].IceServers[0].URLs, 2)
	})
}
