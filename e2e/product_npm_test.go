package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// webTools is a folder with the npm packages that the tests need, and with the client
// as npm packs it. The first test that needs it installs it.
var webTools = npmFolder{from: "web", withClient: true}

type npmFolder struct {
	from       string // the folder that lists the packages
	withClient bool   // it gets the client, too

	once   sync.Once
	path   string
	output string
	err    error
}

// requireNode skips a test if there is no npm, or fails it if REQUIRE_NODE is set.
func requireNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("REQUIRE_NODE") != "1" {
		t.Skip("NOT TESTED: there is no npm: install Node.js 20 or newer")
	}
}

// dir returns the folder.
func (f *npmFolder) dir(t *testing.T) string {
	t.Helper()
	requireNode(t)
	f.once.Do(f.install)
	require.NoError(t, f.err, f.output)
	return f.path
}

func (f *npmFolder) install() {
	if f.path, f.err = os.MkdirTemp("", "signaling-web-"); f.err != nil {
		return
	}
	if f.err = os.CopyFS(f.path, os.DirFS(f.from)); f.err != nil {
		return
	}
	f.run("npm", "ci", "--no-audit", "--no-fund")
	if !f.withClient {
		return
	}
	client, err := filepath.Abs("../browser")
	if err != nil {
		f.err = err
		return
	}
	packed := f.run("npm", "pack", "--silent", client)
	f.run("npm", "install", "--no-save", "--no-audit", "--no-fund", "./"+strings.TrimSpace(packed))
}

// run runs a command there, unless an earlier one has failed.
func (f *npmFolder) run(name string, args ...string) (stdout string) {
	if f.err != nil {
		return ""
	}
	command := exec.Command(name, args...)
	command.Dir = f.path
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.Output()
	f.output, f.err = string(output)+complaints.String(), err
	return string(output)
}

func (f *npmFolder) remove() {
	if f.path != "" {
		os.RemoveAll(f.path)
	}
}

func TestTheClientsTypesHold(t *testing.T) {
	takesTurnsBuilding(t)
	dir := webTools.dir(t)
	for _, project := range []string{"tsconfig.json", "tsconfig.bundler.json"} {
		output, err := tool(t, dir, "npx", "--no-install", "tsc", "-p", project).CombinedOutput()
		require.NoError(t, err, "%s:\n%s", project, output)
	}
}

func TestTheClientRunsInNode(t *testing.T) {
	takesTurnsBuilding(t)
	dir := webTools.dir(t)
	command := tool(t, dir, "node", "--test", "--test-reporter=spec", "client.test.mjs")
	command.Env = append(os.Environ(), "SERVER="+startServer(t))
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	t.Log(string(output))
}

// esbuild is the bundler that browser/build.sh uses as well.
const esbuild = "github.com/evanw/esbuild/cmd/esbuild@v0.28.2"

// A bundler finds the client and its mesh, and the bundle runs.
func TestTheClientIsBundled(t *testing.T) {
	takesTurnsBuilding(t)
	dir := webTools.dir(t)
	output, err := tool(t, dir, "go", "run", esbuild,
		"relay.mjs", "--bundle", "--platform=node", "--format=esm", "--outfile=bundled/relay.mjs").CombinedOutput()
	require.NoError(t, err, string(output))
	url := startServer(t)
	answers := make(chan error, 2)
	for _, name := range []string{"first", "second"} {
		go func() { // ends with its process
			output, err := tool(t, dir, "node", "bundled/relay.mjs", url, name).CombinedOutput()
			if err == nil && !strings.Contains(string(output), `"refused":[]`) {
				err = errors.New(string(output))
			}
			answers <- err
		}()
	}
	require.NoError(t, await(t, answers, "answer"))
	require.NoError(t, await(t, answers, "answer"))
}

// The public surface of socket.io-client exists in the client, or docs/socket-io.md names
// it as a difference.
func TestTheClientHasTheSurfaceOfSocketIO(t *testing.T) {
	takesTurnsBuilding(t)
	dir := webTools.dir(t)
	documentation, err := filepath.Abs("../docs/socket-io.md")
	require.NoError(t, err)
	command := tool(t, dir, "node", "--test", "--test-reporter=spec", "surface.test.mjs")
	command.Env = append(os.Environ(), "DOCS="+documentation)
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
}
