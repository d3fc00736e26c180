package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startBot runs the example of a bot in a room, until it is stopped or the test
// ends. It must end well.
func startBot(t *testing.T, url, room string) (stop func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "go-bot")
	args := []string{"build", "-o", path}
	if testsLookForRaces() {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = "../examples/go-bot"
	output, err := build.CombinedOutput()
	require.NoError(t, err, "building the bot:\n%s", output)

	var log bytes.Buffer // read when the bot has ended
	bot := exec.Command(path, "-url", url, "-room", room)
	bot.Stderr = &log
	bot.WaitDelay = within
	require.NoError(t, bot.Start())
	var stopped bool
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		require.NoError(t, bot.Process.Signal(os.Interrupt))
		kill := time.AfterFunc(within, func() { _ = bot.Process.Signal(syscall.SIGQUIT) }) // says where it hangs
		defer kill.Stop()
		require.NoError(t, bot.Wait(), "log of the bot:\n%s", &log)
		if t.Failed() {
			t.Logf("log of the bot:\n%s", &log)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Who calls the bot sees himself, and hears what he says over the data channel.
func TestTheBotAnswersCalls(t *testing.T) {
	url := startServer(t)
	stop := startBot(t, url, "echoes")
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

	// Two at once, and one of them comes without a camera.
	cleo := openDemo(t, url, "echoes", "Cleo", withoutCamera)
	cleo.until("aware of the bot", memberOf("Echo"))
	cleo.click("#call")
	cleo.until("hearing the bot's pongs", cleo.tileOf(bot)+`?.textContent.includes("ms")`)

	for _, d := range []*demo{ada, cleo} {
		d.expectFailedRequests() // candidates may come too late for the bot
	}
	stop()
	for _, d := range []*demo{ada, cleo} {
		d.untilIn(5*time.Second, "told that the bot is gone", `!`+memberOf("Echo"))
	}
}

func TestPionPeersAreEchoedByTheBot(t *testing.T) {
	url := startServer(t)
	ada := newPeer(t, url, "echoes", "Ada") // calls who comes after it
	startBot(t, url, "echoes")
	await(t, ada.opened, "open data channel")
	require.NoError(t, ada.channel.SendText("hello"))
	require.Equal(t, "hello", await(t, ada.messages, "echo"))
	await(t, ada.complete, "end of the bot's candidates")
}
