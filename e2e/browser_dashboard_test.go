package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// openDashboard opens the dashboard and waits for its first figures.
func openDashboard(t *testing.T, url string) *tab {
	t.Helper()
	return openDashboardIn(chromium, t, url)
}

func openDashboardIn(e engine, t *testing.T, url string) *tab {
	t.Helper()
	p := openTabIn(e, t, "the dashboard", url+"/dashboard/")
	p.until("live", `document.querySelector("#status").dataset.state === "live"`)
	return p
}

func (p *tab) shows(id, text string) {
	p.t.Helper()
	p.until(id+" tells "+text, fmt.Sprintf(`document.getElementById(%q).textContent === %q`, id, text))
}

// listed returns the texts of one column of a list.
func listed(p *tab, list, column string) []string {
	return evaluate[[]string](p, fmt.Sprintf(`[...document.querySelectorAll('#%s [data-field=%q]')].map((each) => each.textContent)`, list, column))
}

func TestTheDashboardShowsTheTrueCounts(t *testing.T) {
	takesTurns(t)
	url := startServer(t, "AWAY_AFTER=1s", "RESUME_WINDOW=1m")
	ada, bob := connect(t, url), connect(t, url)
	ada.join("counted", "Ada")
	bob.join("counted", "Bob")
	connect(t, url)

	p := openDashboard(t, url)
	p.shows("figure-connections", "3")
	p.shows("note-connections", "none of them away")
	p.shows("figure-rooms", "1")
	p.shows("note-rooms", "with 2 members")
	p.until("telling the memory", `document.querySelector("#figure-memory").textContent.match(/^[1-9][\d.]* MB$/)`)
	require.Equal(t, 5, evaluate[int](p, `document.querySelectorAll(".plot canvas").length`))

	bob.pause()
	p.shows("note-connections", "1 of them away")
	p.until("listing Bob as away", `[...document.querySelectorAll("#connection-list tbody")].some((row) =>
		row.innerText.includes("Bob") && row.querySelector('[data-state="away"]'))`)
	connect(t, url)
	p.shows("figure-connections", "4")
	p.shows("change-connections", "up 1 in "+evaluate[string](p, `document.querySelector("#change-connections").textContent.replace(/.* in /, "")`))
}

// over is the place in the page where the plot of events is drawn.
const over = `document.querySelector("#plot-events .u-over").getBoundingClientRect()`

func TestTheDashboardShowsEventsAndTheirLatency(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada, bob := connect(t, url), connect(t, url)
	ada.join("busy", "Ada")
	bob.join("busy", "Bob")
	p := openDashboard(t, url)
	p.shows("figure-events", "0")

	stop := make(chan struct{})
	sent := make(chan error, 1)
	ctx := bounded(t)
	go func() { // ends with stop, or with the context
		for {
			select {
			case <-stop:
				sent <- nil
				return
			case <-time.After(20 * time.Millisecond):
				if err := ada.send(ctx, fields{"type": "send-message", "message": "busy"}); err != nil {
					sent <- err
					return
				}
			}
		}
	}()
	for _, s := range []*signaling{ada, bob} {
		go func() { // ends with the client
			for range s.events {
			}
		}()
	}
	p.until("counting events", `Number(document.querySelector("#figure-events").textContent) > 5`)
	p.until("counting that two hear each", `{
		const accepted = Number(document.querySelector("#figure-events").textContent);
		const delivered = Number(document.querySelector("#note-events").textContent.match(/accepted, ([\d.]+) delivered/)?.[1]);
		return accepted > 5 && delivered > 1.6 * accepted && delivered < 2.4 * accepted;
	}`)
	p.until("telling the latency", `document.querySelector("#figure-latency").textContent.match(/^[\d.]+ ms$/)`)
	p.until("telling its tail", `document.querySelector("#note-latency").textContent.match(/^median, 99% within [\d.]+ m?s$/)`)
	x, y := evaluate[float64](p, over+`.x + `+over+`.width - 1`), evaluate[float64](p, over+`.y + 20`)
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
	p.until("telling in all plots of the time under the mouse", `{
		const times = [...document.querySelectorAll(".plot .u-series:first-child .u-value")].map((each) => each.textContent);
		return times.length === 5 && times[0].match(/^\d\d:\d\d:\d\d$/) && new Set(times).size === 1;
	}`)
	close(stop)
	require.NoError(t, await(t, sent, "end of the sending"))
	p.shows("figure-events", "0")
	p.until("summing it up in words", `document.querySelector("#summary-events").textContent.match(/Accepted: .* from 0 to [1-9]/)`)
}

func TestTheDashboardFindsAndPagesRooms(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	const rooms = 53
	for n := range rooms {
		connect(t, url).join(fmt.Sprintf("room-%02d", n), fmt.Sprintf("user-%02d", n))
	}
	p := openDashboard(t, url)
	p.until("listing the first page", `document.querySelector("#room-list [data-part=range]").textContent === "1–10 of 53"`)
	var seen []string
	for page := 1; ; page++ {
		require.LessOrEqual(t, page, 6)
		seen = append(seen, listed(p, "room-list", "roomId")...)
		if evaluate[bool](p, `document.querySelector("#room-list [data-part=next]").disabled`) {
			break
		}
		p.click("#room-list [data-part=next]")
		p.until("on the next page", fmt.Sprintf(`document.querySelector("#room-list [data-part=range]").textContent.startsWith("%d–")`, page*10+1))
	}
	require.Len(t, seen, rooms)
	for n, name := range seen {
		require.Equal(t, fmt.Sprintf("room-%02d", n), name)
	}
	require.True(t, evaluate[bool](p, `document.activeElement.dataset.part === "previous"`), "the keyboard is not lost with the button that ends")
	p.click("#room-list [data-part=previous]")
	p.until("one page back", `document.querySelector("#room-list [data-part=range]").textContent === "41–50 of 53"`)

	p.write("#room-search", "USER-17")
	p.until("finding a room by its member", `document.querySelector("#room-list [data-part=range]").textContent === "1–1 of 1 found"`)
	require.Equal(t, []string{"room-17"}, listed(p, "room-list", "roomId"))
	p.write("#connection-search", "room-17")
	p.until("finding a connection by its room", `document.querySelector("#connection-list [data-part=range]").textContent === "1–1 of 1 found"`)
	require.Equal(t, []string{"user-17"}, listed(p, "connection-list", "userId"))
	p.write("#room-search", " and more")
	p.until("finding nothing", `document.querySelector("#room-list [data-part=note]").textContent === "Nothing matches “USER-17 and more”."`)
}

func TestARefreshOfTheDashboardDisturbsNobody(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := connect(t, url)
	ada.join("m", "Ada")
	p := openDashboard(t, url)
	p.until("listing the room", `document.querySelector("#room-list .expand")`)
	p.do(chromedp.Focus(chromedp.CSS("#room-list .expand")), chromedp.KeyEvent(kb.Enter))
	p.until("showing the member", `document.querySelector("#room-list .members:not([hidden])").innerText.includes("Ada")`)
	require.True(t, evaluate[bool](p, `Boolean(window.before = document.activeElement.closest("tbody"))`))

	connect(t, url).join("a comes before it", "Bob")
	connect(t, url).join("z comes behind it", "Cleo")
	connect(t, url).join("m", "Dan")
	p.until("listing three rooms", `document.querySelectorAll("#room-list tbody").length === 3`)
	p.until("showing the new member", `window.before.innerText.includes("Dan")`)
	require.True(t, evaluate[bool](p, `document.activeElement.closest("tbody") === window.before && window.before.isConnected`))
	require.Equal(t, []string{"a comes before it", "m", "z comes behind it"}, listed(p, "room-list", "roomId"))
}

func TestTheDashboardShowsNamesAsTheyAre(t *testing.T) {
	takesTurns(t)
	const attack = `<img src=x onerror="window.attacked = true">&amp;`
	url := startServer(t)
	connect(t, url).join(attack, attack)
	p := openDashboard(t, url)
	p.until("listing the room", `document.querySelector("#room-list .expand")`)
	p.click("#room-list .expand")
	p.until("showing its member", `document.querySelector("#room-list .members [data-field=userId]")`)
	require.Equal(t, []string{attack}, listed(p, "room-list", "roomId"))
	require.Equal(t, []string{attack}, listed(p, "room-list", "userId"))
	require.Equal(t, []string{attack}, listed(p, "connection-list", "userId"))
	require.False(t, evaluate[bool](p, `Boolean(window.attacked || document.querySelector("main img"))`))
}

func TestTheDashboardSaysWhatToDoIfThereIsNothing(t *testing.T) {
	takesTurns(t)
	p := openDashboard(t, startServer(t))
	p.until("saying how a room comes into being", `document.querySelector("#room-list [data-part=note]").innerText.includes("No rooms yet")`)
	p.until("saying how to connect", `document.querySelector("#connection-list [data-part=note]").innerText.includes("Nobody is connected")`)
	p.shows("figure-connections", "0")
	p.shows("note-latency", "no events in 10 s")
}

func TestTheDashboardReportsAServerThatIsGoneAndComesBackToIt(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	network := startProxy(t, url)
	p := openDashboard(t, network.url)
	p.expectFailedRequests()
	p.shows("figure-connections", "0")

	network.goDown()
	p.until("telling of it", `!document.querySelector("#banner").hidden && document.querySelector("#banner-text").innerText.includes("has not answered since")`)
	require.Equal(t, "No answer", evaluate[string](p, `document.querySelector("#status-text").textContent`))
	connect(t, url)
	network.comeBack()
	p.until("live again", `document.querySelector("#banner").hidden && document.querySelector("#status").dataset.state === "live"`)
	p.shows("figure-connections", "1")
}

// asked returns how many requests the page has made so far.
func asked(p *tab) int {
	return evaluate[int](p, `performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/metrics")).length`)
}

func TestTheDashboardAsksNothingWhileNobodyLooks(t *testing.T) {
	takesTurns(t)
	p := openDashboard(t, startServer(t))
	const quiet = 2500 * time.Millisecond // more than the page's interval

	asksNothing := func() (before int) {
		until(t, "asking nothing", func() bool { // requests that are under way may still end
			before = asked(p)
			time.Sleep(quiet)
			return before == asked(p)
		})
		return before
	}
	p.click("#pause")
	p.shows("status-text", "Paused")
	before := asksNothing()
	p.click("#pause")
	p.until("going on", fmt.Sprintf(`performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/metrics")).length > %d`, before))
	p.shows("status-text", "Live")

	// A headless browser never hides a page.
	evaluate[bool](p, `Object.defineProperty(document, "hidden", { configurable: true, get: () => window.away }) && (window.away = true) && document.dispatchEvent(new Event("visibilitychange"))`)
	before = asksNothing()
	evaluate[bool](p, `(window.away = false) || document.dispatchEvent(new Event("visibilitychange"))`)
	p.until("going on", fmt.Sprintf(`performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/metrics")).length > %d`, before))
}

// The modules behind the page, for cases that a server cannot easily bring about.
func TestTheDashboardsFiguresAreRight(t *testing.T) {
	takesTurns(t)
	p := openDashboard(t, startServer(t))
	for what, holds := range map[string]string{
		"labels are read as they were written": `{
			const { parseMetrics } = await import("/dashboard/prometheus.js");
			const [one] = parseMetrics('# HELP a b\n# TYPE a counter\na{x="1\\"},{\\\\\\n",y=""} 1.5e+03\nb +Inf\n').get("a");
			return one.labels.x === '1"},{\\\n' && one.labels.y === "" && one.value === 1500;
		}`,
		"quantiles are those of Prometheus": `{
			const { quantile } = await import("/dashboard/prometheus.js");
			const buckets = [[1, 0], [2, 50], [4, 90], [Infinity, 100]];
			const near = (one, other) => Math.abs(one - other) < 1e-9;
			return near(quantile(0.5, buckets), 2) && near(quantile(0.7, buckets), 3) && quantile(0.99, buckets) === 4
				&& near(quantile(0.25, [[1, 100], [Infinity, 100]]), 0.25) && quantile(0.5, [[1, 0], [Infinity, 0]]) === null && quantile(0.5, []) === null;
		}`,
		"rates are of the time between, none is of a restart, and none of a pause": `{
			const { Meter } = await import("/dashboard/samples.js");
			const { parseMetrics } = await import("/dashboard/prometheus.js");
			const reading = (time, count, startTime = 1) => ({ time, stats: { startTime }, metrics: parseMetrics([
				"signaling_events_accepted_total{type=\"offer\"} " + count, "signaling_events_accepted_total{type=\"answer\"} 0",
				"signaling_events_delivered_total " + 2 * count, "signaling_delivery_seconds_count " + 2 * count,
				"signaling_delivery_seconds_bucket{le=\"1\"} " + count, "signaling_delivery_seconds_bucket{le=\"3\"} " + 2 * count,
				"signaling_delivery_seconds_bucket{le=\"+Inf\"} " + 2 * count].join("\n")) });
			const meter = new Meter();
			const [first, second, restarted, after, anew, paused] = [reading(0, 100), reading(2000, 110), reading(4000, 4), reading(6000, 8), reading(8000, 9, 2), reading(60000, 99, 2)]
				.map((each) => meter.sample(each));
			return first.accepted === undefined && second.accepted === 5 && second.delivered === 10 && second.p50 === 1 && second.p99 > 2.9
				&& restarted.accepted === undefined && restarted.p50 === undefined && after.accepted === 2
				&& anew.accepted === undefined && paused.accepted === undefined;
		}`,
		"the ring is bounded, and keeps gaps": `{
			const { Samples, SPAN } = await import("/dashboard/samples.js");
			const samples = new Samples();
			for (let n = 0; n < 2000; n++) samples.add(n * 2000, n % 2 ? { a: n } : {});
			const a = samples.column("a");
			return samples.times.length === SPAN / 2000 && a.length === samples.times.length && a.at(-1) === 1999 && a.at(-2) === null
				&& samples.column("none").length === a.length && samples.change("a", 60_000).by === 30 && samples.latest("b") === null;
		}`,
		"what several nodes count each is summed up": `{
			const { Meter } = await import("/dashboard/samples.js");
			const { parseMetrics } = await import("/dashboard/prometheus.js");
			const reading = (time, node, count) => ({ time, stats: { startTime: time }, metrics: parseMetrics([
				"signaling_cluster_node_info{node=\"" + node + "\"} 1", "process_start_time_seconds " + node.length, "process_resident_memory_bytes 100", "signaling_sockets 7",
				"signaling_events_accepted_total " + count, "signaling_events_delivered_total " + count, "signaling_delivery_seconds_count " + count,
				"signaling_delivery_seconds_bucket{le=\"1\"} " + count, "signaling_delivery_seconds_bucket{le=\"+Inf\"} " + count].join("\n")) });
			const meter = new Meter();
			const [first, second, third, , both, , alone] = [reading(0, "a", 100), reading(2000, "b", 5), reading(10000, "a", 110), reading(12000, "b", 25), reading(14000, "a", 114), reading(16000, "b", 25), reading(60000, "a", 200)]
				.map((each) => meter.sample(each));
			const lost = meter.sample(reading(61000, "b", 30)).memory === 200
				&& meter.sample({ ...reading(62000, "a", 201), cluster: { nodes: [{ name: "a", lost: false }, { name: "b", lost: true }] } }).memory === 100;
			return lost && first.accepted === undefined && first.memory === 100 && second.accepted === undefined && second.memory === 200 && second.connections === 7
				&& third.accepted === 1 && third.p50 === 0.5 && both.accepted === 3 && alone.accepted === undefined && alone.memory === 100 && meter.nodes.join() === "a";
		}`,
	} {
		t.Run(what, func(t *testing.T) {
			require.True(t, evaluate[bool](p, `(async () => `+holds+`)()`))
		})
	}
}

// startNodes starts a server that answers as three nodes do behind a round robin. The result is
// what the nodes answer at a path, in turn.
func startNodes(t *testing.T, path string, settings ...string) (url string, answers *atomic.Pointer[[]string]) {
	server := startServer(t, settings...)
	answers = new(atomic.Pointer[[]string])
	var turn atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			all := *answers.Load()
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, all[turn.Add(1)%int64(len(all))])
			return
		}
		r, err := http.NewRequestWithContext(r.Context(), r.Method, server+r.URL.RequestURI(), nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
		if r.URL.Path == "/metrics" {
			fmt.Fprintf(w, "signaling_cluster_node_info{node=\"node-%d\"} 1\n", turn.Load()%3+1)
		}
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, answers
}

func TestTheDashboardShowsTheNodes(t *testing.T) {
	takesTurns(t)
	url, answers := startNodes(t, "/cluster")
	nodes := func(third string) string {
		return `"nodes":[{"name":"node-1","lost":false,"silence":0,"streams":1200,"polls":3},{"name":"node-2","lost":false,"silence":3,"streams":1,"polls":0},` + third + `]}`
	}
	own := func(n int, ready bool, lag int, rest string) string {
		return fmt.Sprintf(`{"node":"node-%d","ready":%v,"engineReached":true,"position":184202,"lag":%d,%s`, n, ready, lag, rest)
	}
	well := nodes(`{"name":"node-3","lost":false,"silence":1,"streams":0,"polls":0}`)
	answers.Store(&[]string{own(1, true, 0, well), own(2, true, 7, well)})
	p := openDashboard(t, url)
	rows := func() []string {
		return evaluate[[]string](p, `[...document.querySelectorAll("#node-list tbody")].map((row) => [...row.querySelectorAll("td")].map((each) => each.textContent).join(" "))`)
	}
	p.until("having heard of two", `document.querySelectorAll('#node-list [data-field="lag"]')[1]?.textContent === "7" && document.querySelector('#node-list [data-field="lag"]').textContent === "0"`)
	require.Equal(t, []string{"node-1 serves 1,200 3 184,202 0 now", "node-2 serves 1 0 184,202 7 3 s ago", "node-3 serves 0 0 – – now"}, rows())
	p.until("counting them", `document.querySelector("#node-list [data-part=total]").textContent === "3 of 3 serve"`)
	require.True(t, evaluate[bool](p, `document.querySelector("#node-list [data-part=note]").hidden`))

	ill := nodes(`{"name":"node-3","lost":true,"silence":75,"streams":0,"polls":0}`)
	answers.Store(&[]string{own(1, true, 0, ill), own(2, false, 7, `"reason":"This node does not serve: it joins the others, 7 records behind.",`+ill)})
	p.until("counting those that serve", `document.querySelector("#node-list [data-part=total]").textContent === "1 of 3 serve"`)
	require.Equal(t, []string{"node-1 serves 1,200 3 184,202 0 now", "node-2 not ready 1 0 184,202 7 3 s ago", "node-3 out 0 0 – – 1 min ago"}, rows())
	p.until("saying why", `document.querySelector("#node-list [data-part=note]").innerText === "node-2 does not serve: it joins the others, 7 records behind."`)
	p.until("saying what it measures", `document.querySelector("#node-list [data-part=reached]").textContent.startsWith("The figures of events, latency and memory are of node-")`)
	p.shoot(os.Getenv("SHOTS_DIR"), "dashboard-nodes-out")
}

func TestTheDashboardShowsNeitherNodesNorWebhooksIfThereAreNone(t *testing.T) {
	takesTurns(t)
	p := openDashboard(t, startServer(t))
	require.False(t, evaluate[bool](p, `document.querySelector("#node-list").checkVisibility()`))
	require.Zero(t, evaluate[int](p, `performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/cluster")).length`))
	require.False(t, evaluate[bool](p, `document.querySelector("#webhooks").checkVisibility()`))
	require.Zero(t, evaluate[int](p, `performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/webhooks")).length`))
}

func TestTheDashboardShowsTheWebhooks(t *testing.T) {
	takesTurns(t)
	const reads, replays = "a token that only reads", "a token that only replays"
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	backEnd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(backEnd.Close)
	url := startServer(t, append(noLimits, "WEBHOOK_URL="+backEnd.URL, "WEBHOOK_SECRET="+webhookSecret, "WEBHOOK_BACKLOG=100",
		fmt.Sprintf("OPERATOR_TOKENS=watch read sha256:%x;repair webhooks sha256:%x", sha256.Sum256([]byte(reads)), sha256.Sum256([]byte(replays))))...)
	ada := connect(t, url)
	ada.join("first", "Ada")

	p := openFailingTab(t, "the dashboard", url+"/dashboard/")
	p.gate()
	p.enterToken(replays)
	p.until("told what the token lacks", `document.querySelector("#gate-problem").textContent.includes("does not have the scope “read”")`)
	require.False(t, evaluate[bool](p, `document.querySelector("#webhooks").checkVisibility()`))
	p.enterToken(reads)
	cells := func() []string {
		return evaluate[[]string](p, `[...document.querySelectorAll("#webhooks td")].map((each) => each.textContent)`)
	}
	p.until("telling of the failure", `document.querySelector("#webhooks [data-field=receiver]").textContent === "fails"`)
	require.Equal(t, "2 waiting", evaluate[string](p, `document.querySelector("#webhooks [data-part=total]").textContent`))
	failing := cells()
	require.Regexp(t, `^(now|\d+ s ago)$`, failing[1])
	require.Equal(t, []string{"0", "0"}, failing[2:4])
	require.Regexp(t, `^it answered 503, (now|\d+ s ago)$`, failing[4])
	require.Equal(t, "The receiver has not accepted some webhooks. The server sends them again until it does.", evaluate[string](p, `document.querySelector("#webhooks [data-part=note]").innerText`))

	for n := range 40 {
		ada.join(fmt.Sprint("room ", n), "Ada")
	}
	p.until("telling how many were dropped", `document.querySelector("#webhooks [data-field=dropped]").textContent === "62"`) // of 2 + 4 × 40
	p.until("saying what to do", `document.querySelector("#webhooks [data-part=note]").innerText.includes("Newer webhooks pushed out some")`)
	p.isAccessible("dashboard, with webhooks that wait")
	p.shoot(os.Getenv("SHOTS_DIR"), "dashboard-webhooks")

	status.Store(http.StatusNoContent)
	p.until("telling that all was delivered", `document.querySelector("#webhooks [data-part=total]").textContent === "none waiting" && document.querySelector("#webhooks [data-field=receiver]").textContent === "accepts"`)
	require.Equal(t, []string{"–", "100", "62"}, cells()[1:4])
	require.Contains(t, cells()[4], "it answered 503")
}

// Of several nodes, only the node that sends knows how the receiver fails.
func TestTheDashboardShowsWhatTheNodeThatSendsKnows(t *testing.T) {
	takesTurns(t)
	url, answers := startNodes(t, "/webhooks", "WEBHOOK_URL=http://127.0.0.1:1", "WEBHOOK_SECRET="+webhookSecret)
	answers.Store(&[]string{
		`{"enabled":true,"sending":true,"failing":true,"waiting":1,"delivered":184202,"dropped":0,"failedAttempts":3,"lastFailure":{"at":"2026-03-01T12:00:03.000Z","webhookId":"msg_A_1","error":"no route to host"}}`,
		`{"enabled":true,"sending":false,"failing":false,"waiting":2,"delivered":184202,"dropped":0,"failedAttempts":0}`,
	})
	p := openDashboard(t, url)
	for _, total := range []string{"1 waiting", "2 waiting", "1 waiting", "2 waiting"} {
		p.until("having heard of "+total, fmt.Sprintf(`document.querySelector("#webhooks [data-part=total]").textContent === %q`, total))
	}
	cells := evaluate[[]string](p, `[...document.querySelectorAll("#webhooks td")].map((each) => each.textContent)`)
	require.Equal(t, []string{"fails", "–", "184,202", "0"}, cells[:4])
	require.Contains(t, cells[4], "no route to host, ")
}

// gate waits until the dashboard asks for the token.
func (p *tab) gate() {
	p.t.Helper()
	p.until("asking for the token", `!document.querySelector("#gate").hidden && document.activeElement.id === "gate-token"`)
	require.False(p.t, evaluate[bool](p, `document.querySelector(".tiles").checkVisibility()`))
}

func (p *tab) enterToken(text string) {
	p.t.Helper()
	evaluate[any](p, `document.querySelector("#gate-token").value = "", null`)
	p.write("#gate-token", text)
	p.do(chromedp.KeyEvent(kb.Enter))
}

func TestTheDashboardAsksForTheTokenOfOperators(t *testing.T) {
	takesTurns(t)
	const token = "no-operator-but-me"
	const sends = "a token that only sends"
	url := startServer(t, "ADMIN_TOKEN="+token, fmt.Sprintf("OPERATOR_TOKENS=billing send sha256:%x", sha256.Sum256([]byte(sends))))
	ada := connect(t, url)
	ada.join("guarded", "Ada")

	p := openFailingTab(t, "the guarded dashboard", url+"/dashboard/")
	p.gate()
	require.Empty(t, evaluate[string](p, `document.querySelector("#gate-problem").textContent`))
	p.isAccessible("the form for the token")
	p.enterToken("not the token")
	p.shows("gate-problem", "That is not the token.")
	p.gate()
	p.enterToken(sends)
	p.until("told what the token lacks", `document.querySelector("#gate-problem").textContent.includes("does not have the scope “read”")`)
	p.gate()
	p.enterToken(token)
	p.shows("figure-connections", "1")
	p.until("listing Ada", `document.querySelector("#connection-list tbody")?.innerText.includes("Ada")`)
	require.False(t, evaluate[bool](p, `document.querySelector("#gate").checkVisibility()`))

	p.do(chromedp.Reload())
	p.shows("figure-connections", "1")
	require.False(t, evaluate[bool](p, `JSON.stringify(localStorage).includes("`+token+`") || location.href.includes("`+token+`") || document.cookie !== ""`))
	require.False(t, evaluate[bool](p, `performance.getEntriesByType("resource").some(({ name }) => name.includes("`+token+`"))`))

	p.click("#forget")
	p.gate()
	require.Zero(t, evaluate[int](p, `sessionStorage.length`))

	// New guesses are allowed as time passes, and on a busy machine much time may pass. So the page guesses until it must wait.
	p.write("#gate-token", "guess")
	evaluate[any](p, `(async () => {
		for (let tries = 0; tries < 50 && !document.querySelector("#gate-problem").textContent.includes("Try again in"); tries++) {
			await Promise.all(Array.from({ length: 40 }, () => fetch("/stats", { headers: { "Authorization": "Bearer guess" } })));
			document.querySelector("#gate-form").requestSubmit();
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
	})()`)
	p.until("told to wait", `document.querySelector("#gate-problem").textContent.includes("Try again in")`)
}

// While all plots are drawn anew, the page is short, and Firefox takes its scroll bar away.
func TestThePlotsFitAfterTheColorsHaveChanged(t *testing.T) {
	takesTurns(t)
	p := openTabIn(firefox, t, "the dashboard", startServer(t)+"/dashboard/")
	p.until("live", plotted)
	for _, scheme := range []string{"light", "dark", "light"} {
		evaluate[any](p, `document.querySelectorAll(".plot canvas").forEach((each) => { each.dataset.old = ""; }), null`)
		p.wear(look{"desktop-" + scheme, 1440, 900, false, scheme})
		if scheme == "dark" {
			p.until("drawn anew", `!document.querySelector(".plot [data-old]") && document.querySelectorAll(".plot canvas").length === 5`)
		}
		p.until("fitting", `[...document.querySelectorAll(".plot")].every((plot) => plot.querySelector(".u-wrap").offsetWidth <= plot.getBoundingClientRect().width)`)
	}
}

func TestInProductionTheDashboardSaysWhatToSet(t *testing.T) {
	takesTurns(t)
	url := startServer(t, "ENVIRONMENT=production")
	p := openFailingTab(t, "the closed dashboard", url+"/dashboard/")
	p.until("closed", `document.querySelector("#gate-text").textContent.includes("set ADMIN_TOKEN")`)
	require.False(t, evaluate[bool](p, `document.querySelector("#gate-form").checkVisibility()`))
}
