package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// labels are the words of the page's report, and the colors of terminals.
var labels = map[Level]struct{ word, color string }{
	Good: {"ok", "32"}, Info: {"note", "36"}, Warn: {"WARNING", "33"}, Bad: {"PROBLEM", "31;1"},
}

const labelWidth = len("PROBLEM")

// label writes a level, padded to the same width.
func label(level Level, inColor bool) string {
	text := fmt.Sprintf("%-*s", labelWidth, labels[level].word)
	if inColor {
		return "\x1b[" + labels[level].color + "m" + text + "\x1b[0m"
	}
	return text
}

// clean replaces control characters: a text may repeat what somebody on the way wrote, and
// a terminal would obey it.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// Progress shows each check while it runs. Its methods may be called at once.
type Progress struct {
	out                 io.Writer
	isTerminal, inColor bool

	mu      sync.Mutex
	running []string // titles of checks
}

// NewProgress writes to out. On a terminal it keeps a line that names the checks that run.
func NewProgress(out io.Writer, isTerminal, inColor bool) *Progress {
	return &Progress{out: out, isTerminal: isTerminal, inColor: inColor}
}

const clearLine = "\r\x1b[K"

// Began notes that a check runs.
func (p *Progress) Began(title string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, title)
	p.status()
}

// Ended writes what a check found.
func (p *Progress) Ended(r Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = slices.DeleteFunc(p.running, func(title string) bool { return title == r.Check })
	if p.isTerminal {
		fmt.Fprint(p.out, clearLine)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(p.out, "%s  %s: %s\n", label(f.Level, p.inColor), r.Check, clean(f.Title))
	}
	p.status()
}

func (p *Progress) status() {
	if !p.isTerminal {
		return
	}
	fmt.Fprint(p.out, clearLine)
	if len(p.running) > 0 {
		text := []rune("…  " + strings.Join(p.running, ", "))
		fmt.Fprint(p.out, string(text[:min(len(text), 79)])) // a line that wraps could not be cleared
	}
}

// Write writes the report for people: what to change, then a table of all findings.
func (r Report) Write(out io.Writer, inColor bool) {
	of := ""
	if r.Version != "" {
		of = ", signaling-server " + clean(r.Version)
	}
	fmt.Fprintf(out, "\n%s%s, %s UTC\n", r.Server, of, r.MeasuredAt.UTC().Format("2006-01-02 15:04:05"))
	faults := r.Faults()
	if len(faults) > 0 {
		fmt.Fprint(out, "\nWHAT TO CHANGE\n")
	}
	for i, fault := range faults {
		if i == 0 || !isAlike(faults[i-1], fault) {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s  %s\n", label(fault.Level, inColor), clean(fault.Title))
		if i+1 < len(faults) && isAlike(fault, faults[i+1]) {
			continue // the rest is the same
		}
		indented(out, fault.Text)
		indented(out, fault.Advice)
		writeLines(out, fault.Lines)
	}
	fmt.Fprint(out, "\nRESULTS\n\n")
	width := 0
	for _, result := range r.Results {
		width = max(width, utf8.RuneCountInString(result.Check))
	}
	for _, result := range r.Results {
		title := result.Check
		for _, f := range result.Findings {
			fmt.Fprintf(out, "%-*s  %s  %s\n", width, title, label(f.Level, inColor), clean(f.Title))
			title = ""
		}
	}
	switch len(faults) {
	case 0:
		fmt.Fprint(out, "\nNothing is wrong.\n")
	case 1:
		fmt.Fprint(out, "\nOne thing is wrong: see what to change.\n")
	default:
		fmt.Fprintf(out, "\n%d things are wrong: see what to change.\n", len(faults))
	}
}

// isAlike reports whether two findings differ only in their titles.
func isAlike(a, b Finding) bool { return a.Text == b.Text && a.Advice == b.Advice }

// indented writes a text in lines of 100 characters at most, below a title.
func indented(out io.Writer, text string) {
	const indent = labelWidth + 2
	column := 0
	for _, word := range strings.Fields(clean(text)) {
		length := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			fmt.Fprint(out, strings.Repeat(" ", indent))
			column = indent
		case column+1+length > 100:
			fmt.Fprint(out, "\n", strings.Repeat(" ", indent))
			column = indent
		default:
			fmt.Fprint(out, " ")
			column++
		}
		fmt.Fprint(out, word)
		column += length
	}
	if column > 0 {
		fmt.Fprintln(out)
	}
}

func writeLines(out io.Writer, lines []Line) {
	for _, line := range lines {
		verb := "in"
		if line.Remove {
			verb = "remove from"
		}
		place := fmt.Sprintf("%s, %s %s:", line.Proxy, verb, line.Place)
		fmt.Fprintf(out, "%s%-34s %s\n", strings.Repeat(" ", labelWidth+2), place, line.Text)
	}
}
