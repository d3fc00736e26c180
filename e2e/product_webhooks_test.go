package e2e

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var builtReceiver = binary{folder: "../examples/webhooks", program: "."}

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// printed is what a program has printed.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

// lines returns the lines that begin with one of the words.
func (p *printed) lines(words ...string) (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(p.text.String()) {
		for _, word := range words {
			if strings.HasPrefix(line, word) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

// The receivers of the examples check the signatures, each in its own way. The server is killed
// while they are away. They still learn of all that happened, in order.
func TestWebhooksReachTheReceiversOfTheExamples(t *testing.T) {
	t.Parallel()
	built, err := builtReceiver.build()
	require.NoError(t, err, "building the receiver")
	for name, start := range map[string]func(port string) *exec.Cmd{
		"Go":   func(port string) *exec.Cmd { return exec.Command(built, "-listen", "127.0.0.1:"+port) },
		"Node": func(port string) *exec.Cmd { return exec.Command("node", "../examples/webhooks/receiver.mjs", port) },
	} {
		t.Run(name, func(t *testing.T) {
			runsBeside(t)
			port, folder := freePort(t), filepath.Join(t.TempDir(), "webhooks")
			settings := []string{"WEBHOOK_URL=http://127.0.0.1:" + port, "WEBHOOK_SECRET=" + webhookSecret, "WEBHOOK_DIR=" + folder}
			killed, url := startToKill(t, settings...)
			connect(t, url).join("standup", "Ada")
			require.Eventually(t, func() bool {
				text, _ := os.ReadFile(filepath.Join(folder, "webhooks.journal"))
				return bytes.Contains(text, []byte(`"Ada"`))
			}, within, 10*time.Millisecond)
			require.NoError(t, killed.Process.Kill())
			_ = killed.Wait() // the error says that it was killed

			output := new(printed)
			receiver := start(port)
			receiver.Env, receiver.Stdout, receiver.Stderr = append(os.Environ(), "WEBHOOK_SECRET="+webhookSecret), output, os.Stderr
			require.NoError(t, receiver.Start())
			t.Cleanup(func() {
				_ = receiver.Process.Kill()
				_ = receiver.Wait() // the error says that it was killed
			})
			require.Eventually(t, func() bool { return len(output.lines("listening")) == 1 }, within, 10*time.Millisecond)

			url = startServer(t, settings...)
			want := []string{"room-created standup", "member-joined standup Ada", "member-left standup Ada server ended", "room-closed standup server ended"}
			changes := func() []string { return output.lines("room-", "member-") }
			require.Eventually(t, func() bool { return len(changes()) == len(want) }, within, 10*time.Millisecond)
			require.Equal(t, want, changes())

			request, err := http.NewRequest(http.MethodPost, url+"/webhooks/replay?since=2026-03-01T12:00:00Z", nil)
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, http.StatusNoContent, response.StatusCode)
			require.Eventually(t, func() bool { return len(output.lines("repeated msg_")) == len(want) }, within, 10*time.Millisecond)
			require.Equal(t, want, changes())
			refusesForgeries(t, "http://127.0.0.1:"+port)
			require.Equal(t, want, changes())
		})
	}
}

// refusesForgeries sends a receiver what the server has not signed. The last is signed rightly, but
// long ago.
func refusesForgeries(t *testing.T, url string) {
	t.Helper()
	const body = `{"test": 2432232314}`
	for _, header := range []map[string]string{
		{},
		{"webhook-id": "msg_1", "webhook-timestamp": "now", "webhook-signature": "v1,AAAA"},
		{"webhook-id": "msg_1", "webhook-timestamp": "9999999999999999999999", "webhook-signature": "v1,"},
		{"webhook-id": "msg_1", "webhook-timestamp": strconv.FormatInt(time.Now().Unix(), 10), "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	} {
		request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range header {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusUnauthorized, response.StatusCode, header)
	}
}

// startToKill starts a server that the test kills.
func startToKill(t *testing.T, settings ...string) (command *exec.Cmd, address string) {
	t.Helper()
	path, err := builtServer.build()
	require.NoError(t, err, "building the server")
	command = exec.Command(path)
	command.Env = append([]string{"HOST=127.0.0.1", "PORT=0"}, settings...)
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	log := newServerLog(stderr)
	t.Cleanup(func() { _ = command.Process.Kill() }) // it may have ended
	select {
	case address = <-log.address:
	case <-time.After(within):
		require.FailNow(t, "the server did not get ready", log.text())
	}
	return command, address
}
