package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page that defines the protocol has each sentence that this command prints, in
// the section that the command prints, and then the rule's ID. The page has no other
// IDs.
func TestTheProtocolHasEachRuleWithItsID(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	text := plain(string(page))

	var ids []string
	for _, r := range allRules() {
		_, section, found := strings.Cut(text, "\n## "+r.section+"\n")
		require.True(t, found, "docs/protocol.md has no section %q, of the rule %s", r.section, r.id)
		section, _, _ = strings.Cut(section, "\n## ")
		sentence := r.sentence + " [" + r.id + "]"
		assert.True(t, strings.Contains(oneLine(section), sentence), "section %q of docs/protocol.md lacks: %s", r.section, sentence)
		ids = append(ids, r.id)
	}
	for _, match := range regexp.MustCompile(` \[([a-z0-9-]+)\]`).FindAllStringSubmatch(text, -1) {
		assert.Contains(t, ids, match[1], "docs/protocol.md has the ID of a rule that is not tried")
	}
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), len(allRules()))
}

var (
	codeBlock    = regexp.MustCompile("(?s)\n```.*?\n```")
	markdownLink = regexp.MustCompile(`\[([^][]*)\]\([^()]*\)`)
)

// plain returns a page without its marks for code, links and emphasis.
func plain(page string) string {
	page = codeBlock.ReplaceAllString(page, "")
	page = markdownLink.ReplaceAllString(page, "$1")
	return strings.NewReplacer("`", "", "**", "", `\|`, "|").Replace(page)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
