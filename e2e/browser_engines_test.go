package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All tests in browsers rely on this: what goes wrong in a page fails its test.
func TestEveryBrowserTellsWhatGoesWrongInAPage(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		p := openTabIn(e, t, "a careless page", startServer(t)+"/")
		for does, problem := range map[string]string{
			`console.error("told as an error")`:                                                    "told as an error",
			`console.warn("told as a warning")`:                                                    "told as a warning",
			`setTimeout(() => { throw new Error("thrown later"); })`:                               "thrown later",
			`void Promise.reject(new Error("not caught"))`:                                         "not caught",
			`fetch("/missing").then(() => {})`:                                                     "/missing",
			`document.body.append(Object.assign(document.createElement("script"), { text: "1" }))`: "inline",
		} {
			evaluate[any](p, does)
			until(t, "telling "+problem, func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return slices.ContainsFunc(p.problems, func(line string) bool { return strings.Contains(line, problem) })
			})
		}
		p.forgive("")
	})
}

// hasWebRTC reports whether a browser can make calls. Debian builds its WebKit without.
func hasWebRTC(e engine) bool { return e != webkit }

func TestThePagesWorkInEachBrowser(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		url := startServer(t)
		landing := openTabIn(e, t, "landing", url+"/")
		landing.until("filled in", `document.querySelector("#figure-version")?.textContent.match(/\d/)`)
		problem := openTabIn(e, t, "problem", url+"/problems/room-full")
		problem.until("telling what it is", `document.querySelector("h1").textContent.includes("room")`)

		ada := joinDemo(openTabIn(e, t, "Ada", url+"/demo/"), "tea", "Ada")
		bob := openDemo(t, url, "tea", "Bob")
		ada.sees(bob)
		bob.sees(ada)
		ada.say("Hello Bob")
		bob.until("reading Ada", `document.querySelector("#chat-log").innerText.includes("Hello Bob")`)
		bob.say("Hello Ada")
		ada.until("reading Bob", `document.querySelector("#chat-log").innerText.includes("Hello Ada")`)

		board := openDashboardIn(e, t, url)
		board.shows("figure-connections", "2")
		board.shows("note-rooms", "with 2 members")
		board.until("drawing", `document.querySelectorAll(".plot canvas").length === 5`)
		board.until("listing who is there", `document.querySelectorAll("#connection-list tbody tr").length > 1`)

		reference := openReferenceIn(e, t, url, "#tag/monitoring/GET/health")
		reference.pressButton("Test Request")
		reference.pressButton("Send")
		reference.until("telling the answer", `document.body.innerText.includes("200 OK")`)
	})
}

func TestTheDoctorWorksInEachBrowser(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		v := seeDoctorIn(e, t, startServer(t), 2)
		for _, lane := range []string{"eventSource", "fetchStream", "poll", "post"} {
			v.shows(lane, "works")
		}
		v.finds("silence", "info")
		v.finds("request-headers", "good")
		v.finds("response-headers", "good")
		if hasWebRTC(e) {
			v.finds("pair", "good")
		} else {
			v.finds("candidates", "bad", "another browser")
		}
	})
}

// Beside what TestTheClientFindsAWayThroughEveryProxy tries in Chromium alone.
func TestTheClientFindsAWayInEachBrowser(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		for transport, shape := range map[string]shape{"eventsource": passing, "stream": bufferingGets, "polling": bufferingAll} {
			t.Run(transport, func(t *testing.T) {
				t.Parallel() // within the turn: each waits most of the time for a stream that is held back
				proxy := startShapingProxy(t, startServer(t, "RESUME_WINDOW=10m"), map[string]string{"/page.html": signalingPage})
				proxy.become(shape)
				pages := openPairIn(e, t, proxy.url)
				pages.exchange(t, 30, time.Second)
				require.Equal(t, [2]string{transport, transport}, pages.transports())
				proxy.cut()
				pages.exchange(t, 60, time.Second)
				for _, page := range pages {
					require.Equal(t, 1, evaluate[int](page, `sessions`), "the session was resumed")
				}
			})
		}
	})
}

// plainPage has no client: the browser alone resumes its stream.
const plainPage = `<!doctype html>
<title>A plain EventSource</title>
<script>
	window.heard = [];
	window.connections = [];
	let token, sent = Promise.resolve();
	window.send = (event) => sent = sent.then(() => fetch("/events", {
		method: "POST",
		body: JSON.stringify(event),
		headers: { "Authorization": "Bearer " + token, "Content-Type": "application/json" },
	}));
	const events = new EventSource("/events");
	events.addEventListener("connected", ({ data }) => {
		const connected = JSON.parse(data);
		token = connected.token;
		connections.push(connected.resumed);
		if (!connected.resumed) send({ type: "join-room", roomId: "plain", userId: "plain" });
	});
	events.addEventListener("room-joined", () => { window.joined = true; });
	events.addEventListener("new-message", ({ data }) => heard.push(JSON.parse(data).message));
</script>`

func TestAPlainEventSourceResumesInEachBrowser(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		url := startServer(t, "RESUME_WINDOW=10m")
		proxy := startShapingProxy(t, url, map[string]string{"/page.html": plainPage})
		p := openFailingTabIn(e, t, "plain", proxy.url+"/page.html")
		p.until("in the room", `window.joined`)
		member := connect(t, url)
		member.join("plain", "member")
		var want []string
		for n := range 60 {
			if n%20 == 10 {
				proxy.cut()
			}
			want = append(want, fmt.Sprint(n))
			require.NoError(t, member.send(bounded(t), fields{"type": "send-message", "message": want[n]}))
		}
		p.until("told everything", `heard.length >= 60`)
		require.Equal(t, want, evaluate[[]string](p, `heard`), "once and in order")
		require.Contains(t, evaluate[[]bool](p, `connections`), true)
		evaluate[any](p, `void send({ type: "send-message", message: "answer" })`)
		for {
			if e := await(t, member.events, "answer"); e.Type == "new-message" && message(t, e) == "answer" {
				return
			}
		}
	})
}

// A page that is left says so by a beacon. When it comes back, from the browser's cache
// or anew, it is a member again.
func TestAPageThatGoesAndComesInEachBrowser(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		url := servePage(t, startServer(t, "RESUME_WINDOW=10m"), socketIOPage) // by itself the server would notice much later
		const both, alone = `document.getElementById("users").textContent === "Ada, Bob"`, `document.getElementById("users").textContent === "Bob"`
		bob := openTab(t, "Bob", url+"/page.html?name=Bob")
		ada := openTabIn(e, t, "Ada", url+"/page.html?name=Ada")
		bob.until("with Ada", both)
		ada.visit(url + "/livez")
		bob.until("without Ada", alone)
		ada.goBack()
		bob.until("with Ada again", both)
		if e != chromium {
			// WebKit's driver runs no script in a page that it went back to. And with the last
			// page of a site both may end the process that had still to send the goodbye. Then
			// only the end of the resume window ends the membership.
			return
		}
		ada.until("with Bob again", both)
		ada.close()
		bob.until("without Ada", alone)
	})
}

// Two peers that differ in all that browsers differ in, by each of the ways to call that
// people copy: the README's page without a client, its page with the client, and the demo.
func TestCallsAcrossBrowsers(t *testing.T) {
	t.Parallel()
	t.Run("without the client", func(t *testing.T) {
		takesTurns(t)
		connects(t, firefox, chromium)
	})
	t.Run("with the client", func(t *testing.T) {
		takesTurns(t)
		seesTwoOthers(t, serveCode(t, "mesh", `window.room = room;`), chromium, firefox, firefox)
	})
	t.Run("in the demo", func(t *testing.T) {
		takesTurns(t)
		url := startServer(t)
		ada := joinDemo(openTabIn(firefox, t, "Ada", url+"/demo/"), "mixed", "Ada")
		bob := openDemo(t, url, "mixed", "Bob")
		ada.sees(bob)
		bob.sees(ada)
		ada.click("#call")
		bob.plays(ada)
		bob.click("#call")
		ada.plays(bob)
		bob.click("#hangup")
		ada.until("without Bob's video", `!`+ada.tileOf(bob)+`?.querySelector("video")?.videoWidth`)
		bob.click("#call")
		ada.plays(bob)
	})
}
