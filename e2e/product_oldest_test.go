package e2e

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/browser"
	"signaling-server/static"
)

// oldest is a row of the table of the oldest browsers.
type oldest struct{ Chrome, Firefox, Safari string }

// oldestBrowsers reads the table in the documents, by what its rows are about.
func oldestBrowsers(t *testing.T) map[string]oldest {
	t.Helper()
	text, err := os.ReadFile("../docs/clients.md")
	require.NoError(t, err)
	table := make(map[string]oldest)
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([\d.]+) \([^|]+\) \| ([\d.]+) \([^|]+\) \| ([\d.]+) \([^|]+\) \|`)
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		table[match[1]] = oldest{match[2], match[3], match[4]}
	}
	require.Len(t, table, 4)
	return table
}

const (
	ofTheClient    = "`client.js`, `io.js`"
	ofCalls        = "`peers.js`, `react.js`"
	ofThePages     = "the pages"
	ofTheReference = "the reference, `/docs/`"
)

// servedFiles returns all scripts and styles that the server has, by their row of the
// table.
func servedFiles(t *testing.T) map[string]map[string]string {
	t.Helper()
	files := map[string]map[string]string{ofTheClient: {}, ofCalls: {}, ofThePages: {}, ofTheReference: {}}
	for _, from := range []fs.FS{static.Files, browser.Files} {
		err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := fs.ReadFile(from, name)
			if err != nil {
				return err
			}
			switch base := path.Base(name); {
			case path.Ext(name) == ".html":
				for _, script := range regexp.MustCompile(`(?s)<script[^>]*>.*?</script>|<style|\sstyle=`).FindAllString(string(text), -1) {
					require.Contains(t, script, "></script>", "%s: what is in a page itself is not read here", name)
				}
			case path.Ext(name) != ".js" && path.Ext(name) != ".css":
			case base == "client.js", base == "io.js":
				files[ofTheClient][name] = string(text)
			case base == "peers.js", base == "react.js":
				files[ofCalls][name] = string(text)
			default:
				files[ofThePages][name] = string(text)
			}
			return nil
		})
		require.NoError(t, err)
	}
	script, err := fs.Glob(static.Files, "reference/scalar-*.js.gz")
	require.NoError(t, err)
	require.Len(t, script, 1)
	files[ofTheReference][script[0]] = gunzipped(t, script[0])
	require.Greater(t, len(files[ofThePages]), 30)
	return files
}

func gunzipped(t *testing.T, name string) string {
	t.Helper()
	file, err := static.Files.Open(name)
	require.NoError(t, err)
	defer file.Close()
	reader, err := gzip.NewReader(file)
	require.NoError(t, err)
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	return string(text)
}

// A bundler that builds for the oldest browsers rewrites what they cannot read. So it
// must find nothing to rewrite.
func TestTheOldestBrowsersCanReadEverythingServed(t *testing.T) {
	takesTurnsBuilding(t)
	table := oldestBrowsers(t)
	for what, files := range servedFiles(t) {
		for name, text := range files {
			if path.Ext(name) == ".css" {
				files[name] = strings.ReplaceAll(text, "user-select: none", "") // uPlot's; Safari selects a little more
			}
		}
		least := table[what]
		asItIs := built(t, files, "--target=esnext")
		forTheOldest := built(t, files,
			fmt.Sprintf("--target=chrome%s,firefox%s,safari%s,ios%s", least.Chrome, least.Firefox, least.Safari, least.Safari),
			// All of them have these, but esbuild does not know every property's name.
			"--supported:regexp-unicode-property-escapes=true")
		for name := range files {
			require.NotEmpty(t, asItIs[name], name)
			require.Equal(t, strings.Split(asItIs[name], "\n"), strings.Split(forTheOldest[name], "\n"), "%s is too new for %v", name, least)
		}
	}
}

// built returns what esbuild makes of each file.
func built(t *testing.T, files map[string]string, args ...string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"run", esbuild, "--outdir=built", "--log-level=warning"}, args...)
	flat := func(name string) string { return strings.ReplaceAll(strings.TrimSuffix(name, ".gz"), "/", "-") }
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, flat(name)), []byte(text), 0o600))
		args = append(args, flat(name))
	}
	output, err := tool(t, dir, "go", args...).CombinedOutput()
	require.NoError(t, err, string(output))
	results := make(map[string]string)
	for name := range files {
		text, err := os.ReadFile(filepath.Join(dir, "built", flat(name)))
		require.NoError(t, err)
		results[name] = string(text)
	}
	return results
}

// What is too new is found by its name. The reference is not looked at: it knows itself
// what it can do without.
func TestTheOldestBrowsersHaveWhatIsUsed(t *testing.T) {
	takesTurnsBuilding(t)
	tools := webTools.dir(t)
	table := oldestBrowsers(t)
	for what, files := range servedFiles(t) {
		if what == ofTheReference {
			continue
		}
		versions, err := json.Marshal(fields{
			"chrome": table[what].Chrome, "firefox": table[what].Firefox, "safari": table[what].Safari, "safari_ios": table[what].Safari,
		})
		require.NoError(t, err)
		dir, args := t.TempDir(), []string{"oldest.mjs", string(versions)}
		for name, text := range files {
			file := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			args = append(args, file)
		}
		output, err := tool(t, tools, "node", args...).CombinedOutput()
		require.NoError(t, err, "%s\nToo new for %s. If the scripts can do without it, web/oldest.mjs lists it.", output, versions)
	}
}
