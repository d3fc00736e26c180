// Package version says which sources a command was built from.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"

	signalingserver "signaling-server"
)

// commit is set by the linker: see LINKING in the Makefile. It is empty in other builds.
var commit string

// Commit returns the hash of the commit that this command was built from. The suffix
// "-modified" means that files differed from the commit. Commit returns "unknown" for a
// build outside a clone. Any goroutine may call it.
func Commit() string {
	build, _ := debug.ReadBuildInfo()
	return commitOf(commit, build)
}

// Text returns what a command with this name prints for -version: its version, its commit
// and its Go. Any goroutine may call it.
func Text(command string) string {
	build, _ := debug.ReadBuildInfo()
	return text(command, commit, build)
}

func text(command, linked string, build *debug.BuildInfo) string {
	text := fmt.Sprintf("%s %s, commit %s", command, signalingserver.Version, commitOf(linked, build))
	if build != nil {
		text += ", " + build.GoVersion
	}
	return text
}

// commitOf returns the commit that the linker was given. Otherwise it returns the commit that Go found
// when it built the command.
func commitOf(linked string, build *debug.BuildInfo) string {
	stamps := make(map[string]string)
	if build != nil {
		for _, s := range build.Settings {
			stamps[s.Key] = s.Value
		}
	}
	found := stamps["vcs.revision"]
	if found != "" && stamps["vcs.modified"] == "true" {
		found += "-modified"
	}
	return cmp.Or(linked, found, "unknown")
}
