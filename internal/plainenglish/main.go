// Plainenglish finds phrases that make our texts hard to read, and says what to write
// instead. It reads comments, string literals, documents and pages, but no identifiers.
// It is a part of make lint.
//
//	go run ./internal/plainenglish [path ...]
//
// Without a path it reads the whole tree below the working directory. It prints the
// file, the line, the phrase and the advice. If it has found anything, its exit status
// is 1.
//
// The file allowed.txt lists the matches that are right, each with a reason. An entry
// that matches nothing any more is an error, so that the list stays short.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	found, err := check(os.Stdout, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if found > 0 || err != nil {
		os.Exit(1)
	}
}

// check prints what is wrong in the files at or below the paths, and returns how many
// findings there are.
func check(out io.Writer, paths []string) (found int, err error) {
	list, err := parseAllowed(allowedText)
	if err != nil {
		return 0, err
	}
	wholeTree := len(paths) == 0
	if wholeTree {
		paths = []string{"."}
	}
	files, err := filesBelow(paths)
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			return found, err
		}
		for _, f := range findings(path, content) {
			if !list.allows(f) {
				found++
				fmt.Fprintf(out, "%s:%d: %q: %s\n", f.path, f.line, f.match, f.advice)
			}
		}
	}
	if !wholeTree {
		return found, nil
	}
	for _, entry := range list.unused() {
		found++
		fmt.Fprintf(out, "%s:%d: nothing matches this entry any more: remove it\n", allowedPath, entry.line)
	}
	return found, nil
}

// kinds are the names and extensions of the files that contain our own words.
var kinds = []string{
	".go", ".js", ".mjs", ".cjs", ".ts", ".cts", ".css", ".html", ".svg", ".md", ".yaml", ".yml",
	".sh", ".conf", ".cfg", ".vcl", ".txt", ".mod", "package.json",
	"Makefile", "Dockerfile", "Caddyfile", "run", ".gitignore", ".dockerignore",
}

// foreign are files that others wrote, that a program made, or that quote the phrases.
var foreign = []string{
	".git", "node_modules", "generated", "build", "shots", "internal/plainenglish",
	"browser/dist",
	"e2e/testdata/released.yaml", "e2e/testdata/client-1.0.0",
	"static/dashboard/uplot-*", "static/reference/scalar-*",
	"LICENSES.md", "*.license.txt",
}

// filesBelow returns the files with our own words at or below the paths.
func filesBelow(paths []string) (files []string, err error) {
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			path = filepath.ToSlash(filepath.Clean(path))
			switch {
			case entry.IsDir() && isForeign(path):
				return filepath.SkipDir
			case entry.Type().IsRegular() && isOurs(path):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func isOurs(path string) bool {
	name := filepath.Base(path)
	return !isForeign(path) && slices.ContainsFunc(kinds, func(kind string) bool {
		return name == kind || kind[0] == '.' && strings.HasSuffix(name, kind)
	})
}

func isForeign(path string) bool {
	return slices.ContainsFunc(foreign, func(pattern string) bool {
		whole, _ := filepath.Match(pattern, path)
		name, _ := filepath.Match(pattern, filepath.Base(path))
		return whole || name
	})
}
