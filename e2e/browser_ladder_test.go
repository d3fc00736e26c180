package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signalingPage is a page that exchanges numbered signals with the other page in its
// room, and records them.
const signalingPage = `<!doctype html>
<title>Signals</title>
<script type="module">
	import { io } from "/client.js";

	const begin = performance.now();
	const socket = io();
	Object.assign(window, { socket, heard: [], refused: [], accepted: [], sent: 0, sessions: 0, io });
	socket.on("connect", () => {
		sessions++;
		window.connectedAfter ??= performance.now() - begin;
		socket.emit("join-room", "ladder", new URLSearchParams(location.search).get("name"));
	});
	const meet = ({ socketId }) => { if (socketId !== socket.id) window.peer = socketId; };
	socket.on("room-joined", ({ users }) => users.forEach(meet));
	socket.on("user-connected", meet);
	socket.on("offer", ({ n }) => heard.push(n));
	socket.on("ice-candidate", ({ n }) => heard.push(n));
	socket.on("signal", ({ data }) => heard.push(data.n));

	// As a call does: an offer, then candidates in a burst, and single ones later.
	const kinds = [
		(n) => ["offer", { target: peer, n, offer: { type: "offer", sdp: "v=0" } }],
		(n) => ["ice-candidate", { target: peer, n, candidate: { candidate: "", sdpMid: "0" } }],
		(n) => ["signal", { target: peer, data: { n } }],
	];
	window.exchange = async (count, duration) => {
		const pace = duration / (count / 10);
		while (sent < count) {
			for (let i = 0; i < 10; i++) {
				const n = ++sent;
				const [type, members] = kinds[n % 3](n);
				socket.emitWithAck(type, members).then(() => accepted.push(n), (problem) => refused.push([n, problem.type]));
				if (i === 5) await new Promise((resolve) => setTimeout(resolve, pace / 2));
			}
			await new Promise((resolve) => setTimeout(resolve, pace / 2));
		}
	};
</script>`

// pair is two pages, each in a browser context of its own.
type pair [2]*tab

func openPair(t *testing.T, url string) pair {
	t.Helper()
	return openPairIn(chromium, t, url)
}

// openPairIn opens the first page in a browser, and the second in Chromium.
func openPairIn(e engine, t *testing.T, url string) pair {
	t.Helper()
	p := pair{
		openFailingTabIn(e, t, "Ada", url+"/page.html?name=Ada"),
		openFailingTab(t, "Bob", url+"/page.html?name=Bob"),
	}
	for _, page := range p {
		page.until("aware of the other", `window.peer`)
	}
	return p
}

// exchange makes both pages send at the same time, spread over a duration. It waits until
// each has heard everything once and in order.
func (p pair) exchange(t *testing.T, count int, over time.Duration) {
	t.Helper()
	for _, page := range p {
		evaluate[any](page, fmt.Sprintf(`void exchange(%d, %d)`, count, over.Milliseconds()))
	}
	for _, page := range p {
		page.untilIn(within+over, "done", fmt.Sprintf(`sent === %d && accepted.length + refused.length === sent`, count))
		require.Empty(t, evaluate[[]any](page, `refused`), page.name)
	}
	for _, page := range p {
		page.until("told everything", fmt.Sprintf(`heard.length >= %d`, count))
		require.Equal(t, "", evaluate[string](page, `heard.every((n, index) => n === index + 1) ? "" : heard.join()`),
			"%s: nothing lost, nothing twice, nothing out of order", page.name)
	}
}

func (p pair) transports() [2]string {
	const name = `socket.io.engine.transport.name`
	return [2]string{evaluate[string](p[0], name), evaluate[string](p[1], name)}
}

// connectedAfter returns how long the slower page took from its first line of script to
// “connect”.
func (p pair) connectedAfter() time.Duration {
	const after = `connectedAfter`
	return time.Duration(max(evaluate[float64](p[0], after), evaluate[float64](p[1], after)) * float64(time.Millisecond))
}

// reload opens the page anew in the same browser.
func (p pair) reload() {
	for _, page := range p {
		evaluate[any](page, `void location.reload()`)
		page.until("loaded again", `window.sent === 0 && window.connectedAfter`)
	}
	for _, page := range p {
		page.until("aware of the other", `window.peer`)
	}
}

// rungs are the ways to read events, best first. transports are the client's names for
// them.
var (
	rungs      = []string{"GET /events", "POST /events/stream", "GET /events/poll"}
	transports = []string{"eventsource", "stream", "polling"}
)

func TestTheClientFindsAWayThroughEveryProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		shape     shape
		transport string
	}{
		{"passes everything", passing, "eventsource"},
		{"buffers streams opened by GET", bufferingGets, "stream"},
		{"buffers every stream", bufferingAll, "polling"},
		{"cuts streams after 5 s", cutting, "eventsource"},
		{"adds 300 ms", delaying, "eventsource"},
	} {
		t.Run(c.name, func(t *testing.T) {
			takesTurns(t)
			proxy := startShapingProxy(t, startServer(t), map[string]string{"/page.html": signalingPage})
			proxy.become(c.shape)
			pages := openPair(t, proxy.url)
			first := pages.connectedAfter()
			better := rungs[:slices.Index(transports, c.transport)]
			for _, rung := range better {
				require.Equal(t, len(pages), proxy.asked(rung), "%s was tried once by each", rung)
			}
			pages.exchange(t, 200, 12*time.Second)
			require.Equal(t, [2]string{c.transport, c.transport}, pages.transports())
			require.Equal(t, [2]int{1, 1}, [2]int{evaluate[int](pages[0], `sessions`), evaluate[int](pages[1], `sessions`)}, "one session, whatever carries it")

			pages.reload()
			again := pages.connectedAfter()
			pages.exchange(t, 20, time.Second)
			require.Equal(t, [2]string{c.transport, c.transport}, pages.transports())
			t.Logf("connected after %4d ms, on the next visit after %4d ms (by %s)", first.Milliseconds(), again.Milliseconds(), c.transport)
			for _, rung := range better {
				require.Equal(t, len(pages), proxy.asked(rung), "what worked is remembered: %s is not tried again", rung)
			}
		})
	}
}

// A session lives through a failure if the resume window is longer than the failure.
func TestTheClientOutlastsAProxyThatAnswersForTheServer(t *testing.T) {
	takesTurns(t)
	proxy := startShapingProxy(t, startServer(t, "RESUME_WINDOW=10m"), map[string]string{"/page.html": signalingPage})
	pages := openPair(t, proxy.url)
	failure := time.AfterFunc(2*time.Second, func() { proxy.become(failing) })
	recovery := time.AfterFunc(22*time.Second, func() { proxy.become(passing) })
	t.Cleanup(func() { failure.Stop(); recovery.Stop() })
	pages.exchange(t, 200, 20*time.Second)
	require.Equal(t, [2]int{1, 1}, [2]int{evaluate[int](pages[0], `sessions`), evaluate[int](pages[1], `sessions`)})
	pages[0].until("by a stream", `socket.io.engine.transport.name === "eventsource"`)
}

// A failure that outlasts the window ends the sessions. Each client then learns what
// was not accepted, and joins the room again by itself.
func TestTheClientJoinsAgainWhenItsSessionIsLost(t *testing.T) {
	takesTurns(t)
	proxy := startShapingProxy(t, startServer(t, "RESUME_WINDOW=2s"), map[string]string{"/page.html": signalingPage})
	pages := openPair(t, proxy.url)
	for _, page := range pages {
		evaluate[any](page, `void exchange(100, 12_000); null`)
	}
	for _, page := range pages {
		page.until("in the middle of it", `heard.length > 10`)
	}
	proxy.become(failing)
	for _, page := range pages {
		page.until("without a session", `socket.disconnected`)
	}
	proxy.become(passing)
	for _, page := range pages {
		page.until("connected anew", `socket.connected && sessions === 2 && !socket.recovered`)
	}
	for _, page := range pages {
		page.until("done", `sent === 100 && accepted.length + refused.length === sent`)
	}
	// On a slow machine all hundred may have been for sockets that have ended. The next are
	// for the new sockets.
	for i, page := range pages {
		page.until("aware of the other's new socket", fmt.Sprintf(`window.peer === %q`, evaluate[string](pages[1-i], `socket.id`)))
	}
	for _, page := range pages {
		evaluate[any](page, `void exchange(110, 100); null`)
	}
	for _, page := range pages {
		page.until("done again", `sent === 110 && accepted.length + refused.length === sent`)
	}
	for _, page := range pages {
		page.until("told the last", `heard.includes(110)`)
		// A pong comes after everything that was accepted before it.
		page.until("told everything", `new Promise((resolve) => { socket.once("pong", () => resolve(true)); socket.emit("ping"); })`)
	}
	for i, page := range pages {
		other := pages[1-i]
		require.True(t, evaluate[bool](page, `heard.every((n, index) => !index || n > heard[index - 1])`), "in order, and nothing twice")
		heard := evaluate[[]int](page, `heard`)
		// Events that were accepted for a socket that has ended may be lost. Events
		// that were accepted after the return may not.
		last := evaluate[int](other, `Math.max(0, ...refused.map(([n]) => n))`)
		for _, n := range evaluate[[]int](other, `accepted`) {
			if n > last {
				require.Contains(t, heard, n)
			}
		}
	}
}
