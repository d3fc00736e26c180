package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSentences(t *testing.T) {
	for sentence, match := range map[string]string{
		"isOpen tells whether it is open.":                   "tells whether",
		"Certificates are to be had from there.":             "to be had",
		"No certificate is had in time.":                     "is had",
		"It goes nowhere: who asks again is refused.":        "who",
		"Who reads slowly is ended.":                         "Who",
		"It is for whoever holds the token.":                 "whoever",
		"This is for nobody who has no token.":               "nobody who",
		"The client reads faster than he is answered.":       "he",
		"It closes the socket, of which its room hears.":     "of which",
		"There are two clients, of whom the first waits.":    "of whom",
		"A page without a script is such.":                   "is such",
		"It refuses some, and closes such.":                  "such.",
		"The room is told that a member has left.":           "is told",
		"They have been told before.":                        "been told",
		"What is no page is refused.":                        "is no",
		"These are no rooms of ours.":                        "are no",
		"Where a stream cannot live, poll.":                  "Where",
		"It polls where a stream is held back.":              "polls where a",
		"It returns 0 where there is none.":                  "0 where there",
		"A client, should it want to, may poll.":             "should",
		"Should a client want to, it may poll.":              "Should",
		"It fails as were it closed.":                        "were it",
		"It ends the one that was there before.":             "the one",
		"The ones with a token may go on.":                   "The ones",
		"Its rate is that of which we know.":                 "that of which",
		strings.Repeat("word ", maxWords) + "and one":        "word word word word word",
		"It begins well. Then it tells whether it is well.":  "tells whether",
		"In one clause; in the other it tells whether it is": "tells whether",
	} {
		var found []string
		for _, f := range findings("a.md", []byte(sentence)) {
			found = append(found, f.match)
		}
		assert.Contains(t, found, match, sentence)
	}
	for _, sentence := range []string{
		"isOpen reports whether it is open.",
		"A client that has no token is refused.",
		"Who is in the room?",
		"Who may read what",
		"Those who hold a token may go on.",
		"There is no room with this ID.",
		"There are no members, and it is no longer open.",
		"It goes on where it was, from where it stopped.",
		"Where does it go?",
		"It takes what such a client sends.",
		"A client should poll then.",
		"Neither of them is the only one.",
		strings.Repeat("word ", maxWords-1) + "fits.",
		strings.Repeat("x = 1 ", maxWords),
	} {
		assert.Empty(t, findings("a.md", []byte(sentence)), sentence)
	}
}

func TestWhatIsRead(t *testing.T) {
	for _, test := range []struct {
		name, path, content string
		lines               []int // of the findings
	}{
		{"a comment over two lines", "a.go", "package a\n\n// This is\n// no comment.\nvar x int\n", []int{3}},
		{"two comments beside code", "a.go", "package a\n\nvar (\n\tx int // this is\n\ty int // no comment\n)\n", nil},
		{"a comment in a block", "a.go", "package a\n\n/*\nFirst.\n\nThis is\nno comment.\n*/\n", []int{6}},
		{"a string", "a.go", "package a\n\nconst x = \"it tells \" +\n\t\"whether\"\n", []int{3}},
		{"two strings", "a.go", "package a\n\nvar x = []string{\"it tells\", \"whether\"}\n", nil},
		{"a raw string", "a.go", "package a\n\nconst x = `\n<p>This is\nno page.</p>`\n", []int{4}},
		{"names", "a.go", "package a\n\nvar whoever, he int\n", nil},
		{"a script's comment", "a.js", "run(); // it is no page\n// This is\n// no page.\n", []int{1, 2}},
		{"a comment beside code", "a.js", "// This is\nno(page);\n", nil},
		{"a style's comment", "a.css", "/* This is\n   no page. */\n", []int{1}},
		{"a page", "a.html", "<p>This is\n   no page.</p>\n<!-- Whoever reads this -->\n", []int{1, 3}},
		{"a description", "a.yaml", "description: |\n  This is\n  no page.\nsummary: whoever\n", []int{2, 4}},
		{"paragraphs and items", "a.md", "This is\n\nno page\n\n- and this is\n- no item\n", nil},
		{"rows of a table", "a.md", "| this is |\n| no | row |\n| whoever |\n", []int{3}},
		{"a rule of make", "Makefile", "# It is no rule.\nrun:\n\t@echo \"It is no rule.\"\n", []int{1, 3}},
	} {
		var lines []int
		for _, f := range findings(test.path, []byte(test.content)) {
			lines = append(lines, f.line)
		}
		assert.Equal(t, test.lines, lines, test.name)
	}
}

func TestAllowed(t *testing.T) {
	list, err := parseAllowed("# path | piece | reason\na.md | this is no page | it is quoted\nb.md | whoever | never there\n")
	require.NoError(t, err)

	found := findings("a.md", []byte("What this is no page of is no book."))
	require.Len(t, found, 2)
	assert.True(t, list.allows(found[0]))
	found[0].path = "c.md"
	assert.False(t, list.allows(found[0]), "in another file")
	other := findings("a.md", []byte("It is no page."))
	require.Len(t, other, 1)
	assert.False(t, list.allows(other[0]), "in another sentence")

	require.Len(t, list.unused(), 1)
	assert.Equal(t, 3, list.unused()[0].line)

	for _, text := range []string{"a.md | without a reason", "a.md | with an empty reason | ", "a.md"} {
		_, err := parseAllowed(text)
		assert.ErrorContains(t, err, "allowed.txt:1", text)
	}
}

// The real list has the right form.
func TestAllowedText(t *testing.T) {
	_, err := parseAllowed(allowedText)
	assert.NoError(t, err)
}

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	for path, content := range map[string]string{
		"a.go":                  "// It tells whether.\npackage a\n",
		"docs/b.md":             "Whoever reads this.\n",
		"docs/picture.png":      "whoever",
		"node_modules/c/c.js":   "// whoever\n",
		"static/d.license.txt":  "whoever",
		"static/LICENSES.md":    "whoever",
		"dist/f.js":             "// fine\n",
		"generated/client/g.go": "// whoever\npackage g\n",
	} {
		path = filepath.Join(folder, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	var out bytes.Buffer
	found, err := check(&out, []string{folder})
	require.NoError(t, err)
	assert.Equal(t, 2, found)
	assert.Contains(t, out.String(), "a.go:1: \"tells whether\": write “reports whether”\n")
	assert.Contains(t, out.String(), "docs/b.md:1: \"Whoever\": ")

	_, err = check(&out, []string{filepath.Join(folder, "none")})
	assert.Error(t, err)
}
