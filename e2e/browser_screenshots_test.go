package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

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

func TestPagesInScreenshots(t *testing.T) {
	dir := os.Getenv("SHOTS_DIR")
	if dir == "" {
		t.Skip("SHOTS_DIR is not set")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	url := startServer(t)

	landing := openTab(t, "landing", url+"/")
	landing.until("filled in", `document.querySelector("#figure-version")?.textContent.match(/\d/)`)
	landing.shoot(dir, "landing")
	form := openTab(t, "form", url+"/demo/?room=tea&name=Ada%20Lovelace")
	form.until("connected", `document.querySelector("#status").dataset.state === "open"`)
	form.shoot(dir, "demo-form")

	openReference(t, url, "").shoot(dir, "docs")
	shootDoctor(t, url, dir)

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

// shootDoctor shows the doctor on a plain way, while it measures, and behind a proxy
// that does everything that proxies do.
func shootDoctor(t *testing.T, url, dir string) {
	well := seeDoctor(t, url, 8)
	well.shoot(dir, "doctor-well")

	box := startMiddlebox(t, url, &middlebox{
		holdsBack:    func(r *http.Request) bool { return r.URL.Path == "/events" },
		bearsSilence: 6 * time.Second,
		onRequest: func(h http.Header) {
			h.Set("Via", "1.1 proxy.school.example")
			h.Set("X-Forwarded-For", "203.0.113.7")
		},
		onResponse: func(h http.Header) { h.Set("Cache-Control", "private") },
	})
	busy := openFailingTab(t, "busy", box+"/doctor/")
	busy.until("measuring", `document.querySelector("#lane-poll").dataset.state === "testing"`)
	busy.screenshot(filepath.Join(dir, "doctor-measuring.png"))
	ill := seeDoctor(t, box, 20, (*tab).expectFailedRequests)
	ill.shoot(dir, "doctor-ill")
}

func TestDashboardInScreenshots(t *testing.T) {
	dir := os.Getenv("SHOTS_DIR")
	if dir == "" {
		t.Skip("SHOTS_DIR is not set")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	url := startServer(t, "RESUME_WINDOW=10m", "AWAY_AFTER=1s")
	openDashboard(t, url).shoot(dir, "dashboard-empty")

	network := startProxy(t, url)
	p := openDashboard(t, network.url)
	p.expectFailedRequests()
	p.click(`#spans [value="2"]`)
	var all []*signaling
	for n := range 36 {
		one := connect(t, url)
		go func() { // ends with the client
			for range one.events {
			}
		}()
		all = append(all, one)
		room := []string{"Stand-up of the morning", "lobby", "tea-time", "a-room-whose-name-is-rather-long-since-somebody-pasted-a-link-0123456789-0123456789"}[n%4]
		if n > 24 {
			room = fmt.Sprintf("room %d", n)
		}
		if n%7 != 6 {
			require.NoError(t, one.send(bounded(t), fields{"type": "join-room", "roomId": room, "userId": []string{"Ada Lovelace", "Bob", "Cleopatra of Alexandria"}[n%3]}))
		}
		for range n {
			require.NoError(t, one.send(bounded(t), fields{"type": "ping"}))
			time.Sleep(30 * time.Millisecond)
		}
	}
	all[0].pause()
	all[5].pause()
	p.until("listing somebody who is away", `document.querySelector('#connection-list [data-state="away"]')`)
	p.click("#room-list tbody:nth-of-type(2) .expand")
	evaluate[bool](p, `window.scrollTo(0, 0), true`)
	p.shoot(dir, "dashboard-busy")
	network.goDown()
	p.until("telling of the outage", `!document.querySelector("#banner").hidden`)
	time.Sleep(6 * time.Second)
	network.comeBack()
	p.until("live again", `document.querySelector("#banner").hidden`)
	time.Sleep(6 * time.Second)
	network.goDown()
	p.until("telling of the outage", `!document.querySelector("#banner").hidden`)
	p.shoot(dir, "dashboard-outage")
}

// shoot takes a picture of the screen, and one of the whole page, in every look.
func (p *tab) shoot(dir, name string) {
	p.t.Helper()
	for _, l := range looks {
		p.wear(l)
		p.until("laid out", fmt.Sprintf(`{
			await document.fonts.ready;
			await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
			const changing = document.getAnimations().filter((each) => each instanceof CSSTransition);
			await Promise.all(changing.map((transition) => transition.finished));
			return innerWidth === %d;
		}`, l.width))
		p.screenshot(filepath.Join(dir, name+"-"+l.name+".png"))
		if evaluate[bool](p, `document.documentElement.scrollHeight > innerHeight`) {
			p.save(chromedp.FullScreenshot(100), filepath.Join(dir, name+"-"+l.name+"-whole.png"))
		}
		overflow := evaluate[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
		if overflow > 0 {
			p.t.Errorf("%s in %s is %d pixels wider than the screen", name, l.name, overflow)
		}
	}
}

func (p *tab) save(picture chromedp.Action[[]byte], path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	png, err := chromedp.Run(ctx, picture)
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(path, png, 0o644))
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
