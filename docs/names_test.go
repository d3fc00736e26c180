package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The pages for people who change the code name files, functions and tests that exist.
func TestThePagesForContributorsNameWhatExists(t *testing.T) {
	source, tests := goSource(t)
	source = strings.Join(declaration.FindAllString(source, -1), "\n")
	files := regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+$|^[\w-]+\.(go|yaml|md)$|^(Makefile|go\.mod)$`)
	method := regexp.MustCompile(`^([A-Za-z]\w*)\.([A-Za-z]\w+)$`)
	patterns := regexp.MustCompile(`-run '?([A-Za-z]+)`)
	elsewhere := []string{"net/http", "testing/synctest", "info.version"}
	names := 0
	for _, path := range []string{"architecture.md", "performance.md", filepath.Join(root, "CONTRIBUTING.md")} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		page := fence.ReplaceAllString(string(text), "")
		for _, span := range codeSpans(page) {
			if slices.Contains(elsewhere, span) {
				continue
			}
			names++
			switch match := method.FindStringSubmatch(span); {
			case strings.HasPrefix(span, "Law"):
				assert.True(t, strings.Contains(tests, "func Test"+span+"("), "%s: there is no test %s", path, span)
			case patterns.MatchString(span):
				name := patterns.FindStringSubmatch(span)[1]
				assert.True(t, regexp.MustCompile(`func \w*`+name).MatchString(tests), "%s: no test has %s in its name", path, name)
			case files.MatchString(span):
				_, err := os.Stat(filepath.Join(root, strings.TrimSuffix(span, "/…")))
				assert.NoError(t, err, "%s names a file", path)
			case match != nil && match[1] != "http":
				receiver := strings.ToUpper(match[1][:1]) + match[1][1:]
				declared := `func \(\w* ?\*?(` + match[1] + `|` + receiver + `)(\[\w+\])?\) ` + match[2] + `\(|(?s:type ` + receiver + ` struct \{[^}]*\b` + match[2] + `\b)|type ` + match[2] + ` `
				assert.True(t, regexp.MustCompile(declared).MatchString(source), "%s: nothing declares %s", path, span)
			}
		}
	}
	require.Greater(t, names, 150)
}

// declaration is a part of Go code that may declare a method, a type or a field.
var declaration = regexp.MustCompile(`(?m)^func \(.*$|^type \w+ struct \{[^}]*|^type .*$`)

// goSource is all Go code of this module and of e2e.
func goSource(t *testing.T) (source, tests string) {
	var code, testCode strings.Builder
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.HasSuffix(path, "_test.go") {
			testCode.Write(text)
		} else {
			code.Write(text)
		}
		return err
	}))
	return code.String(), testCode.String()
}

// The targets of the Makefile are those that CONTRIBUTING.md lists, and no document
// names another.
func TestTheDocumentsNameTheTargetsOfTheMakefile(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	targets := strings.Fields(submatches(string(makefile), `(?m)^\.PHONY: (.*)$`)[0])
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		named := submatches(string(text), "`make ([a-z0-9-]+)`")
		for _, target := range named {
			assert.Contains(t, targets, target, path)
		}
		if path == filepath.Join(root, "CONTRIBUTING.md") {
			for _, target := range targets {
				assert.Contains(t, named, target, path)
			}
		}
	}
}
