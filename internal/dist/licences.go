package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// licences are the tables of LICENSES.md. Each licence is an identifier of SPDX.
type licences struct {
	modules  map[string]string // the licence of each module that may be linked
	embedded []embedded
}

// embedded is a package of npm whose files the binary contains.
type embedded struct{ file, name, version, licence string }

var (
	moduleRow   = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([A-Z]\\S+) \\|$")
	embeddedRow = regexp.MustCompile("(?m)^\\| `(static/\\S+-([\\d.]+))` \\| \\[`([^`]+)`\\]\\(\\S+\\) \\| ([A-Z]\\S+) \\|$")
)

func readLicences(table string) licences {
	l := licences{modules: make(map[string]string)}
	for _, row := range moduleRow.FindAllStringSubmatch(table, -1) {
		l.modules[row[1]] = row[2]
	}
	for _, row := range embeddedRow.FindAllStringSubmatch(table, -1) {
		l.embedded = append(l.embedded, embedded{file: row[1], version: row[2], name: row[3], licence: row[4]})
	}
	return l
}

// texts returns the licences and notices of the modules, of what is embedded, and of Go, as
// sections of Markdown. All these licences demand that their text goes with the binaries.
func (l licences) texts(linked map[string]*debug.Module) ([]byte, error) {
	var all bytes.Buffer
	folders, err := foldersOf(linked)
	if err != nil {
		return nil, err
	}
	for _, module := range slices.Sorted(maps.Keys(linked)) {
		files, err := licenceFiles(folders[module])
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := addText(&all, module+"@"+linked[module].Version+": "+file, filepath.Join(folders[module], file)); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range l.embedded {
		if err := addText(&all, e.name+"@"+e.version+" of npm", e.file+".license.txt"); err != nil {
			return nil, err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	return all.Bytes(), addText(&all, "Go", filepath.Join(strings.TrimSpace(string(root)), "LICENSE"))
}

func addText(all *bytes.Buffer, heading, file string) error {
	text, err := os.ReadFile(file)
	if err == nil {
		fmt.Fprintf(all, "\n## %s\n\n~~~~text\n%s\n~~~~\n", heading, bytes.TrimSpace(text))
	}
	return err
}

// foldersOf returns the folder of each module in the cache of modules.
func foldersOf(modules map[string]*debug.Module) (map[string]string, error) {
	command := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Version}} {{.Dir}}")
	command.Args = append(command.Args, slices.Sorted(maps.Keys(modules))...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	folders := make(map[string]string)
	for line := range strings.Lines(string(output)) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(fields) < 3 || modules[fields[0]].Version != fields[1] {
			return nil, fmt.Errorf("the binaries are not built from these sources: they contain %s in another version", fields[0])
		}
		folders[fields[0]] = fields[2]
	}
	return folders, err
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|notice)([.-][\w.-]+)?$`)

// licenceFiles returns the names of the licences and notices below the folder of a module. A
// part of a module may have a licence of its own.
func licenceFiles(folder string) (files []string, err error) {
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case entry.Name() == "testdata":
			return fs.SkipDir
		case entry.Type().IsRegular() && licenceFile.MatchString(path.Base(name)) && path.Ext(name) != ".go":
			files = append(files, name)
		}
		return err
	})
	if err == nil && files == nil {
		err = errors.New(folder + " has no licence")
	}
	return files, err
}
