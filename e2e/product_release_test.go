package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

// A release has a binary for each system. Nothing of the machine that built it may be in
// it: anybody can then build the same bytes, and compare the checksums.
func TestAReleaseHasBinariesThatAnybodyCanBuildAgain(t *testing.T) {
	t.Parallel()
	folder, name := t.TempDir(), "signaling-server-"+runtime.GOOS+"-"+runtime.GOARCH
	build := tool(t, "..", "make", "release", "RELEASE="+folder, "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	require.FileExists(t, filepath.Join(folder, "LICENSES.md"))

	output, err = tool(t, folder, "sha256sum", "-c", "SHA256SUMS").CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, name+": OK\n", string(output))
	said, err := exec.Command(filepath.Join(folder, name), "-version").Output()
	require.NoError(t, err)
	require.Contains(t, string(said), "signaling-server "+signalingserver.Version)
	binary, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	source, err := filepath.Abs("..")
	require.NoError(t, err)
	require.False(t, bytes.Contains(binary, []byte(source+"/")), "the folder of the sources")
}
