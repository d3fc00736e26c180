package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// findings runs axe-core in the page and returns what breaks its rules: those of WCAG
// 2.2 that a program can check.
const findings = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
	.then(({ violations }) => violations.flatMap(({ id, help, nodes }) =>
		nodes.map(({ target, failureSummary }) => id + " at " + target.join(" ") + ": " + help + "; " + failureSummary)))`

// isAccessible checks the page in its present state, in light and dark, on a phone and
// on a desktop.
func (p *tab) isAccessible(what string) {
	p.t.Helper()
	source, err := os.ReadFile(filepath.Join(webTools.dir(p.t), "node_modules/axe-core/axe.min.js"))
	require.NoError(p.t, err)
	evaluate[any](p, string(source)+"; null")
	for _, l := range looks {
		p.wear(l)
		p.until("at rest", `{
			const changing = document.getAnimations().filter((each) => each instanceof CSSTransition);
			await Promise.all(changing.map((transition) => transition.finished));
			return true;
		}`)
		if found := evaluate[[]string](p, findings); len(found) > 0 {
			p.t.Errorf("%s, %s:\n%s", what, l.name, strings.Join(found, "\n"))
		}
	}
}

func TestThePagesAreAccessible(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	landing := openTab(t, "landing", url+"/")
	landing.until("filled in", `document.querySelector("#figure-version")?.textContent.match(/\d/)`)
	landing.isAccessible("landing page")
	openTab(t, "problem", url+"/problems/room-full").isAccessible("explanation of a problem")

	form := openTab(t, "form", url+"/demo/")
	form.click("#join")
	form.until("told what is missing", `!document.querySelector("#name-problem").hidden`)
	form.isAccessible("demo, its form")
	ada := openDemo(t, url, "tea", "Ada")
	bob := openDemo(t, url, "tea", "Bob")
	ada.sees(bob)
	bob.click("#call")
	ada.plays(bob)
	ada.say("Hello")
	ada.isAccessible("demo, called")
	ada.click("#call")
	ada.until("in the call", `!document.querySelector("#self-tile").hidden`)
	ada.isAccessible("demo, in a call")

	board := openDashboard(t, url)
	board.until("listing who is there", `document.querySelectorAll("#connection-list tbody tr").length > 1`)
	board.click("#room-list tbody .expand")
	board.isAccessible("dashboard")
	seeDoctor(t, url, 1).isAccessible("doctor, with its findings")
}

// What people seldom see is accessible, too: failures, and what takes long.
func TestThePagesAreAccessibleWhenSomethingIsWrong(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	measuring := openBrokenTab(t, url+"/doctor/", stopped)
	measuring.until("measuring", `document.querySelector("#lane-poll").dataset.state === "testing"`)
	measuring.isAccessible("doctor, measuring")
	box := startMiddlebox(t, url, &middlebox{holdsBack: func(*http.Request) bool { return true }})
	doctor := openFailingTab(t, "the doctor", box+"/doctor/?silence=1")
	doctor.until("through", judged)
	doctor.isAccessible("doctor, with long polling only")
	deaf := startMiddlebox(t, url, &middlebox{onRequest: func(h http.Header) { h.Del("Authorization") }})
	seeDoctor(t, deaf, 1, (*tab).expectFailedRequests).isAccessible("doctor, with nothing sent")
	alone := openBrokenTab(t, url+"/doctor/?silence=1", noNetwork, noPeers)
	alone.until("through", judged)
	alone.isAccessible("doctor, offline")

	landing := openBrokenTab(t, url+"/", noFetch, missing("HTMLScriptElement.prototype.noModule"))
	landing.says("This page cannot reach the server.")
	landing.isAccessible("landing page, without a server")
	board := openBrokenTab(t, url+"/dashboard/", noFetch, noCanvas)
	board.says("has not answered since")
	board.isAccessible("dashboard, without a server and plots")
	reference := openBrokenTab(t, url+"/docs/", noFetch)
	reference.says("The reference cannot be drawn here.")
	reference.isAccessible("reference that cannot be drawn")
}

// Without a mouse: join, speak, call, leave.
func TestTheDemoIsUsedByKeyboard(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	bob := openDemo(t, url, "keys", "Bob", withoutCamera)
	ada := openTab(t, "Ada", url+"/demo/?room=keys")
	require.Equal(t, "name", evaluate[string](ada, `document.activeElement.id`), "the first thing to do has the focus")
	ada.types("Ada")
	ada.tabTo("no-camera")
	ada.press(" ")
	ada.tabTo("join")
	ada.press("\r")
	ada.until("in the room", memberOf("Bob"))
	require.True(t, evaluate[bool](ada, `document.activeElement.id === "room-view"`), "the focus follows into the room")

	ada.tabTo("call")
	ada.press("\r")
	bob.until("called", `!document.querySelector("#incoming").hidden`)
	ada.tabTo("chat-input")
	ada.types("Hello Bob")
	ada.press("\r")
	bob.until("reading it", `document.querySelector("#chat-log").innerText.includes("Hello Bob")`)
	require.Equal(t, "polite", evaluate[string](bob.tab, `document.querySelector("#chat-log").ariaLive`))
	ada.tabTo("hangup")
	ada.press("\r")
	bob.until("not called any more", `document.querySelector("#incoming").hidden`)
	ada.tabTo("leave")
	ada.press("\r")
	ada.until("back at the form", `!document.querySelector("#join-view").hidden && document.activeElement.id === "room"`)
}

// The buttons that begin and end a call vanish when they are pressed.
func TestTheDemoKeepsTheFocusAsACallBeginsAndEnds(t *testing.T) {
	takesTurns(t)
	ada := openDemo(t, startServer(t), "focus", "Ada")
	ada.tabTo("call")
	ada.press("\r")
	ada.until("in a call", `document.activeElement.id === "microphone"`)
	ada.tabTo("hangup")
	ada.press("\r")
	ada.until("out of the call", `document.activeElement.id === "call"`)
}
