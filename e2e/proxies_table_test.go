package e2e

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// column is a column of the table of proxies, in the order of docs/deployment.md.
type column int

const (
	firstEvent column = iota
	heartbeats
	quiet
	resume
	polling
	departure
	silence
	streams
	columns
)

var headings = [columns]string{
	firstEvent: "first event",
	heartbeats: "heartbeats late by",
	quiet:      "two minutes of quiet",
	resume:     "resume",
	polling:    "polling",
	departure:  "a client that went is gone after",
	silence:    "a stream without heartbeats",
	streams:    fmt.Sprintf("of %d streams open", crowdSize),
}

// proxyTable is what was seen, in the words of docs/deployment.md.
type proxyTable struct{ rows []*proxyRow }

type proxyRow struct {
	name, configuration string
	version             string

	mu    sync.Mutex // guards cells, which several checks fill at the same time
	cells [columns]string
}

func (table *proxyTable) add(name, configuration string) *proxyRow {
	row := &proxyRow{name: name, configuration: configuration}
	for c := range row.cells {
		row.cells[c] = "✗" // until its check has passed
	}
	table.rows = append(table.rows, row)
	return row
}

func (r *proxyRow) set(c column, format string, values ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cells[c] = fmt.Sprintf(format, values...)
}

func (table *proxyTable) markdown() string {
	var text strings.Builder
	fmt.Fprintf(&text, "| proxy | configuration | %s |\n|%s\n", strings.Join(headings[:], " | "), strings.Repeat(" --- |", 2+int(columns)))
	for _, row := range table.rows {
		if row.version != "" { // the proxy is installed
			fmt.Fprintf(&text, "| %s %s | %s | %s |\n", row.name, row.version, row.configuration, strings.Join(row.cells[:], " | "))
		}
	}
	return text.String()
}

// requireToBeIn compares the table with the table in a document, which may name other
// versions.
func (table *proxyTable) requireToBeIn(t *testing.T, document string) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	for _, row := range table.rows {
		if row.version == "" {
			continue
		}
		line := regexp.MustCompile(`(?m)^\| ` + row.name + ` [0-9.]+ \| ` + regexp.QuoteMeta(row.configuration) + ` \| (.*) \|$`)
		match := line.FindSubmatch(text)
		require.NotNil(t, match, "%s has no row for %s, %s", document, row.name, row.configuration)
		told := strings.Split(string(match[1]), " | ")
		require.Len(t, told, int(columns), row.name)
		for c, seen := range row.cells {
			require.True(t, agree(column(c), told[c], seen), "%s says of %s, %s, %q: %q, but it is %q", document, row.name, row.configuration, headings[c], told[c], seen)
		}
	}
}

var (
	milliseconds = regexp.MustCompile(` \d+ ms`)
	seconds      = regexp.MustCompile(`(\d+) s\b`)
)

// agree reports whether two cells mean the same. Milliseconds are ignored, and seconds
// may differ a little. How soon a proxy notices that a client went depends on when the
// next heartbeat is due. One of a proxy's workers may have something else to do.
func agree(c column, told, seen string) bool {
	if c == streams {
		return differ(told, seen) <= 1
	}
	tolerance := 6
	if c == departure {
		tolerance = 13
	}
	told, seen = milliseconds.ReplaceAllString(told, ""), milliseconds.ReplaceAllString(seen, "")
	a, b := seconds.FindStringSubmatch(told), seconds.FindStringSubmatch(seen)
	if a == nil || b == nil {
		return told == seen
	}
	return seconds.ReplaceAllString(told, "") == seconds.ReplaceAllString(seen, "") && differ(a[1], b[1]) <= tolerance
}

// differ returns by how much two numbers differ. What is not a number differs from everything.
func differ(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX != nil || errY != nil {
		return math.MaxInt
	}
	return max(x, y) - min(x, y)
}
