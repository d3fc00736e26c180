// Package docs_test tests the documents: that their links lead somewhere, that their
// tables agree with the contract, and that their examples work. What needs the built
// server or a browser is tested in e2e.
package docs_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = ".."

// documents are all that people read beside the code.
func documents(t *testing.T) (paths []string) {
	paths, err := filepath.Glob(filepath.Join(root, "*.md"))
	require.NoError(t, err)
	for _, folder := range []string{"docs", "examples", "browser"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if filepath.Ext(path) == ".md" {
				paths = append(paths, path)
			}
			return err
		}))
	}
	require.Greater(t, len(paths), 15)
	return paths
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)|(?:href|src|srcset)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)">`)
)

func TestAllLinksLeadSomewhere(t *testing.T) {
	count := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			address, err := url.Parse(match[1] + match[2])
			require.NoError(t, err, path)
			if address.IsAbs() {
				continue // nothing here asks the internet
			}
			count++
			target := path
			if address.Path != "" {
				target = filepath.Join(filepath.Dir(path), address.Path)
			}
			if assert.FileExists(t, orIndex(target), "a link of %s", path) && address.Fragment != "" {
				assert.Contains(t, anchors(t, target), address.Fragment, "a link of %s to %s", path, target)
			}
		}
	}
	require.Greater(t, count, 100)
}

// orIndex returns the path or, if it is a folder, the path of a file in the folder.
func orIndex(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
			return filepath.Join(path, entries[0].Name())
		}
	}
	return path
}

// anchors are what may stand after # in a link to a document.
func anchors(t *testing.T, path string) (names []string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	page := fence.ReplaceAllString(string(text), "")
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		names = append(names, slug(match[1]))
	}
	for _, match := range anchor.FindAllStringSubmatch(page, -1) {
		names = append(names, match[1])
	}
	return names
}

var notInSlug = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)

// slug is the anchor of a heading, as GitHub and others make it.
func slug(heading string) string {
	text := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(heading, "$1")
	return strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
}

// README.md must be short enough to be read at once, and a decision must be far shorter.
func TestShortPagesStayShort(t *testing.T) {
	bounds := map[string]int{filepath.Join(root, "README.md"): 180}
	decisions, err := filepath.Glob("decisions/[0-9]*.md")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(decisions), 6)
	for _, path := range decisions {
		bounds[path] = 15
	}
	for path, most := range bounds {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.LessOrEqual(t, strings.Count(string(text), "\n"), most, "lines of %s", path)
	}
}
