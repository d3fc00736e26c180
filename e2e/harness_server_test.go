package e2e

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/e2e/fleet"
)

// builtServer is the program under test. The first test that needs it builds it.
var builtServer = binary{folder: "..", program: "./cmd/signaling-server"}

// leanServer is the same program as a release has it, without the race detector. It is for
// tests that measure memory or processor time: the detector takes several times as much of
// both.
var leanServer = binary{folder: "..", program: "./cmd/signaling-server", lean: true}

// binary is a program that is built once, with the race detector if the tests have it.
type binary struct {
	folder, program string // the folder of its module, and its package
	lean            bool   // it is built as a release is

	once sync.Once
	dir  string
	path string
	err  error
}

func (b *binary) build() (string, error) {
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "signaling-e2e-"); b.err != nil {
			return
		}
		b.path = filepath.Join(b.dir, "program")
		command := exec.Command("go", "build", "-o", b.path)
		command.Dir, command.Stderr = b.folder, os.Stderr
		switch {
		case b.lean: // so Go compiles only once for this and for the test of releases
			command.Args = append(command.Args, "-trimpath")
			command.Env = append(os.Environ(), "CGO_ENABLED=0")
		case testsLookForRaces():
			command.Args = append(command.Args, "-race")
		}
		command.Args = append(command.Args, b.program)
		b.err = command.Run()
	})
	return b.path, b.err
}

func (b *binary) remove() {
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

func testsLookForRaces() bool {
	info, _ := debug.ReadBuildInfo()
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}

// noLimits is for tests in which many clients of one address act at the same time.
var noLimits = []string{"OPENS_PER_ADDRESS=0", "OPENS_PER_SOCKET=0", "POSTS_PER_ADDRESS=0", "POSTS_PER_SOCKET=0", "EVENTS_PER_ADDRESS=0", "EVENTS_PER_SOCKET=0"}

var readyLine = regexp.MustCompile(`signaling server (?:is ready|listens)\b.*?\baddress\W{1,3}(https?://[^\s"]+|unix:[^\s"]+)`) // the log is text, or in production JSON

// startServer runs a server for this test, and returns its address. The server must end
// well when the test is over: with exit code 0, which a detected race would change, and
// without an error in its log, such as an answer 5xx.
func startServer(t *testing.T, settings ...string) string {
	t.Helper()
	return startServerBy(t, nil, settings...)
}

// startServerBy is startServer, but the program starter starts the server, unless it is
// nil.
func startServerBy(t *testing.T, starter []string, settings ...string) string {
	t.Helper()
	address, _ := startProcess(t, &builtServer, starter, settings...)
	return address
}

// startProcess starts a build of the server, and returns its address and process.
func startProcess(t *testing.T, build *binary, starter []string, settings ...string) (address string, process *os.Process) {
	t.Helper()
	address, process, _ = startLogged(t, build, starter, settings...)
	return address, process
}

// startLogged is startProcess, and returns the log of the process as well.
func startLogged(t *testing.T, build *binary, starter []string, settings ...string) (address string, process *os.Process, log *serverLog) {
	t.Helper()
	path, err := build.build()
	require.NoError(t, err, "building the server")

	words := append(starter, path)
	command := exec.Command(words[0], words[1:]...)
	// The server gets no other variable, so no setting of this machine changes it.
	command.Env = append([]string{"HOST=127.0.0.1", "PORT=0"}, settings...)
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())

	log = newServerLog(stderr)
	t.Cleanup(func() { stopServer(t, command, log) })
	select {
	case address := <-log.address:
		return address, command.Process, log
	case <-log.ended:
	case <-time.After(within):
	}
	require.FailNow(t, "the server did not get ready", log.text())
	return "", nil, nil
}

// stopServer ends the server by the signal that an operator sends.
func stopServer(t *testing.T, command *exec.Cmd, log *serverLog) {
	require.NoError(t, command.Process.Signal(syscall.SIGTERM))
	select {
	case <-log.ended:
	case <-time.After(within):
		command.Process.Kill()
		<-log.ended
		t.Error("the server did not end after SIGTERM")
	}
	if err := command.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if strings.Contains(log.text(), " ERR ") {
		t.Error("the server logged an error")
	}
	if t.Failed() {
		t.Log("log of the server:\n" + log.text())
	}
}

// serverLog reads what a server logs until it ends.
type serverLog struct {
	address chan string   // receives the address once
	ended   chan struct{} // closed when the server has closed its log

	mu    sync.Mutex // guards lines, which are read while the server runs
	lines []string
}

func newServerLog(from io.Reader) *serverLog {
	log := &serverLog{address: make(chan string, 1), ended: make(chan struct{})}
	go log.read(from) // ends with the server, which stopServer waits for
	return log
}

func (l *serverLog) read(from io.Reader) {
	defer close(l.ended)
	known := false
	for lines := bufio.NewScanner(from); lines.Scan(); {
		l.mu.Lock()
		l.lines = append(l.lines, lines.Text())
		l.mu.Unlock()
		if match := readyLine.FindStringSubmatch(lines.Text()); match != nil && !known {
			known = true
			l.address <- match[1]
		}
	}
}

func (l *serverLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// bounded returns the test's context with the time limit within.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// tool returns a command that installs, compiles or tests something in a folder. It
// ends after ten minutes: it may have to compile all that it needs, beside other tests.
func tool(t *testing.T, folder, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = folder
	return command
}

// freePort returns a port that is not in use. No outgoing connection gets it, and no other
// call in this process.
func freePort(t *testing.T) string {
	port, err := fleet.FreePort()
	require.NoError(t, err)
	return port
}
