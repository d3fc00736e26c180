package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var dockerBuild = regexp.MustCompile(`RUN CGO_ENABLED=0 (go build .*) -o /signaling-server (\S+)`)

// The image contains only the binary, and an unprivileged user runs it. The test builds
// the binary as the Dockerfile does, and starts it in an empty root directory. There it
// must start and call itself healthy.
func TestTheBinaryNeedsNothingBesideItself(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can change the root directory")
	}
	dockerfile, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	command := dockerBuild.FindSubmatch(dockerfile)
	require.NotNil(t, command, "the Dockerfile builds the binary in another way than this test")
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	build := exec.Command("sh", "-c", string(command[1])+" -o "+filepath.Join(root, "signaling-server")+" "+string(command[2]))
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	port := freePort(t)
	start := func(args ...string) *exec.Cmd {
		c := exec.Command("/signaling-server", args...)
		c.Dir = "/"
		c.Env = []string{"NODE_ENV=production", "HOST=127.0.0.1", "PORT=" + port}
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return c
	}
	var log bytes.Buffer
	server := start()
	server.Stderr = &log
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { return start("healthcheck").Run() == nil }, within, 50*time.Millisecond)
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	require.NoError(t, server.Wait())
	require.Contains(t, log.String(), `"environment":"production"`, "the log is JSON")
	require.Error(t, start("healthcheck").Run())
}

// freePort returns a port that is not in use.
func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}
