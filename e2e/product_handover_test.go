package e2e

import (
	"net"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// launch starts a build of the server on a listener that systemd would have opened, if there is
// one. The caller ends it by stopServer.
func launch(t *testing.T, build *binary, listener *os.File, settings ...string) (*exec.Cmd, *serverLog) {
	t.Helper()
	path, err := build.build()
	require.NoError(t, err, "building the server")
	command := exec.Command(path)
	command.Env = append([]string{}, settings...)
	if listener != nil { // only the process itself knows its number in time
		command = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"`, path)
		command.Env, command.ExtraFiles = append([]string{}, settings...), []*os.File{listener}
	}
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { command.Process.Kill() }) // an error means that it has ended
	log := newServerLog(stderr)
	select {
	case <-log.address:
	case <-log.ended:
		require.FailNow(t, "the server did not get ready", log.text())
	case <-time.After(within):
		require.FailNow(t, "the server did not get ready in time", log.text())
	}
	return command, log
}

// A terminal that closes sends SIGHUP, and an operator may send it by mistake: no socket is lost.
func TestAServerHandsOverOnSIGHUPToo(t *testing.T) {
	runsBeside(t)
	hangups := make(chan os.Signal, 1)
	ossignal.Notify(hangups, syscall.SIGHUP) // otherwise the server ignores it if these tests do, as below nohup
	defer ossignal.Stop(hangups)
	state := filepath.Join(t.TempDir(), "state")
	server, log := launch(t, &builtServer, nil, "HOST=127.0.0.1", "PORT=0", "STATE_FILE="+state)
	require.NoError(t, server.Process.Signal(syscall.SIGHUP))
	select {
	case <-log.ended:
	case <-time.After(within):
		require.FailNow(t, "the server did not end", log.text())
	}
	require.NoError(t, server.Wait(), log.text())
	require.FileExists(t, state)
}

// A server that stands alone is replaced twice under load: the second process is another binary.
// Nothing is lost, and nobody seems to have left.
func TestAServerIsReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, build := range []*binary{&builtServer, &leanServer} {
		_, err := build.build()
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		isActivated bool // systemd keeps the port open
		flags       []string
	}{
		"clients of this project":            {false, nil},
		"EventSource, and a port of systemd": {true, []string{"-retry=1s"}},
		"polls and batches":                  {false, []string{"-transport=poll", "-batch=4"}},
	} {
		t.Run(name, func(t *testing.T) {
			runsBeside(t)
			settings := append([]string{"STATE_FILE=" + filepath.Join(t.TempDir(), "state")}, noLimits...)
			var listener *os.File
			var address string
			if c.isActivated {
				var config net.ListenConfig
				config.SetMultipathTCP(false) // systemd opens a plain one
				open, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				address = open.Addr().String()
				listener, err = open.(*net.TCPListener).File()
				require.NoError(t, err)
				require.NoError(t, open.Close())
				defer listener.Close()
			} else {
				port := freePort(t)
				address = "127.0.0.1:" + port
				settings = append(settings, "HOST=127.0.0.1", "PORT="+port)
			}
			server, log := launch(t, &builtServer, listener, settings...)
			end := startLoad(t, "http://"+address, 10, c.flags...)
			for _, build := range []*binary{&leanServer, &builtServer} {
				began := time.Now()
				stopServer(t, server, log)
				stopped := time.Since(began)
				require.Contains(t, log.text(), "left the state for the next process")
				server, log = launch(t, build, listener, settings...)
				require.Contains(t, log.text(), "went on with the state of the process before")
				t.Logf("one process stopped within %d ms, and the next was ready %d ms later", stopped.Milliseconds(), (time.Since(began) - stopped).Milliseconds())
				time.Sleep(2 * time.Second) // clients are back, and talk
			}
			r := end()
			require.Greater(t, r.Resuming.Broken, int64(40), "clients have seen both")
			stopServer(t, server, log)
			for line := range strings.Lines(log.text()) {
				require.NotContains(t, line, "is not used")
			}
		})
	}
}
