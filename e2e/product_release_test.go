package e2e

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
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

// A distribution has a binary for each system. Nothing of the machine, the folder, the clone
// or the settings of Go may be in it: anybody can then build the same bytes, also from an
// archive without a repository, and compare the checksums.
func TestADistributionIsWhatAnybodyCanBuildAgain(t *testing.T) {
	takesTurnsBuilding(t)
	name := "signaling-server-" + runtime.GOOS + "-" + runtime.GOARCH
	dist := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dist, "signaling-server-of-before"), nil, 0o755))
	own := filepath.Join(t.TempDir(), "env") // as "go env -w" writes it
	require.NoError(t, os.WriteFile(own, []byte("GOFLAGS=-tags=own\n"), 0o600))
	makeDist(t, "..", dist, "GOENV="+own)

	output, err := tool(t, dist, "sha256sum", "-c", "SHA256SUMS").CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, "LICENSES.md: OK\n"+name+": OK\n"+name+".cdx.json: OK\n", string(output))
	said, err := exec.Command(filepath.Join(dist, name), "-version").Output()
	require.NoError(t, err)
	version := regexp.MustCompile(`^signaling-server (\S+), commit ([0-9a-f]{40}(?:-modified)?|unknown), go\S+\n$`).FindStringSubmatch(string(said))
	require.NotNil(t, version, string(said))
	require.Equal(t, signalingserver.Version, version[1])
	built, err := buildinfo.ReadFile(filepath.Join(dist, name))
	require.NoError(t, err)
	require.Equal(t, "(devel)", built.Main.Version, "tags of the clone name another version")
	binary, err := os.ReadFile(filepath.Join(dist, name))
	require.NoError(t, err)
	source, err := filepath.Abs("..")
	require.NoError(t, err)
	require.False(t, bytes.Contains(binary, []byte(source+"/")), "the folder of the sources")
	requireBill(t, filepath.Join(dist, name), built)

	archive, again := archiveOfSources(t), t.TempDir()
	makeDist(t, archive, again, "COMMIT="+strings.TrimPrefix(version[2], "unknown"))
	files, err := os.ReadDir(dist)
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		first, err := os.ReadFile(filepath.Join(dist, file.Name()))
		require.NoError(t, err)
		second, err := os.ReadFile(filepath.Join(again, file.Name()))
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, second), "%s has other bytes if it is built in another folder", file.Name())
	}
}

// An archive has no commit, even if it lies within a clone of something else.
func TestAnArchiveOfTheSourcesTakesNoCommitOfAnotherRepository(t *testing.T) {
	archive := archiveOfSources(t)
	output, err := tool(t, filepath.Dir(archive), "sh", "-c", "git init -q . && git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m other").CombinedOutput()
	require.NoError(t, err, string(output))
	output, err = tool(t, archive, "make", "-n", "dist").CombinedOutput()
	require.NoError(t, err, string(output))
	require.Contains(t, string(output), `-X signaling-server/internal/version.commit="`)
}

// makeDist makes the distribution for this system, with more variables.
func makeDist(t *testing.T, sources, folder string, variables ...string) {
	t.Helper()
	build := tool(t, sources, "make", "dist", "DIST="+folder, "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
	build.Env = append(build.Environ(), variables...)
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
}

// archiveOfSources copies what a distribution is made from into a folder, without the
// repository.
func archiveOfSources(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "sources")
	require.NoError(t, os.Mkdir(folder, 0o755))
	copies := tool(t, "..", "sh", "-c", `tar -c --exclude=./.git --exclude=./dist --exclude=./e2e --exclude=./examples --exclude=./docs --exclude=node_modules . | tar -x -C "$0"`, folder)
	output, err := copies.CombinedOutput()
	require.NoError(t, err, string(output))
	return folder
}

// requireBill compares the list of what is in a binary with what Go has linked. Each module
// has its licence in LICENSES.md, with the text.
func requireBill(t *testing.T, binary string, built *buildinfo.BuildInfo) {
	t.Helper()
	text, err := os.ReadFile(binary + ".cdx.json")
	require.NoError(t, err)
	var bill struct {
		Components []struct{ Name, Version string }
	}
	require.NoError(t, json.Unmarshal(text, &bill))
	licences, err := os.ReadFile(filepath.Join(filepath.Dir(binary), "LICENSES.md"))
	require.NoError(t, err)
	linked := []string{"std " + strings.TrimPrefix(built.GoVersion, "go")}
	for _, module := range built.Deps {
		linked = append(linked, module.Path+" "+module.Version)
		require.Contains(t, string(licences), "\n## "+module.Path+"@"+module.Version+": LICENSE")
	}
	var listed []string
	for _, c := range bill.Components {
		listed = append(listed, c.Name+" "+c.Version)
	}
	require.Greater(t, len(listed), len(linked), "also what is embedded")
	require.Equal(t, linked, listed[:len(linked)])
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
