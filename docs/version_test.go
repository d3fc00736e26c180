package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

// A release changes the version at all places.
func TestTheVersionIsTheSameEverywhere(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		return string(text)
	}
	first := func(text, pattern string) string {
		match := regexp.MustCompile(pattern).FindStringSubmatch(text)
		require.NotNil(t, match, pattern)
		return match[1]
	}
	version := signalingserver.Version
	var npm struct{ Version string }
	require.NoError(t, json.Unmarshal([]byte(read("browser/package.json")), &npm))
	assert.Equal(t, version, npm.Version, "browser/package.json")
	var lock struct {
		Version  string
		Packages map[string]struct{ Version string }
	}
	require.NoError(t, json.Unmarshal([]byte(read("browser/package-lock.json")), &lock))
	assert.Equal(t, version, lock.Version, "browser/package-lock.json, at its top")
	assert.Equal(t, version, lock.Packages[""].Version, "browser/package-lock.json, among its packages")
	for _, match := range regexp.MustCompile(`(?m)^ +version: (\d[\d.]+)$`).FindAllStringSubmatch(read("openapi.yaml"), -1) {
		assert.Equal(t, version, match[1], "openapi.yaml, its examples included")
	}
	assert.Equal(t, version, first(read("CHANGELOG.md"), `(?m)^## ([\d.]+)`), "the first section of CHANGELOG.md")

	protocol := read("docs/protocol.md")
	history := regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \|`).FindAllStringSubmatch(protocol, -1)
	require.NotEmpty(t, history)
	contract := version[:strings.LastIndex(version, ".")]
	assert.Equal(t, contract, first(protocol, `^# The wire protocol, version ([\d.]+)`), "the title of docs/protocol.md")
	assert.Equal(t, contract+".0", history[len(history)-1][1], "the version history of docs/protocol.md: a patch release has no row")

	released := first(read("e2e/testdata/released.yaml"), `(?m)^ +version: (\d[\d.]+)$`)
	assert.Regexp(t, `(?m)^## `+regexp.QuoteMeta(released)+` \(\d{4}-\d\d-\d\d\)$`, read("CHANGELOG.md"), "the released version has a date")
}

// An older Go fails before it can say what is missing.
func TestTheREADMESaysWhichGoIsNeeded(t *testing.T) {
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	needed := regexp.MustCompile(`(?m)^go ([\d.]+)$`).FindSubmatch(module)
	require.NotNil(t, needed)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, start, found := strings.Cut(string(readme), "\n## Start\n\n")
	require.True(t, found)
	require.True(t, strings.HasPrefix(start, "You need Go "+string(needed[1])+" or later."))
	start, _, _ = strings.Cut(start, "\n## ")
	require.NotContains(t, start, "CONTRIBUTING.md", "a page for those who change the server helps nobody to start it")
}
