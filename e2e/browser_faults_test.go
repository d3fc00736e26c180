package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// fault is something that a browser, its settings, an extension or a policy takes away
// from a page: a script that runs before the page's own.
type fault struct{ what, script string }

// missing removes APIs, such as "AbortSignal.any".
func missing(apis ...string) fault {
	var script strings.Builder
	for _, api := range apis {
		owner, name := "window", api
		if dot := strings.LastIndex(api, "."); dot >= 0 {
			owner, name = api[:dot], api[dot+1:]
		}
		fmt.Fprintf(&script, "delete %s.%s;\n", owner, name)
		fmt.Fprintf(&script, "if (%[1]s.%[2]s) Object.defineProperty(%[1]s, %[2]q, { value: undefined });\n", owner, name)
	}
	return fault{"without " + strings.Join(apis, ", "), script.String()}
}

// throwing lets an API throw, as blocked storage does.
func throwing(owner, name string) fault {
	return fault{owner + "." + name + " throws", fmt.Sprintf(
		`Object.defineProperty(%s, %q, { configurable: true, get() { throw new DOMException("It is blocked.", "SecurityError"); } });`, owner, name)}
}

func language(tag string) fault {
	return fault{"the language " + tag, fmt.Sprintf(`Object.defineProperty(Navigator.prototype, "language", { configurable: true, get: () => %q });`, tag)}
}

// foreign lets something on the way answer a path in place of the server.
func foreign(path, answer string) fault {
	return fault{path[1:] + " answered by something else", fmt.Sprintf(`{
		const original = window.fetch;
		window.fetch = (address, options) => new URL(address, location).pathname === %q ? Promise.resolve(new Response(%q)) : original(address, options);
	}`, path, answer)}
}

var (
	noCanvas   = fault{"a blocked canvas", `HTMLCanvasElement.prototype.getContext = () => null;`}
	noZone     = fault{"an unknown time zone", `Intl.DateTimeFormat.prototype.resolvedOptions = () => ({ locale: "en" });`}
	noDates    = fault{"a time zone that Intl refuses", `Intl.DateTimeFormat = function () { throw new RangeError("Invalid time zone specified: undefined"); };`}
	noBody     = fault{"answers without a stream", `Object.defineProperty(Response.prototype, "body", { get: () => undefined });`}
	noFetch    = fault{"blocked requests", `window.fetch = () => { throw new TypeError("Failed to fetch"); };`}
	noNetwork  = fault{"no network", `window.fetch = () => Promise.reject(new TypeError("Failed to fetch")); window.EventSource = class extends EventTarget { constructor() { super(); setTimeout(() => this.dispatchEvent(new Event("error"))); } close() {} get readyState() { return 2; } }; Object.defineProperty(Navigator.prototype, "onLine", { get: () => false });`}
	deafFetch  = fault{"requests that never end", `window.fetch = () => new Promise(() => {});`}
	noPeers    = fault{"a constructor of peers that throws", `window.RTCPeerConnection = function () { throw new DOMException("WebRTC is disabled.", "NotSupportedError"); };`}
	fewPeers   = fault{"one peer at most", `{ const Original = RTCPeerConnection; let made = 0; window.RTCPeerConnection = class extends Original { constructor(settings) { if (++made > 1) throw new DOMException("Cannot create so many PeerConnections", "UnknownError"); super(settings); } }; }`}
	noOffers   = fault{"offers that fail", `RTCPeerConnection.prototype.setLocalDescription = () => Promise.reject(new Error("no"));`}
	noCopies   = fault{"a clipboard that refuses", `Object.defineProperty(Navigator.prototype, "clipboard", { get: () => ({ writeText: () => Promise.reject(new Error("denied")) }) }); document.execCommand = () => { throw new Error("no"); };`}
	deafCopies = fault{"a clipboard that never answers", `Object.defineProperty(Navigator.prototype, "clipboard", { get: () => ({ writeText: () => new Promise(() => {}) }) }); document.execCommand = () => false;`}
	noPosts    = fault{"POSTs that something else answers", `{ const original = window.fetch; window.fetch = (address, options) => options?.method === "POST" ? Promise.resolve(new Response("<p>Log in</p>", { headers: { "Content-Type": "text/html" } })) : original(address, options); }`}
	yesterday  = fault{"the clock of yesterday", `{ const now = Date.now; Date.now = () => now() - 86_400_000; }`}
	noSizes    = fault{"sizes that are not told", `ResizeObserver.prototype.observe = () => { throw new TypeError("It is blocked."); };`}
	noHistory  = fault{"an address that cannot change", `History.prototype.replaceState = History.prototype.pushState = () => { throw new DOMException("Attempt to use history.replaceState() more than 100 times", "SecurityError"); };`}
	// 250 ms is the interval of the doctor's pings.
	stopped    = fault{"a clock that stops, so the doctor waits for ever after its first pings", `performance.now = () => 0; { const original = window.setTimeout; window.setTimeout = (act, ms, ...rest) => ms === 250 ? 0 : original(act, ms, ...rest); }`}
	noBlobs    = fault{"no addresses for files", `URL.createObjectURL = () => { throw new Error("no"); };`}
	itsStorage = fault{"stored answers", `Object.defineProperty(Navigator.prototype, "serviceWorker", { get: () => ({ controller: { scriptURL: location.origin + "/sw.js" } }) });`}
	noScript   = fault{what: "JavaScript off"}
)

// openBrokenTab opens a page in a browser with faults.
func openBrokenTab(t *testing.T, url string, faults ...fault) *tab {
	t.Helper()
	return openBrokenTabIn(chromium, t, url, faults...)
}

func openBrokenTabIn(e engine, t *testing.T, url string, faults ...fault) *tab {
	t.Helper()
	p := newBlankTabIn(e, t, "the page")
	p.expectFailedRequests()
	for _, f := range faults {
		if f == noScript {
			p.withoutScripts()
		} else {
			p.prepare(f.script)
		}
	}
	p.visit(url)
	return p
}

// withoutScripts turns JavaScript off, as a person may. Only Chromium can do that.
func (p *tab) withoutScripts() {
	p.t.Helper()
	p.attempt("turning JavaScript off", func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			return err
		}))
	})
}

// says waits until the page shows a text.
func (p *tab) says(text string) {
	p.t.Helper()
	p.until("saying "+text, fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// serveWithout serves everything of a server but the paths that begin with this.
func serveWithout(t *testing.T, serverURL, prefix string) string {
	t.Helper()
	upstream, err := url.Parse(serverURL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			http.Error(w, "<p>Blocked by the school</p>", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

const (
	live     = `document.querySelector("#status").dataset.state === "live" && document.querySelector("#figure-connections").textContent === "0"`
	plotted  = live + ` && document.querySelectorAll(".plot canvas").length === 5`
	noPlots  = "This browser cannot draw the plots"
	judged   = `!document.querySelector("#again").disabled && document.querySelector('[data-id="silence"]')`
	isGood   = judged + ` && document.querySelector("#verdict").dataset.level === "good"`
	up       = `document.querySelector("#figure-version").textContent.match(/\d/)`
	contract = `document.querySelector('main a[href="../openapi.yaml"]').checkVisibility()`
)

// faultyPages are what is taken away from a page, and what the page says.
var faultyPages = []struct {
	path   string
	faults []fault
	says   string // a text that the page shows
	works  string // what is true all the same
}{
	{"/", []fault{missing("Intl")}, "The server is up", up},
	{"/", []fault{missing("AbortSignal.timeout", "AbortSignal.any")}, "The server is up", up},
	{"/", []fault{throwing("window", "localStorage"), throwing("window", "sessionStorage"), language("C")}, "The server is up", up},
	{"/", []fault{noFetch}, "This page cannot reach the server.", `true`},
	{"/", []fault{noNetwork}, "This page cannot reach the server.", `true`},
	{"/", []fault{deafFetch}, "This page cannot reach the server.", `true`},
	{"/", []fault{noScript}, "JavaScript is off", `!document.body.innerText.includes("Asking") && !document.querySelector("[data-copy]").checkVisibility()`},
	{"/", []fault{missing("HTMLScriptElement.prototype.noModule")}, "This browser is too old for this page", `true`},

	{"/doctor/?silence=1", []fault{missing("EventSource")}, "Live stream (GET) is missing in this browser", judged},
	{"/doctor/?silence=1", []fault{throwing("window", "EventSource")}, "Live stream (GET) is missing in this browser", judged},
	{"/doctor/?silence=1", []fault{noBody}, "Live stream (POST) is missing in this browser", judged + ` && document.querySelector('[data-id="silence"]').textContent.includes("This browser cannot read")`},
	{"/doctor/?silence=1", []fault{missing("RTCPeerConnection")}, "This browser cannot make calls", judged},
	{"/doctor/?silence=1", []fault{noPeers}, "This browser cannot make calls", judged},
	{"/doctor/?silence=1", []fault{noOffers}, "This browser cannot make calls", judged},
	{"/doctor/?silence=1", []fault{missing("AbortSignal.timeout", "AbortSignal.any")}, "The clocks agree", isGood},
	{"/doctor/?silence=1", []fault{missing("performance.getEntriesByName", "performance.getEntriesByType")}, "does not say how it is connected", isGood},
	{"/doctor/?silence=1", []fault{missing("PerformanceResourceTiming.prototype.nextHopProtocol"), missing("Intl")}, "does not say how it is connected", isGood},
	{"/doctor/?silence=1", []fault{noFetch}, "Calls cannot be set up", judged},
	{"/doctor/?silence=1", []fault{deafFetch}, "Calls cannot be set up", judged},
	{"/doctor/?silence=1", []fault{noNetwork}, "This device is offline", judged},
	{"/doctor/?silence=1", []fault{itsStorage}, "A service worker answers in place of the server", judged},
	{"/doctor/?silence=1", []fault{fewPeers}, "A test call in this page fails", judged},
	{"/doctor/?silence=1", []fault{foreign("/doctor.json", "{}")}, "Something on the way answered GET", judged},
	{"/doctor/?silence=1", []fault{noPosts}, "0 of 16 requests got through. All were answered in place of the server.", judged},
	{"/doctor/?silence=1", []fault{yesterday}, "This device's clock is 24 hours behind the server's", judged},
	{"/doctor/", []fault{noScript}, "This page needs JavaScript", `!document.body.innerText.includes("Measuring")`},

	{"/dashboard/", []fault{language("C")}, "Live", plotted},
	{"/dashboard/", []fault{language("")}, "Live", plotted},
	{"/dashboard/", []fault{missing("Intl.RelativeTimeFormat", "Intl.ListFormat")}, "Live", plotted},
	{"/dashboard/", []fault{noZone}, "Live", plotted},
	{"/dashboard/", []fault{noDates}, noPlots, live},
	{"/dashboard/", []fault{missing("Intl")}, noPlots, live},
	{"/dashboard/", []fault{throwing("window", "localStorage"), throwing("window", "sessionStorage")}, "Live", plotted},
	{"/dashboard/", []fault{missing("sessionStorage")}, "Live", plotted},
	{"/dashboard/", []fault{missing("ResizeObserver")}, "Live", plotted},
	{"/dashboard/", []fault{missing("matchMedia")}, noPlots, live},
	{"/dashboard/", []fault{missing("MediaQueryList.prototype.addEventListener")}, noPlots, live},
	{"/dashboard/", []fault{noCanvas}, noPlots, live},
	{"/dashboard/", []fault{noSizes}, noPlots, live},
	{"/dashboard/", []fault{foreign("/stats", "{}")}, "(asked for /stats)", `true`},
	{"/dashboard/", []fault{foreign("/health", "null")}, "(asked for /health)", `true`},
	{"/dashboard/", []fault{foreign("/rooms", "{}")}, "The server does not answer /rooms.", live},
	{"/dashboard/", []fault{missing("AbortSignal.timeout", "AbortSignal.any")}, "Live", plotted},
	{"/dashboard/", []fault{noFetch}, "has not answered since", `true`},
	{"/dashboard/", []fault{deafFetch}, "has not answered since", `true`},
	{"/dashboard/", []fault{noScript}, "This page needs JavaScript", `!document.body.innerText.includes("Asking")`},

	{"/docs/", []fault{throwing("window", "localStorage"), throwing("window", "sessionStorage")}, "/events/batch", `!document.querySelector("#without")`},
	{"/docs/", []fault{language("C")}, "/events/batch", `!document.querySelector("#without")`},
	{"/docs/", []fault{missing("matchMedia")}, "/events/batch", `true`},
	{"/docs/", []fault{missing("ResizeObserver")}, "/events/batch", `true`},
	{"/docs/", []fault{missing("IntersectionObserver")}, "/events/batch", `true`},
	{"/docs/", []fault{missing("Intl")}, "The reference cannot be drawn here.", contract},
	{"/docs/", []fault{noFetch}, "The reference cannot be drawn here.", contract},
	{"/docs/", []fault{deafFetch}, "The reference cannot be drawn here.", contract},
	{"/docs/", []fault{noHistory}, "The reference cannot be drawn here.", contract},
	{"/docs/", []fault{foreign("/openapi.yaml", "<p>Log in</p>")}, "The reference cannot be drawn here.", contract},
	{"/docs/", []fault{noScript}, "This page needs JavaScript.", contract},
	{"/problems/room-full", []fault{noScript}, "room", `true`},
}

// Each page says in one sentence what is the matter, and the rest of it works. An
// exception that nobody catches fails the test as well.
func TestAPageInABrowserThatLacksSomethingSaysSoAndGoesOn(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	for row, c := range faultyPages {
		if !isChosen(row) {
			continue
		}
		var names []string
		for _, f := range c.faults {
			names = append(names, f.what)
		}
		t.Run(strings.Trim(c.path, "/")+" "+strings.Join(names, ", "), func(t *testing.T) {
			takesTurns(t)
			p := openBrokenTab(t, server+c.path, c.faults...)
			p.says(c.says)
			p.until("going on", c.works)
			if c.says == noPlots || c.path == "/docs/" {
				p.forgive("") // the programs of other authors complain by themselves
			}
		})
	}
}

// What other browsers lack by themselves is in the tests of looks. WebKit of Linux really has the
// language “C” sometimes.
func TestPagesGoOnInEachBrowser(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		server := startServer(t)
		openBrokenTabIn(e, t, server+"/dashboard/", language("C"), throwing("window", "sessionStorage")).until("live", plotted)
		openBrokenTabIn(e, t, server+"/doctor/?silence=1", noBody, missing("RTCPeerConnection")).until("through", judged)
		landing := openBrokenTabIn(e, t, server+"/", noNetwork)
		landing.says("This page cannot reach the server.")
	})
}

// A filter that refuses one of a page's files is named by the page.
func TestAPageNamesTheFileThatDidNotLoad(t *testing.T) {
	takesTurns(t)
	server := startServer(t)
	for path, file := range map[string]string{"/": "/assets/landing.js", "/doctor/": "/doctor/advice.js", "/dashboard/": "/dashboard/lists.js", "/docs/": "/docs/scalar"} {
		p := openBrokenTab(t, serveWithout(t, server, file)+path)
		p.says("did not load")
		p.forgive("") // the browser itself complains about the refusal
	}
	openBrokenTab(t, serveWithout(t, server, "/metrics")+"/dashboard/").says("(asked for /metrics)")
	openBrokenTab(t, serveWithout(t, server, "/connections")+"/dashboard/").says("The server does not answer /connections.")
	p := openBrokenTab(t, serveWithout(t, server, "/dashboard/uplot")+"/dashboard/")
	p.says(noPlots)
	p.until("live", live)
	p.forgive("")
}

// What cannot be copied or saved is said on the button, and the text is selected, so that a
// person can copy it.
func TestAPageSaysThatItCannotCopyOrSave(t *testing.T) {
	takesTurns(t)
	server := startServer(t)
	for _, f := range []fault{noCopies, deafCopies} {
		landing := openBrokenTab(t, server+"/", f)
		landing.until("filled in", up)
		const button = "[data-copy=curl-sample]"
		landing.flashes(button, "Not copied, but selected", func() { landing.click(button) })
		require.Contains(t, evaluate[string](landing, `getSelection().toString()`), "curl -N")
	}

	doctor := openBrokenTab(t, server+"/doctor/?silence=1", noCopies, noBlobs)
	doctor.until("through", judged)
	doctor.flashes("#copy-report", "Not copied, but selected", func() { doctor.click("#copy-report") })
	require.Contains(t, evaluate[string](doctor, `getSelection().toString()`), "Measured")
	doctor.flashes("#save-text", "Not saved", func() { doctor.click("#save-text") })
}

// If the browser stores nothing, the token of operators works until the page is reloaded.
func TestTheDashboardOpensWithoutStorage(t *testing.T) {
	takesTurns(t)
	const token = "no-operator-but-me"
	p := openBrokenTab(t, startServer(t, "ADMIN_TOKEN="+token)+"/dashboard/", throwing("window", "sessionStorage"))
	p.gate()
	p.says("Only this page keeps the token, until you reload or close it.")
	p.enterToken(token)
	p.until("live", live)
}

// A page that is left says so to the server, even without sendBeacon.
func TestTheDoctorLeavesWithoutSendBeacon(t *testing.T) {
	takesTurns(t)
	server := startServer(t, "RESUME_WINDOW=10m")
	p := openBrokenTab(t, server+"/doctor/", missing("Navigator.prototype.sendBeacon"), stopped)
	p.until("sending on all its sockets", `performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/events")).length === 3`)
	require.Equal(t, 3, statsOf(t, server).ActiveConnections)
	p.visit("about:blank")
	until(t, "no socket of the doctor is left", func() bool { return statsOf(t, server).ActiveConnections == 0 })
}
