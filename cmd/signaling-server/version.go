package main

import (
	"fmt"
	"runtime/debug"

	signalingserver "signaling-server"
)

// versionText returns what -version prints: the version and, if Go stamped them into
// the binary, the revision that it was built from and whether the files had changed
// since.
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
