package e2e

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

// A release has a binary for each system. Nothing of the machine, the clone or the
// settings of Go may be in it: anybody can then build the same bytes, also from an
// archive without a repository, and compare the checksums.
func TestAReleaseHasBinariesThatAnybodyCanBuildAgain(t *testing.T) {
	takesTurnsBuilding(t)
	folder, name := t.TempDir(), "signaling-server-"+runtime.GOOS+"-"+runtime.GOARCH
	build := tool(t, "..", "make", "release", "RELEASE="+folder, "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "signaling-server-of-before"), nil, 0o755))
	own := filepath.Join(t.TempDir(), "env") // as "go env -w" writes it
	require.NoError(t, os.WriteFile(own, []byte("GOFLAGS=-tags=own\n"), 0o600))
	build.Env = append(build.Environ(), "GOENV="+own)
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	require.FileExists(t, filepath.Join(folder, "LICENSES.md"))

	output, err = tool(t, folder, "sha256sum", "-c", "SHA256SUMS").CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, name+": OK\n", string(output))
	said, err := exec.Command(filepath.Join(folder, name), "-version").Output()
	require.NoError(t, err)
	require.Contains(t, string(said), "signaling-server "+signalingserver.Version)
	built, err := buildinfo.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	require.Equal(t, "(devel)", built.Main.Version, "tags of the clone name another version")
	var settings []string
	for _, each := range built.Settings {
		settings = append(settings, each.Key)
	}
	require.Subset(t, []string{"-buildmode", "-compiler", "-trimpath", "CGO_ENABLED", "GOAMD64", "GOARCH", "GOARM64", "GOOS"}, settings)
	binary, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	source, err := filepath.Abs("..")
	require.NoError(t, err)
	require.False(t, bytes.Contains(binary, []byte(source+"/")), "the folder of the sources")
}

// Go's own image, and the Go of some distributions, may be older than go.mod demands. They
// fetch another Go only with GOTOOLCHAIN=auto.
func TestABuildFindsTheGoThatItNeeds(t *testing.T) {
	text := func(name string) string {
		content, err := os.ReadFile("../" + name)
		require.NoError(t, err)
		return string(content)
	}
	needed := regexp.MustCompile(`\ngo (\S+)\n`).FindStringSubmatch(text("go.mod"))[1]
	require.Contains(t, text("README.md"), "You need Go "+needed+" or later.")
	require.Contains(t, text("README.md"), "set `GOTOOLCHAIN=auto`")
	build, _, _ := strings.Cut(text("Dockerfile"), "\nRUN ")
	require.Contains(t, build, "\nENV GOTOOLCHAIN=auto\n")
}
