// Plainenglish is a part of make lint: it finds the turns of phrase that made our
// texts hard to read, and says what to write instead. It reads comments, string
// literals, documents and pages, not names.
//
//	go run ./internal/plainenglish [path ...]
//
// Without a path it reads the whole tree, from the working directory. It prints
// file, line, match and advice, and exits with 1 if it has found anything.
//
// A match that is right stands in allowed.txt, with the reason. An entry that no
// longer matches anything is an error, so that the list stays short.
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

// check prints what is wrong below the given paths, and returns how much it is.
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

// kinds are the names and extensions of the files that hold our own words.
var kinds = []string{
	".go", ".js", ".mjs", ".cjs", ".ts", ".cts", ".css", ".html", ".svg", ".md", ".yaml", ".yml",
	".sh", ".conf", ".cfg", ".vcl", ".txt", ".mod", "package.json",
	"Makefile", "Dockerfile", "Caddyfile", "run", ".gitignore", ".dockerignore",
}

// foreign are files that others wrote, that a program made, or that quote what is
// forbidden.
var foreign = []string{
	".git", "node_modules", "generated", "build", "shots", "internal/plainenglish",
	"browser/dist",
	"e2e/testdata/released.yaml",
	"static/dashboard/uplot-*", "static/reference/scalar-*",
	"LICENSES.md", "*.license.txt",
}

// filesBelow returns the files with our own words at or below the given paths.
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
