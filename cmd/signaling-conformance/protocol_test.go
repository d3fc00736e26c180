package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of rules into docs/protocol.md")

// The text that defines the protocol names each rule that is tried, by its ID and in
// its words.
func TestTheProtocolListsTheRulesThatAreTried(t *testing.T) {
	const path, mark = "../../docs/protocol.md", "<!-- rules -->\n\n"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, table, found := strings.Cut(string(text), mark)
	require.True(t, found)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+mark+ruleTable()), 0o644))
		return
	}
	require.Equal(t, ruleTable(), table, "run go test ./cmd/signaling-conformance -run Protocol -update")
	for _, r := range allRules() {
		require.Contains(t, before, "\n## "+r.section, "the section of %s", r.name)
	}
}

// ruleTable is all rules in Markdown.
func ruleTable() string {
	var table strings.Builder
	table.WriteString("| rule | section | what is tried |\n| --- | --- | --- |\n")
	for _, r := range allRules() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", r.name, r.section, strings.ReplaceAll(r.sentence, "|", `\|`))
	}
	return table.String()
}
