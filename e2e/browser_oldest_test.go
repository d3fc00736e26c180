package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asTheOldest takes away what the oldest browsers in docs/clients.md lack.
const asTheOldest = `
	const without = (owner, ...names) => { for (const name of names) if (owner) delete owner[name]; };
	without(Array.prototype, "findLast", "findLastIndex", "toReversed", "toSorted", "toSpliced", "with");
	without(Array, "fromAsync");
	without(Object, "groupBy");
	without(Map, "groupBy");
	without(Map.prototype, "getOrInsert", "getOrInsertComputed");
	without(Set.prototype, "union", "intersection", "difference", "symmetricDifference", "isSubsetOf", "isSupersetOf", "isDisjointFrom");
	without(String.prototype, "isWellFormed", "toWellFormed");
	without(Promise, "withResolvers", "try");
	without(Uint8Array, "fromBase64", "fromHex");
	without(Uint8Array.prototype, "toBase64", "toHex");
	without(Error, "isError");
	without(RegExp, "escape");
	without(globalThis.Intl, "DurationFormat", "Segmenter");
	without(AbortSignal, "any", "timeout");
	without(URL, "canParse", "parse");
	without(Response, "json");
	without(Blob.prototype, "bytes");
	without(Response.prototype, "bytes");
	without(ReadableStream, "from");
	without(ReadableStream.prototype, Symbol.asyncIterator, "values");
	without(CSS, "registerProperty", "highlights");
	without(globalThis.crypto, "randomUUID");
	without(globalThis.Crypto?.prototype, "randomUUID");
	without(HTMLElement.prototype, "popover", "showPopover", "hidePopover", "togglePopover", "inert", "writingSuggestions");
	without(Element.prototype, "ariaNotify", "setHTML", "getHTML", "moveBefore", "currentCSSZoom");
	without(Document.prototype, "startViewTransition");
	without(globalThis, "structuredClone", "Iterator", "Temporal", "navigation", "Navigation", "scheduler", "requestIdleCallback",
		"documentPictureInPicture", "trustedTypes", "cookieStore", "CloseWatcher", "Highlight", "reportError");`

// withoutChoices takes away what clients and pages can do without in any browser.
const withoutChoices = `
	for (const name of ["locks", "sendBeacon", "permissions", "share", "wakeLock", "connection", "userAgentData", "clipboard", "mediaSession"]) {
		delete Navigator.prototype[name];
	}
	for (const name of ["EventSource", "BroadcastChannel", "SharedWorker", "IntersectionObserver"]) delete globalThis[name];
	for (const name of ["localStorage", "sessionStorage"]) {
		Object.defineProperty(globalThis, name, { get() { throw new DOMException("storage is blocked", "SecurityError"); } });
	}`

// inOldBrowsers runs a test in tabs that lack what browsers may lack.
func inOldBrowsers(t *testing.T, test func(t *testing.T, open func(name, url string) *tab)) {
	t.Parallel()
	for name, script := range map[string]string{"the oldest": asTheOldest, "nothing optional": asTheOldest + withoutChoices} {
		t.Run(name, func(t *testing.T) {
			takesTurns(t)
			test(t, func(name, url string) *tab {
				p := newBlankTab(t, name)
				p.expectFailedRequests()
				p.prepare("{" + script + "}")
				p.visit(url)
				require.Equal(t, []string{"undefined", "undefined", "undefined"},
					evaluate[[]string](p, `[typeof AbortSignal.any, typeof [].findLast, typeof structuredClone]`), "nothing is tested if it is still there")
				return p
			})
		})
	}
}

func TestTheClientFindsAWayInOldBrowsers(t *testing.T) {
	inOldBrowsers(t, func(t *testing.T, open func(name, url string) *tab) {
		for transport, shape := range map[string]shape{"eventsource": passing, "stream": bufferingGets, "polling": bufferingAll} {
			t.Run(transport, func(t *testing.T) {
				t.Parallel() // within the turn: each waits most of the time for a stream that is held back
				proxy := startShapingProxy(t, startServer(t, "RESUME_WINDOW=10m"), map[string]string{"/page.html": signalingPage})
				proxy.become(shape)
				pages := pair{open("Ada", proxy.url+"/page.html?name=Ada"), open("Bob", proxy.url+"/page.html?name=Bob")}
				for _, page := range pages {
					page.until("aware of the other", `window.peer`)
				}
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

func TestThePagesWorkInOldBrowsers(t *testing.T) {
	inOldBrowsers(t, func(t *testing.T, open func(name, url string) *tab) {
		url := startServer(t)
		landing := open("landing", url+"/")
		landing.until("filled in", `document.querySelector("#figure-version")?.textContent.match(/\d/)`)
		ada := joinDemo(open("Ada", url+"/demo/"), "old", "Ada")
		bob := joinDemo(open("Bob", url+"/demo/"), "old", "Bob")
		ada.sees(bob)
		bob.sees(ada)
		ada.say("Hello Bob")
		bob.until("reading it", `document.querySelector("#chat-log").innerText.includes("Hello Bob")`)
		ada.click("#call")
		bob.plays(ada)
		bob.click("#call")
		ada.plays(bob)

		board := open("the dashboard", url+"/dashboard/")
		board.until("live", `document.querySelector("#status").dataset.state === "live"`)
		board.shows("figure-connections", "2")
		doctor := visit{open("the doctor", fmt.Sprintf("%s/doctor/?silence=1", url))}
		doctor.until("through with the silence", `document.querySelector('[data-id="silence"]') && !document.querySelector("#again").disabled`)
		for _, lane := range []string{"fetchStream", "poll", "post"} {
			doctor.shows(lane, "works")
		}
	})
}

func TestAMeshWorksInOldBrowsers(t *testing.T) {
	inOldBrowsers(t, func(t *testing.T, open func(name, url string) *tab) {
		url := servePage(t, startServer(t), meshPage)
		tabs := []*tab{open("Ada", url+"/page.html?name=Ada"), open("Bob", url+"/page.html?name=Bob")}
		for _, p := range tabs {
			p.until("connected", `window.room && `+connected(1))
			p.until("seeing the other", `streams.size === 1`)
		}
		evaluate[any](tabs[0], `void room.send("hello")`)
		tabs[1].until("hearing Ada", `heard.length === 1`)
	})
}
