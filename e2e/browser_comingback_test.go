package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// restartable is a server that a test ends and starts again at the same address.
type restartable struct {
	t       *testing.T
	url     string
	port    string
	command *exec.Cmd
	log     *serverLog
}

func startRestartable(t *testing.T) *restartable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &restartable{t: t, url: "http://" + listener.Addr().String()}
	_, s.port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	s.start()
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return s
}

func (s *restartable) start() {
	s.t.Helper()
	path, err := builtServer.build()
	require.NoError(s.t, err)
	s.command = exec.Command(path)
	s.command.Env = []string{"HOST=127.0.0.1", "PORT=" + s.port}
	stderr, err := s.command.StderrPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.command.Start())
	s.log = newServerLog(stderr)
	require.Equal(s.t, s.url, await(s.t, s.log.address, "server to be ready"))
}

// end ends the server, and waits until it has ended.
func (s *restartable) end(signal os.Signal) {
	if s.command == nil {
		return
	}
	s.command.Process.Signal(signal)
	<-s.log.ended
	s.command.Wait() // a server that a signal ended returns an error, as it should
	s.command = nil
}

// returningPage holds several sockets in one page. It notes when each came back, and
// how long each timer was set to wait.
const returningPage = `<!doctype html>
<title>Many come back</title>
<script>
	const waits = new Set();
	const { setTimeout: wait } = window;
	window.setTimeout = (callback, ms, ...rest) => {
		waits.add(ms);
		return wait(callback, ms, ...rest);
	};
</script>
<script type="module">
	import { io } from "/client.js";
	const sockets = Array.from({ length: 4 }, () => io());
	Object.assign(window, { sockets, returns: [], joined: 0 });
	sockets.forEach((socket, index) => {
		let sessions = 0;
		socket.on("connect", () => {
			if (sessions++) returns.push(Date.now());
			else socket.emit("join-room", "returning", "member " + index);
		});
		socket.on("room-joined", () => joined++);
	});
</script>`

func TestClientsComeBackToAServerThatWasRestarted(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]os.Signal{"stopped": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			takesTurns(t)
			server := startRestartable(t)
			pages := map[string]string{"/page.html": returningPage}
			proxy := startShapingProxy(t, server.url, pages)
			var tabs []*tab
			for n := range 5 {
				p := openFailingTab(t, fmt.Sprint("browser ", n), proxy.url+"/page.html")
				p.until("in the room", `joined === 4`)
				tabs = append(tabs, p)
			}
			server.end(signal)
			server.start()

			var returns []int
			var drawn []float64 // how long clients waited, by their own choice or the server's
			for _, p := range tabs {
				// Only the client itself joins again.
				p.until("back, and in the room", `returns.length === 4 && joined === 8`)
				returns = append(returns, evaluate[[]int](p, `returns`)...)
				drawn = append(drawn, evaluate[[]float64](p, `[...waits].filter((ms) => ms < 6000)`)...)
			}
			slices.Sort(returns)
			slices.Sort(drawn)
			drawn = slices.Compact(drawn)
			spread := time.Duration(returns[len(returns)-1]-returns[0]) * time.Millisecond
			t.Logf("%d clients came back within %s, after waits of %.0f ms", len(returns), spread, drawn)
			// On a busy machine, clients that return at different times seem to return
			// together. So the test judges the waits that they chose.
			require.Greater(t, len(drawn), len(returns)/2, "each waits for a time of its own")
			require.Greater(t, drawn[len(drawn)-1]-drawn[0], 500.0, "not all at once")
		})
	}
}

func TestTheClientNoticesANetworkThatGoesAndComes(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t, "HEARTBEAT_INTERVAL=5m", "RESUME_WINDOW=5m"), socketIOPage) // by heartbeats it would notice much later
	ada := openTab(t, "Ada", url+"/page.html?name=Ada")
	ada.expectFailedRequests()
	ada.until("in the room", `document.getElementById("users").textContent === "Ada"`)
	evaluate[any](ada, `window.reconnects = 0; socket.io.on("reconnect", () => reconnects++); null`)

	ada.goOffline(true)
	ada.until("trying again", `log.some((line) => line.startsWith("reconnect_attempt"))`)
	ada.goOffline(false)
	ada.until("back", `reconnects === 1`)
	require.Equal(t, []string{"connect"}, evaluate[[]string](ada, `log.filter((line) => !line.startsWith("reconnect"))`), "the same session")
}

// goOffline takes the page's network away, as the browser's tools for developers do, or
// gives it back.
func (p *tab) goOffline(offline bool) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		conditions := cdpnetwork.Conditions{DownloadThroughput: -1, UploadThroughput: -1, Offline: offline}
		_, err := cdp.Call(ctx, target, cdpnetwork.EmulateNetworkConditionsByRule,
			cdpnetwork.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*cdpnetwork.Conditions{&conditions}})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, cdpnetwork.OverrideNetworkState,
			cdpnetwork.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	}))
}

// A page that goes says so at once, whichever way it goes. When the browser shows it
// again, it is a member of its room again.
func TestAPageThatGoesSaysSoAndComesBack(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t, "RESUME_WINDOW=10m"), socketIOPage) // by itself the server would notice much later
	bob := openTab(t, "Bob", url+"/page.html?name=Bob")
	ada := openTab(t, "Ada", url+"/page.html?name=Ada")
	const both, alone = `document.getElementById("users").textContent === "Ada, Bob"`, `document.getElementById("users").textContent === "Bob"`
	bob.until("with Ada", both)

	ada.visit(url + "/livez")
	bob.until("without Ada", alone)
	ada.goBack()
	bob.until("with Ada again", both)
	ada.until("with Bob again", both)

	// A browser may keep the page as it was. A headless one may not, so the test sends
	// the events that a browser would send.
	evaluate[any](ada, `dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })); null`)
	bob.until("without Ada", alone)
	evaluate[any](ada, `dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })); null`)
	bob.until("with Ada again", both)
	ada.until("with Bob again", both)

	// Many pages call disconnect() right before they are gone.
	evaluate[any](ada, `addEventListener("beforeunload", () => socket.disconnect()); null`)
	ada.close()
	bob.until("without Ada", alone)
	require.NotContains(t, strings.Join(evaluate[[]string](bob, `log`), "\n"), "error")
}
