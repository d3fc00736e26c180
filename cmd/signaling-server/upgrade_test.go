package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// An operator who upgrades from 1.0.0 changes no setting. Each variable still exists, and each value
// that was allowed still is.
func TestTheEnvironmentsOfTheLastReleaseStartTheServer(t *testing.T) {
	text, err := os.ReadFile("testdata/environments-1.0.0.txt")
	require.NoError(t, err)
	names := make(map[string]bool)
	environments := 0
	for part := range strings.SplitSeq(string(text), "\n\n") {
		var variables []string
		for line := range strings.Lines(part) {
			if name, _, isSet := strings.Cut(strings.TrimSpace(line), "="); isSet && !strings.HasPrefix(name, "#") {
				variables, names[name] = append(variables, strings.TrimSpace(line)), true
			}
		}
		if variables == nil {
			continue
		}
		environments++
		var log bytes.Buffer
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM // so the server stops when it has started
		require.Zero(t, run(process{environment: variables, stdout: io.Discard, stderr: &log, signals: signals}), log.String())
	}
	require.Equal(t, 4, environments)
	require.Len(t, names, 42)
	for name := range names {
		require.True(t, slices.ContainsFunc(settings(), func(s setting) bool { return s.name == name }), "%s exists no more", name)
	}
}
