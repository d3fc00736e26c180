package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/webhooks"
)

const (
	hooksTo      = "WEBHOOK_URL=https://hush:hush@backend.example/?key=hush"
	hookSecret   = "WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretsForms = "WEBHOOK_SECRET must be whsec_ with the base64 of 24 to 64 random bytes"
)

func TestWrongSettingsOfWebhooksAreExplained(t *testing.T) {
	folder := t.TempDir()
	taken, err := webhooks.OpenJournal(folder)
	require.NoError(t, err)
	defer taken.Close()
	for settings, want := range map[string]string{
		"WEBHOOK_URL=hush":                                    "WEBHOOK_URL must be an address of http or https",
		"WEBHOOK_URL=ftp://hush":                              "WEBHOOK_URL must be an address of http or https",
		hooksTo:                                               "WEBHOOK_SECRET is not set, but must be whsec_",
		hooksTo + " WEBHOOK_SECRET=hush":                      secretsForms,
		hooksTo + " WEBHOOK_SECRET=whsec_hush":                secretsForms,
		hooksTo + " " + hookSecret + ",hush":                  secretsForms,
		"WEBHOOK_DIR=a":                                       `WEBHOOK_DIR is "a", but must be the path of a folder, together with WEBHOOK_URL`,
		hooksTo + " " + hookSecret + " WEBHOOK_BACKLOG=1":     `WEBHOOK_BACKLOG is "1", but must be a whole number from 100 to 100000`,
		hooksTo + " " + hookSecret + " WEBHOOK_DIR=" + folder: "WEBHOOK_DIR cannot be used: another process uses it",
		hooksTo + " " + hookSecret + " WEBHOOK_DIR=/dev/null": "WEBHOOK_DIR cannot be used: it cannot be made",
		hooksTo + " " + hookSecret + " WEBHOOK_DIR=a CLUSTER_URL=nats://a:4222": "WEBHOOK_DIR must not be set together with CLUSTER_URL",
	} {
		var stderr bytes.Buffer
		require.Equal(t, 1, run(process{environment: append(strings.Fields(settings), "PORT=0", "HOST=127.0.0.1"), stderr: &stderr}), settings)
		require.Contains(t, stderr.String(), want)
		require.NotContains(t, stderr.String(), "hush")
	}
}

func TestAFolderOfWebhooksIsFreeWhenTheServerHasStopped(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "webhooks")
	for range 2 {
		s := start(t, "WEBHOOK_URL=http://127.0.0.1:1", hookSecret+","+strings.TrimPrefix(hookSecret, "WEBHOOK_SECRET="), "WEBHOOK_DIR="+folder)
		_, err := webhooks.OpenJournal(folder)
		require.ErrorContains(t, err, "another process uses it")
		s.stop(t)
	}
}
