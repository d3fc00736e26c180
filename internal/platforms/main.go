// Platforms vets this module for other platforms. It is a part of make lint.
//
//	go run ./internal/platforms windows/amd64 linux/386
//
// go vet would first compile all dependencies for each platform, which takes a minute of a
// processor. Nothing else needs what it compiles: no test runs there. Platforms applies the
// same analyzers, but reads the types of the dependencies from their sources. If it has
// found anything, its exit status is 1.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/packages"
)

func main() {
	for _, platform := range os.Args[1:] {
		fmt.Println("vetting for " + platform)
		if err := check(platform); err != nil {
			fmt.Fprintf(os.Stderr, "%v (on %s)\n", err, platform)
			os.Exit(1)
		}
	}
}

// check prints what is wrong on a platform, such as windows/amd64. It returns an error if
// anything is.
func check(platform string) error {
	system, architecture, _ := strings.Cut(platform, "/")
	loaded, err := packages.Load(&packages.Config{
		Mode:  packages.LoadAllSyntax, // with fewer bits, the compiler makes the types
		Tests: true,
		Env:   append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture),
	}, "./...")
	if err != nil {
		return err
	}
	if packages.PrintErrors(loaded) > 0 {
		return errors.New("it does not compile")
	}
	graph, err := checker.Analyze(analyzers(), loaded, nil)
	if err != nil {
		return err
	}
	if err := graph.PrintText(os.Stderr, -1); err != nil {
		return err
	}
	for _, action := range graph.Roots {
		if len(action.Diagnostics) > 0 || action.Err != nil {
			return errors.New("vet has findings")
		}
	}
	return nil
}

// analyzers returns those of go vet, except that which misses a check of Scanner.Err: an
// error is how each stream ends that its reader closes.
func analyzers() []*analysis.Analyzer {
	return slices.DeleteFunc(slices.Clone(vet.Suite), func(a *analysis.Analyzer) bool { return a.Name == "scannererr" })
}
