// Dist completes the folder of a distribution, which contains the binaries: for each binary it
// writes a list of what is in it, then all licences, then the checksums of these files.
// "make dist" runs it, in the folder of the repository:
//
//	go run ./internal/dist FOLDER
//
// What it writes follows from the binaries and the sources alone. So anybody can write the
// same files again.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "name one folder, which contains the binaries")
		os.Exit(2)
	}
	if err := complete(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// complete adds all that belongs to the binaries in a folder.
func complete(folder string) error {
	binaries, err := filepath.Glob(filepath.Join(folder, "signaling-server-*"))
	binaries = slices.DeleteFunc(binaries, func(file string) bool { return strings.HasSuffix(file, billOf("")) })
	if err != nil || len(binaries) == 0 {
		return errors.Join(err, fmt.Errorf("there is no binary in %s", folder))
	}
	table, err := os.ReadFile("LICENSES.md")
	if err != nil {
		return err
	}
	licences := readLicences(string(table))
	linked := make(map[string]*debug.Module)
	for _, binary := range binaries {
		build, err := buildinfo.ReadFile(binary)
		if err != nil {
			return err
		}
		if err := checkSettings(build); err != nil {
			return fmt.Errorf("%s: %w", binary, err)
		}
		for _, module := range build.Deps {
			linked[module.Path] = module
		}
		if err := writeBill(binary, build, licences); err != nil {
			return fmt.Errorf("%s: %w", binary, err)
		}
	}
	texts, err := licences.texts(linked)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "LICENSES.md"), append(table, texts...), 0o644); err != nil {
		return err
	}
	return writeSums(folder, binaries)
}

// checkSettings returns an error if a binary is built with a setting that others do not have, such
// as GOEXPERIMENT or -tags. They would get other bytes.
func checkSettings(build *debug.BuildInfo) error {
	usual := []string{"-buildmode", "-compiler", "-trimpath", "CGO_ENABLED", "GOAMD64", "GOARCH", "GOARM64", "GOOS"}
	for _, s := range build.Settings {
		if !slices.Contains(usual, s.Key) {
			return fmt.Errorf("it is built with %s=%s, which others do not have: unset that (go env -u %s)", s.Key, s.Value, s.Key)
		}
	}
	return nil
}

// writeSums writes SHA256SUMS, which the command sha256sum reads.
func writeSums(folder string, binaries []string) error {
	files := []string{filepath.Join(folder, "LICENSES.md")}
	for _, binary := range binaries {
		files = append(files, binary, billOf(binary))
	}
	slices.Sort(files)
	var sums strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), filepath.Base(file))
	}
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
