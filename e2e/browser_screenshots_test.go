package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// look is a size of screen and a color scheme.
type look struct {
	name          string
	width, height int64
	phone         bool
	scheme        string
}

var looks = []look{
	{"phone-light", 360, 780, true, "light"},
	{"phone-dark", 360, 780, true, "dark"},
	{"tablet-light", 768, 1024, true, "light"},
	{"tablet-dark", 768, 1024, true, "dark"},
	{"desktop-light", 1440, 900, false, "light"},
	{"desktop-dark", 1440, 900, false, "dark"},
}

func TestDemoInScreenshots(t *testing.T) {
	dir := os.Getenv("SHOTS_DIR")
	if dir == "" {
		t.Skip("SHOTS_DIR is not set")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	url := startServer(t)

	form := openTab(t, "form", url+"/demo/?room=tea&name=Ada%20Lovelace")
	form.until("connected", `document.querySelector("#status").dataset.state === "open"`)
	form.shoot(dir, "demo-form")

	ada := openDemo(t, url, "tea-time", "Ada Lovelace")
	ada.shoot(dir, "demo-alone")
	bob := openDemo(t, url, "tea-time", "Bob")
	ada.sees(bob)
	bob.click("#call")
	ada.plays(bob)
	ada.shoot(dir, "demo-incoming")
	ada.click("#call")
	cleo := openDemo(t, url, "tea-time", "Cleopatra of Alexandria", withoutCamera)
	cleo.click("#call")
	for _, text := range []string{"Hello both", "Can you hear me? This is a sentence that is long enough to need more than one line."} {
		cleo.say(text)
		ada.until("reading "+text, fmt.Sprintf(`document.querySelector("#chat-log").innerText.includes(%q)`, text))
	}
	ada.say("Loud and clear")
	ada.until("chatting", `document.querySelector("#chat-log").innerText.includes("Loud and clear")`)
	ada.until("in a call with two", `document.querySelectorAll('.tile[data-data-channel="open"]').length === 2`)
	ada.shoot(dir, "demo-call")
}

// shoot takes a picture of the screen, and one of the whole page, in every look. It fails
// the test if a page is wider than its screen, or cuts a text without a sign.
func (p *tab) shoot(dir, name string) {
	p.t.Helper()
	for _, l := range looks {
		p.shootIn(l, dir, name)
	}
}

// shootIn is shoot for one look. If dir is empty, there are no pictures.
func (p *tab) shootIn(l look, dir, name string) {
	p.t.Helper()
	p.wear(l)
	p.untilLaidOut(l)
	width := evaluate[int64](p, `Math.max(innerWidth, document.documentElement.scrollWidth)`) // a phone makes room for what is too wide
	if width > l.width {
		p.t.Errorf("%s in %s is %d pixels wide, and the screen %d: %s", name, l.name, width, l.width, evaluate[string](p, tooWide))
	}
	if cut := evaluate[[]string](p, cutTexts); len(cut) > 0 {
		p.t.Errorf("%s in %s cuts texts:\n%s", name, l.name, strings.Join(cut, "\n"))
	}
	if dir == "" {
		return
	}
	p.screenshot(filepath.Join(dir, name+"-"+l.name+".png"))
	if height := evaluate[int64](p, `document.documentElement.scrollHeight`); height > l.height {
		l.height = height
		p.wear(l)
		p.untilLaidOut(l)
		p.screenshot(filepath.Join(dir, name+"-"+l.name+"-whole.png"))
	}
}

// tooWide names what reaches beyond the screen.
const tooWide = `[...document.querySelectorAll("body *")].filter((each) => {
	const { left, right } = each.getBoundingClientRect();
	return right > document.documentElement.clientWidth + 1 || left < -1;
}).slice(0, 3).map((each) => each.outerHTML.slice(0, 120)).join("; ")`

// cutTexts lists the elements that hide the end of their text, and show no ellipsis.
const cutTexts = `[...document.querySelectorAll("body *")].filter((each) => {
	const { overflowX, textOverflow, clipPath } = getComputedStyle(each);
	return each.clientWidth > 1 && ["hidden", "clip"].includes(overflowX) && textOverflow !== "ellipsis" && clipPath === "none"
		&& each.scrollWidth > each.clientWidth + 1 && each.innerText?.trim() && !each.closest(".plot, #reference");
}).map((each) => each.outerHTML.slice(0, 200))`

// untilLaidOut waits until the page has its new size. A page that is too wide never has it.
func (p *tab) untilLaidOut(l look) {
	p.t.Helper()
	p.until("laid out", fmt.Sprintf(`{
		for (let n = 0; n < 20 && innerWidth !== %d; n++) await new Promise((later) => setTimeout(later, 50));
		await document.fonts.ready;
		for (let n = 0; n < 6; n++) await new Promise(requestAnimationFrame); // scrollbars come and go, and plots follow
		const changing = document.getAnimations().filter((each) => each instanceof CSSTransition);
		await Promise.all(changing.map((transition) => transition.finished));
		return true;
	}`, l.width))
}

// put gives the page this look.
func (l look) put() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: l.width, Height: l.height, DeviceScaleFactor: 1, Mobile: l.phone,
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
		})
		return err
	})
}
