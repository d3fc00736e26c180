package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the tables of docs/configuration.md, or record a state")

// sections are the headings of docs/configuration.md, by the first setting below each
// heading.
var sections = map[string]string{
	"PORT":               "The process",
	"TLS_CERT":           "TLS",
	"HEARTBEAT_INTERVAL": "Streams",
	"ACCESS_SECRET":      "Who may do what",
	"ICE_SERVERS":        "ICE servers",
	"MAX_CONNECTIONS":    "Limits",
	"WEBHOOK_URL":        "Webhooks",
	"CLUSTER_URL":        "Several nodes",
	"OTEL_SDK_DISABLED":  "OpenTelemetry",
}

func TestTheConfigurationPageIsGenerated(t *testing.T) {
	const path, mark = "../../docs/configuration.md", "<!-- settings -->\n"
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	before, tables, found := strings.Cut(string(page), mark)
	require.True(t, found)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+mark+settingTables(t)), 0o644))
		return
	}
	require.True(t, settingTables(t) == tables, "docs/configuration.md is out of date: run go test ./cmd/signaling-server -run Configuration -update")
}

// settingTables returns all settings in Markdown.
func settingTables(t *testing.T) string {
	var text strings.Builder
	headings := 0
	for _, s := range settings() {
		if heading, isFirst := sections[s.name]; isFirst {
			headings++
			fmt.Fprintf(&text, "\n## %s\n\n| variable | default | meaning | allowed |\n| --- | --- | --- | --- |\n", heading)
		}
		byDefault := ""
		if s.byDefault != "" {
			byDefault = "`" + s.byDefault + "`"
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", s.name, byDefault, s.help, s.allowed)
	}
	require.Len(t, sections, headings)
	return text.String()
}
