package e2e

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var builtBot = binary{folder: "../examples/go-bot", program: "."}

// bot is a running examples/go-bot.
type bot struct {
	t        *testing.T
	command  *exec.Cmd
	log      *serverLog
	hasEnded bool
}

// startBot runs a bot in a room. The bot runs until stop is called, until it gives up
// as the test expects, or until the test ends.
func startBot(t *testing.T, url, room string) *bot {
	t.Helper()
	path, err := builtBot.build()
	require.NoError(t, err, "building the bot")
	b := &bot{t: t, command: exec.Command(path, "-url", url, "-room", room)}
	stderr, err := b.command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, b.command.Start())
	b.log = newServerLog(stderr)
	t.Cleanup(b.stop)
	return b
}

// stop interrupts the bot, which must end well.
func (b *bot) stop() {
	if b.hasEnded {
		return
	}
	require.NoError(b.t, b.command.Process.Signal(os.Interrupt))
	require.NoError(b.t, b.end(), "log of the bot:\n%s", b.log.text())
	if b.t.Failed() {
		b.t.Logf("log of the bot:\n%s", b.log.text())
	}
}

// givesUp waits until the bot ends by itself and says why.
func (b *bot) givesUp(why string) {
	b.t.Helper()
	require.EqualError(b.t, b.end(), "exit status 1", "log of the bot:\n%s", b.log.text())
	require.Contains(b.t, b.log.text(), why)
}

func (b *bot) end() error {
	b.hasEnded = true
	kill := time.AfterFunc(within, func() { _ = b.command.Process.Signal(syscall.SIGQUIT) }) // which prints its stacks
	defer kill.Stop()
	<-b.log.ended
	return b.command.Wait()
}

func (b *bot) says(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return strings.Contains(b.log.text(), text) }, within, 10*time.Millisecond, text)
}

// A person who calls the bot sees their own video, and receives what they write to the
// data channel.
func TestTheBotAnswersCalls(t *testing.T) {
	takesTurns(t)
	url := startServer(t, "RESUME_WINDOW=10m")
	answering := startBot(t, url, "echoes")
	ada := openDemo(t, url, "echoes", "Ada")
	bot := &demo{tab: &tab{name: "Echo"}}
	ada.until("aware of the bot", memberOf("Echo"))
	bot.socketID = evaluate[string](ada.tab, memberOf("Echo")+`.dataset.socketId`)

	ada.click("#call")
	ada.plays(bot)
	ada.until("hearing the bot's pongs", ada.tileOf(bot)+`.textContent.includes("ms")`)

	ada.click("#hangup")
	ada.until("rid of the bot's tile", `!`+ada.tileOf(bot))
	ada.click("#call")
	ada.plays(bot)

	// Two callers at the same time, and one of them has no camera.
	cleo := openDemo(t, url, "echoes", "Cleo", withoutCamera)
	cleo.until("aware of the bot", memberOf("Echo"))
	cleo.click("#call")
	cleo.until("hearing the bot's pongs", cleo.tileOf(bot)+`?.textContent.includes("ms")`)

	for _, d := range []*demo{ada, cleo} {
		d.expectFailedRequests() // candidates may come too late for the bot
	}
	answering.stop()
	for _, d := range []*demo{ada, cleo} {
		d.until("told that the bot is gone", `!`+memberOf("Echo")) // the bot said so itself: its window is long
	}
}

func TestPionPeersAreEchoedByTheBot(t *testing.T) {
	runsBeside(t)
	url := startServer(t)
	ada := newPeer(t, url, "echoes", "Ada") // it calls every member that comes after it
	startBot(t, url, "echoes")
	await(t, ada.opened, "open data channel")
	require.NoError(t, ada.channel.SendText("hello"))
	require.Equal(t, "hello", await(t, ada.messages, "echo"))
	await(t, ada.complete, "end of the bot's candidates")
}

// If the server accepts no new client at the moment, the bot asks again.
func TestTheBotIsBackAsSoonAsTheServerTakesIt(t *testing.T) {
	runsBeside(t)
	url := startServer(t, "MAX_CONNECTIONS=2", "RESUME_WINDOW=1s")
	ada := connect(t, url)
	ada.join("echoes", "Ada")
	network := startProxy(t, url)
	bot := startBot(t, network.url, "echoes")
	ada.await("user-connected", nil)
	network.goDown()
	ada.await("user-disconnected", nil)
	other := connect(t, url)
	network.comeBack()
	bot.says("at capacity")
	other.pause()
	ada.await("user-connected", nil)
}

// The network may fail while the bot joins: the answer is lost, and then the socket
// ends. The bot repeats the join, which is refused as 401 unknown-session, and joins
// with its next socket.
func TestTheBotIsBackIfItsSocketEndedWhileItJoined(t *testing.T) {
	runsBeside(t)
	address := startServer(t, "RESUME_WINDOW=1s")
	ada := connect(t, address)
	ada.join("echoes", "Ada")

	server, err := url.Parse(address)
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(server)
	through.FlushInterval = -1
	through.ErrorLog = log.New(io.Discard, "", 0)
	var isFirst, isDown atomic.Bool
	isFirst.Store(true)
	down := make(chan struct{})
	network := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || isDown.Load() {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte("join-room")) && isFirst.CompareAndSwap(true, false) {
			through.ServeHTTP(httptest.NewRecorder(), r) // the answer is lost
			isDown.Store(true)
			close(down)
			panic(http.ErrAbortHandler)
		}
		through.ServeHTTP(w, r)
	}))
	network.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(network.Close)
	t.Cleanup(network.CloseClientConnections)

	startBot(t, network.URL, "echoes")
	<-down
	network.CloseClientConnections()
	ada.await("user-connected", nil)
	ada.await("user-disconnected", nil)
	isDown.Store(false)
	ada.await("user-connected", nil)
}

func TestTheBotEndsIfAnOperatorRemovesIt(t *testing.T) {
	runsBeside(t)
	const token = "no-operator-but-me"
	url := startServer(t, "ADMIN_TOKEN="+token)
	ada := connect(t, url)
	ada.join("echoes", "Ada")
	for _, put := range []struct{ out, said string }{
		{"/connections/%s", "out of the room: kicked"},
		{"/rooms/echoes", "out of the room: room closed"},
	} {
		bot := startBot(t, url, "echoes")
		var arrived struct{ SocketID string }
		ada.await("user-connected", &arrived)
		r, err := http.NewRequestWithContext(bounded(t), http.MethodDelete, url+strings.Replace(put.out, "%s", arrived.SocketID, 1), nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, 2, response.StatusCode/100, response.Status)
		bot.givesUp(put.said)
	}
}
