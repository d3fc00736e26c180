package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

func TestTheVersionTellsTheCommitAndGo(t *testing.T) {
	const version = "command " + signalingserver.Version
	stamped := func(linked string, settings ...debug.BuildSetting) string {
		return text("command", linked, &debug.BuildInfo{GoVersion: "go1.26.8", Settings: settings})
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123abcd"}
	modified := func(value string) debug.BuildSetting { return debug.BuildSetting{Key: "vcs.modified", Value: value} }
	require.Equal(t, version+", commit unknown", text("command", "", nil))
	require.Equal(t, version+", commit unknown, go1.26.8", stamped(""))
	require.Equal(t, version+", commit unknown, go1.26.8", stamped("", modified("true")))
	require.Equal(t, version+", commit 0123abcd, go1.26.8", stamped("", revision, modified("false")))
	require.Equal(t, version+", commit 0123abcd-modified, go1.26.8", stamped("", revision, modified("true")))
	require.Equal(t, version+", commit 4567ef, go1.26.8", stamped("4567ef", revision, modified("true")), "the linker knows it better")
}
