package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// photographer looks at pages in one browser, and keeps pictures if it has a folder.
type photographer struct {
	engine engine
	name   string
	looks  []look
	dir    string
}

// photographers look at pages in every browser, in every look that the browser has. Without
// a folder for pictures, colors do not matter.
func photographers(t *testing.T) (all []photographer) {
	t.Helper()
	dir := os.Getenv("SHOTS_DIR")
	if dir != "" {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	var light, dark []look
	for _, l := range looks {
		if l.scheme == "light" {
			light = append(light, l)
		} else {
			dark = append(dark, l)
		}
	}
	for _, e := range engines {
		which := light
		if dir != "" && e != webkit {
			which = looks
		}
		all = append(all, photographer{e, e.name(), which, dir})
	}
	if dir != "" {
		all = append(all, photographer{webkitInTheDark, webkitInTheDark.name(), dark, dir})
	}
	return all
}

// look looks at a page in every look, from left to right and from right to left.
func (p photographer) look(page *tab, name string) {
	page.t.Helper()
	if p.engine != chromium {
		name = strings.ReplaceAll(strings.ToLower(p.engine.name()), " ", "-") + "-" + name
	}
	for _, l := range p.looks {
		page.shootIn(l, p.dir, name)
	}
	if p.dir == "" && p.engine != chromium {
		return
	}
	evaluate[any](page, `document.documentElement.dir = "rtl", null`)
	for _, l := range p.looks {
		page.shootIn(l, p.dir, name+"-rtl")
	}
	evaluate[any](page, `document.documentElement.dir = "ltr", null`)
}

// Every page but the demo fits every screen, in every browser, also with names in Arabic, and
// if the page itself runs from right to left.
func TestThePagesFitEveryScreen(t *testing.T) {
	t.Parallel()
	for _, p := range photographers(t) {
		for name, show := range map[string]func(photographer, *testing.T){
			"the public pages": photographer.lookAtPublicPages,
			"the doctor":       photographer.lookAtTheDoctor,
			"the dashboard":    photographer.lookAtTheDashboard,
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				takesTurns(t)
				show(p, t)
			})
		}
	}
}

func (p photographer) lookAtPublicPages(t *testing.T) {
	url := startServer(t)
	landing := openTabIn(p.engine, t, "landing", url+"/")
	landing.until("filled in", up)
	p.look(landing, "landing")
	p.look(openTabIn(p.engine, t, "problem", url+"/problems/room-full"), "problem")
	reference := openTabIn(p.engine, t, "the reference", url+"/docs/")
	reference.until("drawn", `document.body.innerText.includes("/events/batch")`)
	p.look(reference, "docs")
	reference.forgive("") // it is a program of other authors
}

// The doctor on a plain way, while it measures, behind a proxy that does everything that
// proxies do, and without a server.
func (p photographer) lookAtTheDoctor(t *testing.T) {
	url := startServer(t)
	well := openTabIn(p.engine, t, "well", url+"/doctor/?silence=1")
	well.until("through", judged)
	p.look(well, "doctor-well")

	measuring := openBrokenTabIn(p.engine, t, url+"/doctor/", stopped)
	measuring.until("measuring", `document.querySelector("#lane-poll").dataset.state === "testing"`)
	p.look(measuring, "doctor-measuring")

	box := startMiddlebox(t, url, &middlebox{
		holdsBack:    func(r *http.Request) bool { return r.URL.Path == "/events" },
		bearsSilence: 2 * time.Second,
		onRequest: func(h http.Header) {
			h.Set("Via", "1.1 proxy-with-a-rather-long-name.school.example")
			h.Set("X-Forwarded-For", "203.0.113.7")
		},
		onResponse: func(h http.Header) { h.Set("Cache-Control", "private") },
	})
	ill := openFailingTabIn(p.engine, t, "ill", box+"/doctor/?silence=5")
	ill.until("through", judged)
	evaluate[any](ill, `document.querySelectorAll("details").forEach((each) => { each.open = true; }), null`)
	p.look(ill, "doctor-ill")
	ill.forgive("") // Firefox complains about the refused streams

	network := startProxy(t, url)
	gone := openFailingTabIn(p.engine, t, "gone", network.url+"/doctor/?silence=1")
	gone.until("through", judged)
	network.goDown()
	gone.click("#again")
	gone.until("cut off", `document.querySelector("#verdict").dataset.level === "bad"`)
	gone.until("through", judged)
	p.look(gone, "doctor-gone")
	gone.forgive("")
}

const (
	arabicRoom = "غرفة الاجتماعات الصباحية (الطابق 3) — فريق الدعم"
	longRoom   = "a-room-whose-name-is-rather-long-since-somebody-pasted-a-link-0123456789-0123456789"
)

func (p photographer) lookAtTheDashboard(t *testing.T) {
	const token = "no-operator-but-me"
	url := startServer(t, "RESUME_WINDOW=10m", "AWAY_AFTER=1s", "ADMIN_TOKEN="+token, "WEBHOOK_URL=http://127.0.0.1:1", "WEBHOOK_SECRET="+webhookSecret)
	network := startProxy(t, url)
	board := openFailingTabIn(p.engine, t, "the dashboard", network.url+"/dashboard/")
	board.until("asking for the token", `!document.querySelector("#gate").hidden`)
	p.look(board, "dashboard-gate")
	board.write("#gate-token", token)
	board.click("#gate-form button")
	board.until("live", live)
	p.look(board, "dashboard-empty")

	var all []*signaling
	for n := range 24 {
		one := connect(t, url)
		go func() { // ends with the client
			for range one.events {
			}
		}()
		all = append(all, one)
		room := []string{arabicRoom, "lobby", "tea-time", longRoom}[n%4]
		if n > 15 {
			room = fmt.Sprintf("room %d", n)
		}
		if n%7 != 6 {
			require.NoError(t, one.send(bounded(t), fields{"type": "join-room", "roomId": room, "userId": []string{"Ada Lovelace", "ليلى العامري 7", longRoom}[n%3]}))
		}
		for range n {
			require.NoError(t, one.send(bounded(t), fields{"type": "ping"}))
		}
	}
	all[0].pause()
	board.until("listing somebody who is away", `document.querySelector('#connection-list [data-state="away"]')`)
	evaluate[any](board, `[...document.querySelectorAll("#room-list .expand")].slice(-2).forEach((each) => each.click()), null`)
	board.until("showing members in Arabic", `[...document.querySelectorAll("#room-list .members bdi")].some((each) => getComputedStyle(each).direction === "rtl")`)
	p.look(board, "dashboard-busy")
	require.Equal(t, "rtl", evaluate[string](board, `getComputedStyle([...document.querySelectorAll("#connection-list bdi")].find((each) => each.textContent.startsWith("ليلى"))).direction`))
	network.goDown()
	board.until("telling of the outage", `!document.querySelector("#banner").hidden`)
	p.look(board, "dashboard-outage")
	board.forgive("ResizeObserver")
}
