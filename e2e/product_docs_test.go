package e2e

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Everything that the README tells to type into a terminal, one block after the
// other in one shell, against a server on the port that it names or another.
func TestFiveMinutesWithCurl(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var script strings.Builder
	script.WriteString("set -m\n") // jobs, as in a terminal
	blocks := curlBlocks.FindAllSubmatch(readme, -1)
	require.GreaterOrEqual(t, len(blocks), 5)
	for _, block := range blocks {
		script.Write(block[1])
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

var (
	curlBlocks      = regexp.MustCompile("(?s)<!-- test:curl -->\\s*```sh\n(.*?)```")
	pollForEver     = regexp.MustCompile("(?s)<!-- test:poll -->\\s*```js\n(.*?)```")
	callEverybody   = regexp.MustCompile("(?s)<!-- test:mesh -->\\s*```js\n(.*?)```")
	connectTwoPeers = regexp.MustCompile("(?s)<!-- test:connect-two-peers -->\\s*```js\n(.*?)```")
)

// The first thing that newcomers copy from the README must work as it stands
// there, in two browsers that know nothing but the server's address.
func TestATenLineBrowserStart(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	match := connectTwoPeers.FindSubmatch(readme)
	require.NotNil(t, match, "README.md has no js block behind <!-- test:connect-two-peers -->")
	url := servePage(t, startServer(t), blankPage) + "/page.html"
	tabs := []*tab{openTab(t, "the first", url), openTab(t, "the second", url)}
	for _, p := range tabs {
		p.do(chromedp.Evaluate[chromedp.Void](string(match[1]), replMode))
	}
	for _, p := range tabs {
		p.until("connected", `window.connected === true`)
	}
}

// The call that the README gives to those who use the client.
func TestACallInADozenLinesOfTheClient(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	match := callEverybody.FindSubmatch(readme)
	require.NotNil(t, match, "README.md has no js block behind <!-- test:mesh -->")
	url := servePage(t, startServer(t), `<!doctype html><script type="module">`+string(match[1])+`window.room = room;</script>`)
	seesTwoOthers(t, url)
}

// What the landing page shows is used from a page of another origin.
func TestTheLandingPagesSampleWorksAsItStands(t *testing.T) {
	url := startServer(t)
	landing := openTab(t, "landing", url+"/")
	landing.until("filled in", `document.querySelector("#page-sample").textContent.includes(location.origin)`)
	sample := evaluate[string](landing, `document.querySelector("#page-sample").textContent`)
	seesTwoOthers(t, servePage(t, url, "<!doctype html>"+sample))
}

// seesTwoOthers opens a page three times, and waits for each to show the video
// of the two others.
func seesTwoOthers(t *testing.T, url string) {
	const playing = `[...document.querySelectorAll("video")].filter((video) => video.videoWidth > 2).length === 2`
	tabs := []*tab{openTab(t, "first", url+"/page.html"), openTab(t, "second", url+"/page.html"), openTab(t, "third", url+"/page.html")}
	for _, p := range tabs {
		p.until("showing the two others", playing)
	}
}

// The loop that the README gives to pages whose stream is mute, from its first
// poll to being replaced by another reader.
func TestAPollingPageTakesPartInARoom(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	match := pollForEver.FindSubmatch(readme)
	require.NotNil(t, match, "README.md has no js block behind <!-- test:poll -->")
	url := startServer(t)
	member := connect(t, url)
	member.join("room", "member")
	p := openTab(t, "polling", servePage(t, url, blankPage)+"/page.html")
	p.do(chromedp.Evaluate[chromedp.Void](string(match[1])+`
		window.heard = [];
		const post = (event) => fetch("/events", { method: "POST", body: JSON.stringify(event),
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
	p.do(chromedp.Evaluate[chromedp.Void](`fetch("/events/poll?wait=0&after=" + after, { headers: { "Authorization": "Bearer " + token } })`, replMode))
	p.until("the end", `window.over === true`)
}
