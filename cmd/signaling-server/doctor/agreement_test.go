package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const deployment = "../../../docs/deployment.md"

var (
	request     = regexp.MustCompile(`(?i)(ask|tell) (?:your administrator|the operator of the server) (not )?to (\w)`)
	placeholder = regexp.MustCompile(`\$\{[^}]*\}`)
)

// imperative turns the page's requests, which ask somebody else, into what the command says.
func imperative(text string) string {
	text = request.ReplaceAllStringFunc(text, func(match string) string {
		parts := request.FindStringSubmatch(match)
		begin := parts[3]
		if parts[2] != "" {
			begin = "do not " + begin
		}
		if parts[1] == "Ask" {
			begin = strings.ToUpper(begin[:1]) + begin[1:]
		}
		return begin
	})
	return placeholder.ReplaceAllString(text, "${}")
}

// Each advice is a sentence of the page /doctor or of the documents, so that they never disagree.
func TestThePageOrTheDocumentsGiveTheSameAdvice(t *testing.T) {
	scripts, err := filepath.Glob("../../../static/doctor/*.js")
	require.NoError(t, err)
	var page strings.Builder
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		page.WriteString(imperative(string(text)))
	}
	document, err := os.ReadFile(deployment)
	require.NoError(t, err)
	written := strings.ReplaceAll(string(document), "`", "")

	file, err := parser.ParseFile(token.NewFileSet(), "advice.go", nil, 0)
	require.NoError(t, err)
	count := 0
	ast.Inspect(file, func(n ast.Node) bool {
		literal, isLiteral := n.(*ast.BasicLit)
		if !isLiteral {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		example := say(text, "host", "signaling.example.com", "port", "443", "origin", "https://app.example.com")
		if !strings.Contains(written, example) {
			isOnPage := strings.Contains(page.String(), placeholder.ReplaceAllString(text, "${}"))
			assert.True(t, isOnPage, "neither the page nor the documents say: %s", example)
		}
		count++
		return true
	})
	require.Greater(t, count, 50)
}

// The documents list the lines for each proxy, and no others.
func TestTheDocumentsListTheSameLines(t *testing.T) {
	document, err := os.ReadFile(deployment)
	require.NoError(t, err)
	var written []string
	isIn := false
	for line := range strings.Lines(string(document)) {
		switch {
		case strings.HasPrefix(line, "| what a proxy does |"):
			isIn = true
		case !strings.HasPrefix(line, "| "):
			isIn = false
		case isIn && !strings.HasPrefix(line, "| ---"):
			written = append(written, strings.TrimSpace(line))
		}
	}
	var ours []string
	for fault, all := range lines {
		for _, each := range all {
			verb := ""
			if each.Remove {
				verb = "remove "
			}
			ours = append(ours, "| "+string(fault)+" | "+each.Proxy+" | `"+each.Place+"` | "+verb+"`"+each.Text+"` |")
		}
	}
	require.ElementsMatch(t, ours, written)
}

// The page names two of the lines, for nginx.
func TestThePageNamesTheSameLines(t *testing.T) {
	for path, name := range map[string]string{"advice-rungs.js": "proxy_buffering off", "advice.js": "proxy_read_timeout"} {
		text, err := os.ReadFile("../../../static/doctor/" + path)
		require.NoError(t, err)
		require.Contains(t, string(text), "In nginx this is “"+name+"”")
		require.True(t, strings.HasPrefix(lines[faultBuffering][0].Text, name) || strings.HasPrefix(lines[faultIdle][0].Text, name))
	}
}
