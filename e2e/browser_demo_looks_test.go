package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// people have names that are hard to show: written from right to left, without a space
// to break at, of emoji, with marks above marks, and as long as they may be.
var people = []string{
	"ليلى بنت عبد الرحمن", "עדה לאבלייס", "👩‍👩‍👧‍👦 Familie Müller", "田中 さくら",
	strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 3), strings.Repeat("W", 128), "Z̸̡̛͕a̴͙͘l̵̰̈g̷̬̾o̶", "Bob",
	"Ada <b>Lovelace</b>", "محمد 42 (Berlin)", "🙂",
}

// TestTheDemoHoldsTwelvePeopleWithAnyNames looks at the page at each size: nothing is
// wider than the screen, and each control can be reached.
func TestTheDemoHoldsTwelvePeopleWithAnyNames(t *testing.T) {
	takesTurns(t)
	url := startServer(t, noLimits...)
	var others []*signaling
	for _, name := range people {
		other := connect(t, url)
		other.join(arabicRoom, name)
		others = append(others, other)
	}
	ada := openDemo(t, url, arabicRoom, "آدا لوفلايس", withoutCamera)
	ada.until("in a room of twelve", `document.querySelectorAll("#members li").length === 12`)
	for n, other := range others {
		text := []string{"السلام عليكم! هل تسمعونني؟", "Hello, مرحبا, שלום: 3 + 4 = 7", strings.Repeat("ab", 300), "👍"}[n%4]
		require.NoError(t, other.send(bounded(t), fields{"type": "send-message", "message": text}))
		require.NoError(t, other.send(bounded(t), fields{"type": "typing-start"}))
	}
	ada.until("showing all messages", `document.querySelectorAll("#chat-log li:not(.remark)").length === 11`)
	require.Contains(t, evaluate[string](ada.tab, `document.querySelector("#typing").textContent`), "\u2068"+people[0]+"\u2069, \u2068")
	ada.say("مرحبا بالجميع")
	ada.until("showing its own message", `document.querySelectorAll("#chat-log [data-own]").length === 1`)
	ada.fitsEveryLook("demo-names")

	ada.click("#call")
	ada.until("showing twelve tiles", `document.querySelectorAll(".tile:not([hidden])").length === 12`)
	ada.fitsEveryLook("demo-twelve")
	ada.click("#settings")
	ada.until("showing its settings", `document.querySelector("#settings-dialog").open`)
	ada.fitsEveryLook("demo-settings")

	// What is written from right to left stands at the right, and does not turn the
	// English around it.
	require.Equal(t, "rtl", evaluate[string](ada.tab, `getComputedStyle(document.querySelector("#chat-log [data-own] .message-text")).direction`))
	require.Equal(t, "rtl", evaluate[string](ada.tab, `getComputedStyle(document.querySelector("#room-name")).direction`))
}

// fitsEveryLook checks that nothing is wider than the screen or cut off, also if the page
// itself runs from right to left. With SHOTS_DIR it takes pictures, too. A page of WebKit
// has one color scheme, and its window is not that narrow.
func (p *tab) fitsEveryLook(name string) {
	p.t.Helper()
	dir := os.Getenv("SHOTS_DIR")
	if dir != "" {
		require.NoError(p.t, os.MkdirAll(dir, 0o755))
	}
	inWebKit, isWebKit := p.page.(*webkitPage)
	// At 400 per cent a page on a desktop is as narrow as this (WCAG 2.2, 1.4.10).
	enlarged := look{"enlarged", 320, 640, false, "light"}
	for _, direction := range []string{"rtl", "ltr"} {
		evaluate[any](p, `document.documentElement.dir = "`+direction+`", null`)
		for _, l := range append(slices.Clone(looks), enlarged) {
			isDark := l.scheme == "dark"
			if isWebKit && (isDark != inWebKit.engine.dark || l == enlarged) || isDark && dir == "" {
				continue
			}
			p.shootIn(l, dir, name+"-"+direction)
		}
	}
}

// In each browser a person joins, calls if the browser can, and chats.
func TestTheDemoWorksInEachBrowser(t *testing.T) {
	inEachBrowser(t, worksInTheDemo)
	t.Run(webkitInTheDark.name(), func(t *testing.T) {
		if os.Getenv("SHOTS_DIR") == "" {
			t.Skip("NOT TESTED: it differs by its colors only, and SHOTS_DIR asks for no pictures")
		}
		takesTurns(t)
		worksInTheDemo(t, webkitInTheDark)
	})
}

func worksInTheDemo(t *testing.T, e engine) {
	url := startServer(t)
	ada := joinDemo(openTabIn(e, t, "Ada", url+"/demo/"), arabicRoom, "Ada")
	bob := openDemo(t, url, arabicRoom, "Bob")
	bob.sees(ada)
	ada.fitsEveryLook("demo-" + e.name() + "-joined")
	if evaluate[bool](ada.tab, `"RTCPeerConnection" in window`) {
		bob.click("#call")
		ada.plays(bob)
		ada.click("#call")
		bob.plays(ada)
		ada.until("hearing Bob", ada.tileOf(bob)+`.hasAttribute("data-speaking")`)
	} else {
		ada.reads("This browser cannot make calls. You can still chat and see who is here.")
		bob.reads("Ada’s browser cannot make calls.")
	}
	ada.chatsWith(bob)
	ada.fitsEveryLook("demo-" + e.name() + "-called")
	if evaluate[bool](ada.tab, `!document.querySelector("#settings").hidden`) {
		ada.click("#settings")
		ada.until("showing its settings", `document.querySelector("#settings-dialog").open`)
		ada.fitsEveryLook("demo-" + e.name() + "-settings")
		ada.click("#settings-close")
	}
}
