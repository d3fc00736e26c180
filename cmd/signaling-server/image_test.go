package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The image is built from the files that .dockerignore lets through. If a package is
// missing there, only the build of the image breaks.
func TestTheImageIsBuiltFromAllFilesOfTheServer(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	lines := strings.Fields(string(text))
	require.Equal(t, "*", lines[0], "nothing is let through but what follows")

	const files = `{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`
	output, err := exec.Command("go", "list", "-deps", "-f", files, ".", "../../internal/dist").Output()
	require.NoError(t, err)
	needed := strings.Fields(string(output))
	require.NotEmpty(t, needed)
	for _, file := range append(needed, root+"/go.mod", root+"/go.sum", root+"/Makefile", root+"/LICENSES.md") {
		file, err := filepath.Rel(root, file)
		require.NoError(t, err)
		folder, _, _ := strings.Cut(filepath.ToSlash(file), "/")
		require.Contains(t, lines, "!"+folder, file)
		require.False(t, slices.ContainsFunc(lines, func(line string) bool {
			pattern, everywhere := strings.CutPrefix(line, "**/")
			matches, err := filepath.Match(pattern, filepath.Base(file))
			require.NoError(t, err)
			return everywhere && matches
		}), file)
	}
}
