package main

import (
	"bytes"
	"io"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

func TestTheBinaryPrintsItsVersionAndRevision(t *testing.T) {
	for _, flag := range []string{"-version", "--version", "version"} {
		var stdout bytes.Buffer
		require.Zero(t, run(process{args: []string{flag}, environment: []string{"PORT=wrong"}, stdout: &stdout, stderr: io.Discard}))
		require.Regexp(t, `^signaling-server `+signalingserver.Version+`\b.*\n$`, stdout.String())
	}

	const version = "signaling-server " + signalingserver.Version
	stamped := func(settings ...debug.BuildSetting) string {
		return versionText(&debug.BuildInfo{GoVersion: "go1.26.8", Settings: settings})
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123abcd"}
	require.Equal(t, version, versionText(nil))
	require.Equal(t, version+", go1.26.8", stamped())
	require.Equal(t, version+", revision 0123abcd, go1.26.8", stamped(revision, debug.BuildSetting{Key: "vcs.modified", Value: "false"}))
	require.Equal(t, version+", revision 0123abcd, modified, go1.26.8", stamped(revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}))
}
