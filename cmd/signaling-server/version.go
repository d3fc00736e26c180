package main

import (
	"fmt"
	"runtime/debug"

	signalingserver "signaling-server"
)

// versionText returns the output of -version. If Go found the repository when it built
// the binary, the text has the revision, and says whether files differed from it.
func versionText(build *debug.BuildInfo) string {
	text := "signaling-server " + signalingserver.Version
	if build == nil {
		return text
	}
	stamps := make(map[string]string)
	for _, s := range build.Settings {
		stamps[s.Key] = s.Value
	}
	if revision := stamps["vcs.revision"]; revision != "" {
		text += fmt.Sprintf(", revision %s", revision)
		if stamps["vcs.modified"] == "true" {
			text += ", modified"
		}
	}
	return text + ", " + build.GoVersion
}
