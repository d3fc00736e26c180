package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tabsPage says hello to all other tabs, and notes which of them it hears.
const tabsPage = `<!doctype html>
<title>One of many tabs</title>
<script type="module">
	import { io } from "/client.js";
	window.infos = [];
	const info = console.info;
	console.info = (...words) => { infos.push(words.join(" ")); info(...words); };
	const socket = io();
	Object.assign(window, { socket, heard: new Map() });
	socket.on("connect", () => socket.emit("join-room", "tabs", new URLSearchParams(location.search).get("name")));
	socket.on("signal", ({ data: { name, n } }) => heard.set(name, [...heard.get(name) ?? [], n]));
</script>`

// openTabs opens a page several times in one browser context, as tabs of one person:
// they share the connections that the browser allows.
func openTabs(t *testing.T, url string, count int) []*tab {
	first := openTab(t, "tab 1", url+"&name=1")
	tabs := []*tab{first}
	for n := 2; n <= count; n++ {
		p := newTab(t, fmt.Sprintf("tab %d", n), func(p *tab) (page, error) { return newChromiumPage(first.ctx, p) })
		p.visit(fmt.Sprintf("%s&name=%d", url, n))
		tabs = append(tabs, p)
	}
	return tabs
}

func TestEightTabsOfOneBrowserShareItsConnections(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t), tabsPage) + "/page.html?"
	tabs := openTabs(t, url, 8)
	for _, p := range tabs {
		p.until("connected", `socket.connected`)
	}
	speakAll(t, tabs, 1)

	count := func(tabs []*tab, transport string) (found int) {
		for _, p := range tabs {
			if evaluate[string](p, `socket.io.engine.transport.name`) == transport {
				found++
			}
		}
		return found
	}
	require.Equal(t, 4, count(tabs, "eventsource"), "two connections remain for what is sent")
	require.Equal(t, 4, count(tabs, "polling"))
	for _, p := range tabs {
		told := evaluate[int](p, `infos.filter((info) => info.includes("HTTP/2")).length`)
		require.Equal(t, evaluate[string](p, `socket.io.engine.transport.name`) == "polling", told == 1, "%s tells of it once, if it must poll", p.name)
	}

	// A tab that has a stream closes, and another tab takes its place.
	tabs[0].close()
	left := tabs[1:]
	deadline := time.Now().Add(within)
	for count(left, "polling") != 3 {
		require.True(t, time.Now().Before(deadline), "nobody took the stream that was free")
		time.Sleep(100 * time.Millisecond)
	}
	speakAll(t, left, 2)
}

// speakAll makes every tab send twenty signals, and waits until all other tabs have
// received them in order.
func speakAll(t *testing.T, tabs []*tab, round int) {
	t.Helper()
	for _, p := range tabs {
		evaluate[any](p, fmt.Sprintf(`for (let n = 1; n <= 20; n++) socket.emit("signal", { data: { name: %q, n: %d + n } }); null`, p.name, round*100))
	}
	for _, p := range tabs {
		for _, other := range tabs {
			if other != p {
				p.until("hearing "+other.name, fmt.Sprintf(`(heard.get(%q) ?? []).filter((n) => n > %d).length === 20`, other.name, round*100))
				require.True(t, evaluate[bool](p, fmt.Sprintf(`heard.get(%q).every((n, index, all) => !index || n > all[index - 1])`, other.name)))
			}
		}
	}
}
