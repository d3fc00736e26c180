package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SECURITY.md names a test for each promise. If a test is gone, nothing checks its
// promise any more.
func TestSecurityDocumentNamesTestsAndPackagesThatExist(t *testing.T) {
	const root = "../.."
	document, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	require.NoError(t, err)

	var tests strings.Builder
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		tests.Write(source)
		return err
	}))

	cited := 0
	for line := range strings.Lines(string(document)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(line, "|")
		for _, name := range regexp.MustCompile("(package )?`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-2], -1) {
			cited++
			if name[1] != "" {
				assert.DirExists(t, filepath.Join(root, name[2]))
				continue
			}
			function, sub, _ := strings.Cut(name[2], "/")
			if !strings.HasPrefix(function, "Benchmark") {
				function = "Test" + function
			}
			assert.Contains(t, tests.String(), "func "+function+"(", "a test that SECURITY.md names")
			assert.Contains(t, tests.String(), strings.ReplaceAll(sub, "_", " "), "a part of a test that SECURITY.md names")
		}
	}
	assert.Greater(t, cited, 20, "tests that SECURITY.md names")
}
