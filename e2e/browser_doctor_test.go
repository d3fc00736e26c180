package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// middlebox is a proxy that treats streams and headers as the proxies of schools,
// hospitals and banks do.
type middlebox struct {
	holdsBack    func(*http.Request) bool // reports whether a stream comes out only at its end, all at once
	bearsSilence time.Duration            // how long a stream may be silent before it is cut; 0: for ever
	collects     time.Duration            // how long the events of a stream are gathered before they are passed on together
	onRequest    func(http.Header)
	onResponse   func(http.Header)

	upstream  *url.URL
	transport *http.Transport

	mu     sync.Mutex // guards what follows
	tokens map[string]bool
}

// startMiddlebox puts a middlebox in front of a server, and returns the middlebox's address.
func startMiddlebox(t *testing.T, serverURL string, m *middlebox) string {
	t.Helper()
	var err error
	m.upstream, err = url.Parse(serverURL)
	require.NoError(t, err)
	m.transport = &http.Transport{DisableCompression: true}
	m.tokens = make(map[string]bool)
	server := httptest.NewServer(m)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		m.transport.CloseIdleConnections()
	})
	return server.URL
}

// ServeHTTP implements http.Handler.
func (m *middlebox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.remember(r.Header.Get("Authorization"))
	ctx, cut := context.WithCancel(r.Context())
	defer cut()
	proxy := httputil.ReverseProxy{
		Transport:     m.transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(m.upstream)
			if m.onRequest != nil {
				m.onRequest(p.Out.Header)
			}
		},
		ModifyResponse: func(response *http.Response) error {
			if m.onResponse != nil {
				m.onResponse(response.Header)
			}
			if response.Header.Get("Content-Type") != "text/event-stream" {
				return nil
			}
			if m.bearsSilence > 0 {
				response.Body = &impatient{response.Body, time.AfterFunc(m.bearsSilence, cut), m.bearsSilence}
			}
			if m.collects > 0 {
				response.Body = &collector{response.Body, m.collects}
			}
			if m.holdsBack != nil && m.holdsBack(r) {
				return hold(response)
			}
			return nil
		},
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

func (m *middlebox) remember(authorization string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if token, found := strings.CutPrefix(authorization, "Bearer "); found && len(token) == 22 {
		m.tokens[token] = true
	}
}

// hold reads a whole answer before any of it is passed on.
func hold(response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	return nil
}

// impatient is a body that is cut if nothing comes for too long.
type impatient struct {
	io.ReadCloser
	timer   *time.Timer
	silence time.Duration
}

// Read implements io.Reader.
func (i *impatient) Read(p []byte) (int, error) {
	n, err := i.ReadCloser.Read(p)
	i.timer.Reset(i.silence)
	return n, err
}

// Close implements io.Closer.
func (i *impatient) Close() error {
	i.timer.Stop()
	return i.ReadCloser.Close()
}

// collector is a body that is read at intervals.
type collector struct {
	io.ReadCloser
	interval time.Duration
}

// Read implements io.Reader.
func (c *collector) Read(p []byte) (int, error) {
	time.Sleep(c.interval)
	return c.ReadCloser.Read(p)
}

// visit is the doctor's page, seen as a person sees it.
type visit struct{ *tab }

// seeDoctor opens the page with a silence of some seconds, and waits for all its
// results.
func seeDoctor(t *testing.T, url string, silence int, expect ...func(*tab)) visit {
	t.Helper()
	return seeDoctorIn(chromium, t, url, silence, expect...)
}

func seeDoctorIn(e engine, t *testing.T, url string, silence int, expect ...func(*tab)) visit {
	t.Helper()
	v := visit{openTabIn(e, t, "the doctor", fmt.Sprintf("%s/doctor/?silence=%d", url, silence))}
	for _, step := range expect {
		step(v.tab)
	}
	v.until("through with the silence", `document.querySelector('[data-id="silence"]') && !document.querySelector("#again").disabled`)
	return v
}

// finds makes sure that the page has a finding of this level, and that its card
// contains all the words.
func (v visit) finds(id, level string, words ...string) {
	v.t.Helper()
	card := fmt.Sprintf(`document.querySelector('#findings [data-id=%q]')`, id)
	text := evaluate[string](v.tab, card+`?.textContent ?? "nothing"`)
	for _, each := range words {
		require.Contains(v.t, text, each, id)
	}
	require.Equal(v.t, level, evaluate[string](v.tab, card+`?.dataset.level ?? "none"`), text)
}

// shows makes sure that a lane of the picture is in this state.
func (v visit) shows(lane, state string) {
	v.t.Helper()
	require.Equal(v.t, state, evaluate[string](v.tab, fmt.Sprintf(`document.querySelector("#lane-%s").dataset.state`, lane)), lane)
}

func (v visit) concludes(level, words string) {
	v.t.Helper()
	require.Contains(v.t, evaluate[string](v.tab, `[...document.querySelectorAll("#verdict p")].map((each) => each.textContent).join(" ")`), words)
	require.Equal(v.t, level, evaluate[string](v.tab, `document.querySelector("#verdict").dataset.level`))
}

func TestTheDoctorFindsNothingWrongWithAPlainWay(t *testing.T) {
	takesTurns(t)
	server := startServer(t)
	v := seeDoctor(t, server, 2)
	v.concludes("good", "Calls can be set up from this network. You need to do nothing.")
	for _, lane := range []string{"eventSource", "fetchStream", "poll", "post"} {
		v.shows(lane, "works")
		v.finds(lane, "good", "work")
	}
	v.finds("silence", "info", "idle for 2 s was not cut", "longer than the 10 s between two heartbeats")
	v.finds("request-headers", "good", "nothing was changed")
	v.finds("response-headers", "good", "nothing was changed")
	v.finds("clock", "good")
	v.finds("protocol", "info", "HTTP/1.1")
	v.finds("candidates", "info", "Calls to other networks could not be tested", "coturn")
	require.Positive(t, evaluate[int](v.tab, `Number(document.querySelector('[data-id="candidates"]').textContent.match(/found (\d+) address/)[1])`))
	v.finds("pair", "good", "were connected after")
	require.Equal(t, "no proxy seen", evaluate[string](v.tab, `document.querySelector("#proxies-text").textContent`))

	until(t, "no socket of the doctor is left", func() bool { return statsOf(t, server).ActiveConnections == 0 })
	require.Equal(t, 3, statsOf(t, server).TotalConnections, "one for each way down, and none besides")
}

type connectionStats struct{ ActiveConnections, TotalConnections int }

// statsOf returns how many sockets a server has, and how many it has had.
func statsOf(t *testing.T, server string) (stats connectionStats) {
	t.Helper()
	r, err := http.NewRequestWithContext(bounded(t), http.MethodGet, server+"/stats", nil)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.NoError(t, json.NewDecoder(response.Body).Decode(&stats))
	return stats
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, within, 50*time.Millisecond, what)
}

func TestTheDoctorFindsAProxyThatHoldsBackStreamsByGET(t *testing.T) {
	takesTurns(t)
	box := startMiddlebox(t, startServer(t), &middlebox{holdsBack: func(r *http.Request) bool { return r.Method == http.MethodGet }})
	v := seeDoctor(t, box, 2)
	v.concludes("warn", "only by a live stream opened by POST")
	v.shows("eventSource", "held")
	v.finds("eventSource", "bad", "is held back", "pass on each piece of an answer of "+box, "no response buffering", "proxy_buffering off", "Until then, pages can use the live stream by POST")
	v.shows("fetchStream", "works")
	v.finds("fetchStream", "good", "works")
	v.shows("poll", "works")
	v.finds("silence", "info", "could not be measured")
	require.Equal(t, "yes", evaluate[string](v.tab, `document.querySelector("#proxies").dataset.seen`))
}

func TestTheDoctorFindsAProxyThatHoldsBackAllStreams(t *testing.T) {
	takesTurns(t)
	box := startMiddlebox(t, startServer(t), &middlebox{holdsBack: func(*http.Request) bool { return true }})
	v := seeDoctor(t, box, 2)
	v.concludes("warn", "only by long polling")
	for _, lane := range []string{"eventSource", "fetchStream"} {
		v.shows(lane, "held")
		v.finds(lane, "bad", "is held back", "Until then, pages can use long polling")
	}
	v.shows("poll", "works")
	v.shows("post", "works")
}

// A cache on the way answers each stream with the beginning of an older one.
func TestTheDoctorFindsACacheThatStoresStreams(t *testing.T) {
	takesTurns(t)
	upstream, err := url.Parse(startServer(t))
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	var stored atomic.Value // the oldest answer of /doctor.json
	proxy.ModifyResponse = func(response *http.Response) error {
		if response.Request.URL.Path != "/doctor.json" {
			return nil
		}
		body, err := io.ReadAll(response.Body)
		stored.CompareAndSwap(nil, body)
		response.Body = io.NopCloser(bytes.NewReader(stored.Load().([]byte)))
		response.ContentLength = int64(len(stored.Load().([]byte)))
		response.Header.Del("Content-Length")
		return err
	}
	cache := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/events" {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: connected\nid: AAAAAAAAAAAAAAAAAAAAAA.0\ndata: {\"type\":\"connected\",\"token\":\"AAAAAAAAAAAAAAAAAAAAAA\"}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(cache.Close)
	t.Cleanup(cache.CloseClientConnections)
	v := seeDoctor(t, cache.URL, 1, (*tab).expectFailedRequests)
	v.shows("eventSource", "stored")
	v.finds("eventSource", "bad", "brings old events from a cache", "not to store answers of "+cache.URL, "Until then, pages can use the live stream by POST")
	v.finds("response-headers", "bad", "Answers come from a cache")
	v.concludes("warn", "only by a live stream opened by POST")
}

// The network of a hotel answers everything with its own page until people log in. The
// browser had the doctor's page before.
func TestTheDoctorFindsANetworkThatWantsALogin(t *testing.T) {
	takesTurns(t)
	upstream, err := url.Parse(startServer(t))
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	hotel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/doctor/") || strings.HasPrefix(r.URL.Path, "/assets/") {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<title>Welcome to our hotel</title>")
	}))
	t.Cleanup(hotel.Close)
	t.Cleanup(hotel.CloseClientConnections)
	v := seeDoctor(t, hotel.URL, 1, (*tab).expectFailedRequests)
	v.forgive("") // the browser complains about the type of the stream
	v.concludes("bad", "Something in this network answers in place of the server. If the network wants you to log in, do that")
	v.finds("eventSource", "bad", "answered in place of the server")
	v.finds("fetchStream", "bad", "answered in place of the server")
	v.finds("exchange", "bad", "in place of the server")
}

// Another app at the same address has left a worker that answers from its cache first.
func TestTheDoctorFindsAServiceWorkerThatStoresAnswers(t *testing.T) {
	takesTurns(t)
	upstream, err := url.Parse(startServer(t))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(upstream))
	mux.HandleFunc("/app", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>x</title><link rel="icon" href="data:,"><script>navigator.serviceWorker.register("/worker.js")</script>`)
	})
	mux.HandleFunc("/worker.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `
			addEventListener("activate", (event) => event.waitUntil(clients.claim()));
			addEventListener("fetch", (event) => {
				if (!event.request.url.endsWith("/doctor.json")) return;
				event.respondWith(caches.open("all").then(async (cache) => {
					if (!await cache.match(event.request)) await cache.put(event.request, await fetch(event.request));
					return cache.match(event.request);
				}));
			});`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	v := visit{openTab(t, "the app", s.URL+"/app")}
	v.until("answered by its worker", `navigator.serviceWorker.controller`)
	v.visit(s.URL + "/doctor/?silence=1")
	v.until("through", judged)
	v.finds("worker", "warn", s.URL+"/worker.js", "Delete the data of this site")
	v.finds("response-headers", "bad", "Answers come from a cache")
	v.finds("request-headers", "good")
}

func TestTheDoctorFindsAProxyThatCutsSilence(t *testing.T) {
	takesTurns(t)
	box := startMiddlebox(t, startServer(t), &middlebox{bearsSilence: 3 * time.Second})
	v := seeDoctor(t, box, 20, (*tab).expectFailedRequests)
	v.finds("silence", "bad", "raise the idle timeout", "HEARTBEAT_INTERVAL")
	v.until("told how long it bears", `/cut after (2\.[5-9]|[3-9](\.\d)?) s/.test(document.querySelector('[data-id="silence"]').textContent)`)
	v.concludes("warn", "but the connection is often cut")
	require.Equal(t, "hidden proxy", evaluate[string](v.tab, `document.querySelector("#proxies-text").textContent`))
	for _, lane := range []string{"eventSource", "fetchStream", "poll"} {
		v.shows(lane, "works")
	}
}

func TestTheDoctorFindsWhatAProxyDoesToHeaders(t *testing.T) {
	takesTurns(t)
	box := startMiddlebox(t, startServer(t), &middlebox{
		onRequest: func(h http.Header) {
			h.Set("Via", "1.1 proxy.school.example")
			h.Set("X-Forwarded-For", "203.0.113.7")
			h.Del("Idempotency-Key")
		},
		onResponse: func(h http.Header) {
			h.Set("Via", "1.1 proxy.school.example")
			h.Set("X-Cache", "MISS")
			h.Set("Cache-Control", "private")
			h.Del("X-Accel-Buffering")
		},
	})
	v := seeDoctor(t, box, 1)
	v.finds("request-headers", "warn", "Idempotency-Key was taken out", "Via and X-Forwarded-For were added", "1.1 proxy.school.example")
	v.finds("response-headers", "warn", "X-Accel-Buffering was taken out", "Cache-Control was changed", "no-store → private", "Via and X-Cache were added")
	require.Equal(t, "1 proxy", evaluate[string](v.tab, `document.querySelector("#proxies-text").textContent`))
}

func TestTheDoctorFindsThatNothingCanBeSent(t *testing.T) {
	takesTurns(t)
	box := startMiddlebox(t, startServer(t), &middlebox{onRequest: func(h http.Header) { h.Del("Authorization") }})
	v := seeDoctor(t, box, 1, (*tab).expectFailedRequests)
	v.concludes("bad", "nothing can be sent to the server")
	v.shows("post", "blocked")
	v.finds("post", "bad", "status 401", "leave the header Authorization")
	v.finds("request-headers", "bad", "Authorization was taken out")
}

func TestTheDoctorsReportIsSavedAndHoldsNoToken(t *testing.T) {
	takesTurns(t)
	m := &middlebox{holdsBack: func(r *http.Request) bool { return r.URL.Path == "/events" }}
	box := startMiddlebox(t, startServer(t), m)
	v := seeDoctor(t, box, 1)
	dir := t.TempDir()
	_, err := chromedp.CallBrowser(v.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior:         browser.SetDownloadBehaviorBehaviorAllow,
		BrowserContextID: chromedp.FromContext(v.ctx).BrowserContextID,
		DownloadPath:     dir,
	})
	require.NoError(t, err)
	v.click("#save-text")
	text := downloaded(t, dir, "*.txt")
	v.click("#save-json")
	document := downloaded(t, dir, "*.json")

	require.Contains(t, text, "a report on "+box)
	require.Contains(t, text, "[PROBLEM] Live stream (GET) is held back")
	require.Contains(t, text, "Please pass on each piece of an answer")
	require.NotContains(t, text, "sk your administrator")
	require.Contains(t, text, "Browser   Mozilla/5.0")
	require.Equal(t, text, evaluate[string](v.tab, `document.querySelector("#report-text").textContent`))
	var report struct {
		Server, MeasuredAt string
		Findings           []struct{ ID, Level, Advice string }
		Measurements       struct {
			Rungs map[string]struct{ State string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(document), &report))
	require.Equal(t, box, report.Server)
	require.Equal(t, "held", report.Measurements.Rungs["eventSource"].State)
	require.Equal(t, "works", report.Measurements.Rungs["poll"].State)
	require.GreaterOrEqual(t, len(report.Findings), 10)
	measuredAt, err := time.Parse(time.RFC3339, report.MeasuredAt)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), measuredAt, time.Minute)

	m.mu.Lock()
	defer m.mu.Unlock()
	require.NotEmpty(t, m.tokens)
	for token := range m.tokens {
		require.NotContains(t, text, token)
		require.NotContains(t, document, token)
	}
}

// downloaded waits for a file, and returns its content.
func downloaded(t *testing.T, dir, pattern string) string {
	t.Helper()
	var content []byte
	until(t, "saved "+pattern, func() bool {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			return false
		}
		content, err = os.ReadFile(found[0])
		return err == nil && len(content) > 0
	})
	return string(content)
}

func TestTheDoctorsSilenceCanBeStopped(t *testing.T) {
	takesTurns(t)
	v := visit{openTab(t, "the doctor", startServer(t)+"/doctor/")}
	v.until("silent", `document.querySelector("#silence").dataset.state === "testing"`)
	v.until("counting", `/idle for [1-9]/.test(document.querySelector("#silence-text").textContent)`)
	v.click("#stop")
	v.until("stopped", `document.querySelector('[data-id="silence"]')`)
	v.finds("silence", "info", "was stopped early", "was still open after")
	v.click("#again")
	v.until("measuring again", `!document.querySelector('[data-id="silence"]')`)
	v.until("through again", `document.querySelector("#verdict").dataset.level === "good"`)
}

// allWell is the result of a run in which nothing is wrong. Each test of advice changes
// one thing in it.
const allWell = `({
	measuredAt: new Date(), proxies: { count: 0, names: [] },
	exchange: {
		state: "measured", roundTrip: 10, clockDifference: 3, browserProtocol: "h2", serverProtocol: "HTTP/1.1", serverTls: null,
		pageIsSecure: true, pageIsEncrypted: true, remoteAddress: "192.0.2.1", forwardedFor: [], serverVersion: "1.0.0",
		heartbeatInterval: 10000, resumeWindow: 10000,
		request: { added: [], removed: [], changed: [] }, response: { added: [], removed: [], changed: [] },
	},
	rungs: Object.fromEntries(["eventSource", "fetchStream", "poll"].map((name) => [name, {
		state: "works", firstEvent: 20, failure: null, sent: [0, 250], arrivals: [{ at: 5, serverTime: 1 }, { at: 255, serverTime: 251 }], posts: [], lump: 1, heldFor: 1,
	}])),
	posts: { state: "works", sent: 24, accepted: 24, status: null, roundTrip: 8 },
	silence: { state: "lasted", limit: 120, lengths: [], lasted: 120, cutAfter: null, muteBy: null },
	webrtc: { state: "measured", stun: 1, turn: 1, candidates: { host: 1, srflx: 1, relay: 1 }, errors: [], pair: { connected: true, after: 50 } },
})`

// askedOf is what the page says to a person, and the report says in another way to the administrator.
var askedOf = regexp.MustCompile(`^.*[Aa]sk your administrator (not to|to|whether) `)

// sentences cuts a text after each full stop that a space follows.
func sentences(text string) []string {
	all := strings.SplitAfter(text, ". ")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// The advice is a pure function: each case changes one thing, and names the finding
// that must result from it.
func TestTheDoctorsAdviceForWhatProxiesDo(t *testing.T) {
	takesTurns(t)
	p := openTab(t, "advice", servePage(t, startServer(t), blankPage)+"/page.html")
	for _, c := range []struct{ change, id, level, words, verdict string }{
		{``, "eventSource", "good", "Nothing to change", "good"},
		{`r.rungs.eventSource.state = "lumps"; r.rungs.eventSource.lump = 4; r.rungs.eventSource.heldFor = 900`, "eventSource", "warn", "proxy_buffering off", "warn"},
		{`r.rungs.eventSource.state = "blocked"; r.rungs.eventSource.failure = { reason: "refused", status: 403 }`, "eventSource", "bad", "let GET /events at https://s.example through", "warn"},
		{`r.rungs.fetchStream.state = "broken"; r.rungs.fetchStream.arrivals.pop()`, "fetchStream", "bad", "not to cut long answers of https://s.example/events/stream", "warn"},
		{`for (const rung of Object.values(r.rungs)) Object.assign(rung, { state: "held", firstEvent: null })`, "poll", "bad", "without inspection", "bad"},
		{`r.posts = { state: "blocked", sent: 24, accepted: 0, status: 403, roundTrip: null }`, "post", "bad", "let POST https://s.example/events", "bad"},
		{`r.posts = { state: "broken", sent: 24, accepted: 20, status: 502, roundTrip: 8 }`, "post", "warn", "Idempotency-Key", "warn"},
		{`r.posts.roundTrip = 800`, "post", "good", "/events/batch", "good"},
		{`r.silence.lasted = 5`, "silence", "info", "longer than the 10 s", "good"},
		{`Object.assign(r.silence, { state: "stopped", lasted: 42 })`, "silence", "info", "Nothing to change", "good"},
		{`Object.assign(r.silence, { state: "held", lasted: 0 })`, "silence", "info", "Mend the live streams first", "good"},
		{`Object.assign(r.silence, { state: "refused", lasted: 0 })`, "silence", "info", "in a minute", "good"},
		{`Object.assign(r.silence, { state: "cut", lasted: 0, cutAfter: 5 })`, "silence", "bad", "HEARTBEAT_INTERVAL well below 5 s", "warn"},
		{`Object.assign(r.silence, { state: "cut", lasted: 0, cutAfter: 20 })`, "silence", "warn", "“wait” to less than 20 s", "good"},
		{`Object.assign(r.silence, { state: "cut", lasted: 30, cutAfter: 60 })`, "silence", "good", "Nothing to change", "good"},
		{`Object.assign(r.silence, { state: "mute", lasted: 0, muteBy: 30 })`, "silence", "bad", "raise the idle timeout", "warn"},
		{`r.exchange = { state: "failed", status: 403 }`, "exchange", "bad", "let GET requests to https://s.example", "good"},
		{`r.exchange.clockDifference = -90000`, "clock", "warn", "Set this device's clock", "good"},
		{`r.exchange.pageIsSecure = false`, "protocol", "warn", "HTTPS", "warn"},
		{`for (const rung of Object.values(r.rungs)) Object.assign(rung, { state: "blocked", firstEvent: null, failure: { reason: "rate limited", status: null } })`, "poll", "warn", "in a minute", "bad"},
		{`r.rungs.poll.state = "blocked"; r.rungs.poll.failure = { reason: "refused", status: 200 }`, "poll", "bad", "let GET /events/poll at https://s.example through", "warn"},
		{`r.exchange.browserProtocol = "http/1.1"`, "protocol", "info", "let HTTP/2 through", "good"},
		{`r.exchange.request.removed.push({ name: "authorization", value: "" })`, "request-headers", "bad", "leave the header Authorization in requests", "good"},
		{`r.exchange.response.added.push({ name: "content-encoding", value: "gzip" })`, "response-headers", "warn", "turn off compression", "good"},
		{`r.exchange.response.added.push({ name: "age", value: "30" })`, "response-headers", "bad", "not to store", "good"},
		{`r.exchange.response.removed.push({ name: "x-accel-buffering", value: "no" })`, "response-headers", "info", "nginx takes this header out", "good"},
		{`r.webrtc.candidates.relay = 0`, "candidates", "warn", "TURN over TLS on port 443", "warn"},
		{`r.webrtc.turn = 0; r.webrtc.candidates = { host: 1, srflx: 0, relay: 0 }`, "candidates", "warn", "port 3478", "warn"},
		{`r.webrtc = { state: "unsupported" }`, "candidates", "bad", "another browser", "bad"},
		{`r.webrtc.pair = { connected: false, after: null }`, "pair", "bad", "policy", "bad"},
		{`r.webrtc.candidates = null; r.webrtc.failure = "That is not a URL."`, "candidates", "bad", "correct ICE_SERVERS", "warn"},
		{`r.rungs.eventSource.state = "unsupported"`, "eventSource", "info", "Until then, pages can use the live stream by POST", "warn"},
		{`r.rungs.eventSource.state = "stored"`, "eventSource", "bad", "not to store answers", "warn"},
		{`r.rungs.poll.state = "blocked"; r.rungs.poll.failure = { reason: "refused", status: 429 }`, "poll", "warn", "in a minute", "warn"},
		{`r.rungs.eventSource.state = "blocked"; r.rungs.eventSource.failure = { reason: "at capacity", status: null }`, "eventSource", "warn", "tell its operator", "warn"},
		{`r.exchange.stored = true; r.exchange.request.changed.push({ name: "idempotency-key", from: "a", to: "b" })`, "response-headers", "bad", "not to store", "good"},
		{`r.exchange.browserProtocol = null`, "protocol", "info", "Nothing to change", "good"},
		{`r.worker = "https://s.example/sw.js"`, "worker", "warn", "Delete the data of this site", "good"},
		{`Object.assign(r.silence, { state: "unsupported", lasted: 0 })`, "silence", "info", "a newer browser", "good"},
	} {
		var got struct {
			Verdict  struct{ Level, Text string }
			Findings []struct{ ID, Level, Title, Text, Advice string }
			Report   string
		}
		text := evaluate[string](p, `(async () => {
			const { advise } = await import("/doctor/advice.js");
			const { makeReport, reportText } = await import("/doctor/report.js");
			const r = `+allWell+`;
			`+c.change+`;
			const advice = advise(r, "https://s.example");
			const report = reportText(makeReport({ results: r, ...advice, address: "https://s.example", browser: "a browser" }));
			return JSON.stringify({ ...advice, report });
		})()`)
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.Equal(t, c.verdict, got.Verdict.Level, "%s: %s", c.change, got.Verdict.Text)
		found := false
		for _, f := range got.Findings {
			for _, text := range []string{f.Text, f.Advice} {
				for _, sentence := range sentences(text) {
					require.Regexp(t, `^[A-Z0-9“].*[.”]$`, sentence)
					require.LessOrEqual(t, len(strings.Fields(sentence)), 27, sentence)
				}
			}
			require.NotContains(t, f.Title+f.Text+f.Advice, "undefined", c.change)
			for _, sentence := range sentences(f.Advice) {
				require.Contains(t, got.Report, askedOf.ReplaceAllString(sentence, ""), "the report says it too")
			}
			require.NotContains(t, got.Report, "sk your administrator")
			if f.ID == c.id {
				found = true
				require.Equal(t, c.level, f.Level, c.change)
				require.Contains(t, f.Advice, c.words, c.change)
			} else if c.change == "" {
				require.Equal(t, "good", f.Level, f.Title)
			}
		}
		require.True(t, found, c.change)
	}
}

// A proxy collected events if they left the server one by one and arrived together. It
// does not matter when the page asked for them.
func TestTheDoctorDistinguishesLumpsFromEventsThatLeftTogether(t *testing.T) {
	takesTurns(t)
	p := openTab(t, "spacing", servePage(t, startServer(t), blankPage)+"/page.html")
	for _, c := range []struct {
		at, left string // of each event
		lumpy    bool
	}{
		{`[5, 255, 505, 755, 1005]`, `[0, 250, 500, 750, 1000]`, false},
		{`[1005, 1006, 1007, 1008, 1009]`, `[0, 250, 500, 750, 1000]`, true},
		{`[505, 506, 507, 1005, 1006]`, `[0, 250, 500, 750, 1000]`, true},
		{`[1005, 1006, 1007, 1008, 1009]`, `[1000, 1001, 1002, 1003, 1004]`, false}, // the requests were held up on their way to the server
		{`[1005, 1006, 1007, 1008, 1009]`, `[0, 5, 500, 505, 510]`, true},           // the requests were held up, and so were the events
		{`[5, 65, 125, 185, 245, 305, 365, 425]`, `[0, 60, 120, 180, 240, 300, 360, 420]`, false},
		{`[5, 755, 756, 757, 1005, 1255, 1505, 1755]`, `[0, 250, 500, 750, 1000, 1250, 1500, 1750]`, false}, // a lost packet
		{`[305, 306, 505, 755, 1005]`, `[0, 250, 500, 750, 1000]`, false},                                   // a single lump may be chance
		{`[]`, `[]`, false},
	} {
		require.Equal(t, c.lumpy, evaluate[bool](p, `import("/doctor/spacing.js").then(({ isLumpy, judgeSpacing }) => {
			const left = `+c.left+`;
			const arrivals = `+c.at+`.map((at, n) => ({ at, serverTime: 1772366400000 + left[n] }));
			return isLumpy(judgeSpacing(arrivals), arrivals.length);
		})`), c.at)
	}
}

func TestTheDoctorFindsAProxyThatCollectsEvents(t *testing.T) {
	takesTurns(t)
	box := startMiddlebox(t, startServer(t), &middlebox{collects: 2 * time.Second})
	v := seeDoctor(t, box, 1)
	for _, lane := range []string{"eventSource", "fetchStream"} {
		v.shows(lane, "lumps")
		v.finds(lane, "warn", "late", "came at once", "no response buffering")
	}
	v.shows("poll", "works")
	v.concludes("warn", "only by long polling")
}
