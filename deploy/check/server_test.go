package check

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// root is the folder of the repository.
const root = "../.."

// within is how long a test waits for a server at most.
const within = 20 * time.Second

// Secrets that an operator would have made.
const (
	adminToken = "0123456789abcdef0123456789abcdef"
	turnSecret = "fedcba9876543210fedcba9876543210"
)

var folder string // gets the binary

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "signaling-deploy-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		return m.Run()
	}())
}

// program builds the server as a release is built, so that Go compiles only once for both.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "signaling-server")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/signaling-server")
	build.Dir, build.Stderr = root, os.Stderr
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	return path, build.Run()
})

var help = sync.OnceValues(func() ([]byte, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	return exec.Command(path, "-h").Output()
})

// defaults returns the default of each setting, as signaling-server -h prints them.
func defaults(t *testing.T) map[string]string {
	t.Helper()
	help, err := help()
	require.NoError(t, err)
	all := make(map[string]string)
	for _, match := range regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+) .*\n +default: ([^;]*);`).FindAllStringSubmatch(string(help), -1) {
		all[match[1]] = match[2]
	}
	require.Greater(t, len(all), 50)
	return all
}

// duration returns a setting of a server, or its default.
func duration(t *testing.T, settings map[string]string, name string) time.Duration {
	t.Helper()
	text, isSet := settings[name]
	if !isSet {
		text = defaults(t)[name]
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, name)
	return d
}

// imageLines returns what follows an instruction in the last stage of the Dockerfile.
func imageLines(t *testing.T, instruction string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	require.True(t, found)
	for _, match := range regexp.MustCompile(`(?m)^`+instruction+` (.*)$`).FindAllStringSubmatch(last, -1) {
		all = append(all, match[1])
	}
	require.NotEmpty(t, all)
	return all
}

// running is a server that a test has started.
type running struct{ url string }

// get returns the status and the body of an answer.
func (r running) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// start starts the server with the settings, which must exist and be allowed, but
// at a port and with folders of its own. When the test is over the server must stop well.
func start(t *testing.T, settings map[string]string) running {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	known := defaults(t)
	command := exec.Command(path)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range settings {
		require.Contains(t, known, name, "the server has no such setting")
		command.Env = append(command.Env, name+"="+value)
	}
	require.Equal(t, "production", settings["NODE_ENV"])
	command.Env = append(command.Env, "HOST=127.0.0.1", "PORT=0", "ACME_CACHE="+t.TempDir())
	if settings["STATE_FILE"] != "" {
		command.Env = append(command.Env, "STATE_FILE="+filepath.Join(t.TempDir(), "state"))
	}
	log, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	kill := time.AfterFunc(2*within, func() { command.Process.Kill() })
	lines := bufio.NewScanner(log)
	var read []string
	t.Cleanup(func() {
		kill.Stop()
		command.Process.Signal(syscall.SIGTERM)
		for lines.Scan() {
			read = append(read, lines.Text())
		}
		require.NoError(t, command.Wait(), strings.Join(read, "\n"))
	})
	for lines.Scan() {
		read = append(read, lines.Text())
		var line struct{ Address string } // of the server, in the first line that has it
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		if line.Address != "" {
			own, err := url.Parse(line.Address)
			require.NoError(t, err)
			return running{"http://127.0.0.1:" + own.Port()}
		}
	}
	require.NoError(t, errors.Join(lines.Err(), errors.New("the server does not start")), strings.Join(read, "\n"))
	return running{}
}
