package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// webTools are what the tests of the client and the pages take from npm, and the
// client itself as npm packs it, installed when the first test wants them.
var webTools npmFolder

type npmFolder struct {
	once   sync.Once
	path   string
	output string
	err    error
}

// dir answers the folder, and skips the test where there is no npm, unless
// REQUIRE_NODE forbids it.
func (f *npmFolder) dir(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("REQUIRE_NODE") != "1" {
		t.Skip("NOT TESTED: there is no npm; install Node.js 20 or newer")
	}
	f.once.Do(f.install)
	require.NoError(t, f.err, f.output)
	return f.path
}

func (f *npmFolder) install() {
	if f.path, f.err = os.MkdirTemp("", "signaling-web-"); f.err != nil {
		return
	}
	if f.err = os.CopyFS(f.path, os.DirFS("web")); f.err != nil {
		return
	}
	client, err := filepath.Abs("../static/client")
	if err != nil {
		f.err = err
		return
	}
	f.run("npm", "ci", "--no-audit", "--no-fund")
	packed := f.run("npm", "pack", "--silent", client)
	f.run("npm", "install", "--no-save", "--no-audit", "--no-fund", "./"+strings.TrimSpace(packed))
}

// run runs a command there, unless one before has failed.
func (f *npmFolder) run(name string, args ...string) (stdout string) {
	if f.err != nil {
		return ""
	}
	command := exec.Command(name, args...)
	command.Dir = f.path
	var errors strings.Builder
	command.Stderr = &errors
	output, err := command.Output()
	f.output, f.err = string(output)+errors.String(), err
	return string(output)
}

func (f *npmFolder) remove() {
	if f.path != "" {
		os.RemoveAll(f.path)
	}
}

func TestTheClientsTypesHold(t *testing.T) {
	t.Parallel()
	dir := webTools.dir(t)
	for _, project := range []string{"tsconfig.json", "tsconfig.bundler.json"} {
		command := exec.Command("npx", "--no-install", "tsc", "-p", project)
		command.Dir = dir
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s:\n%s", project, output)
	}
}
