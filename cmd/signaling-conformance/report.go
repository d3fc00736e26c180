package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func (r result) mark() string {
	switch {
	case r.broken != "":
		return "✗"
	case r.skipped != "":
		return "–"
	}
	return "✓"
}

// writeProgress reports that one more rule was tried. On a terminal it rewrites one
// line.
func writeProgress(w io.Writer, done, all int, r result) {
	if file, isFile := w.(*os.File); isFile {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintf(w, "\r\x1b[K%d of %d  %s %s", done, all, r.mark(), r.id)
			if done == all {
				fmt.Fprint(w, "\r\x1b[K")
			}
			return
		}
	}
	if done == all || done%20 == 0 {
		fmt.Fprintf(w, "%d of %d rules tried\n", done, all)
	}
}

func writeList(w io.Writer, rules []rule) {
	section := ""
	for _, r := range rules {
		if r.section != section {
			section = r.section
			fmt.Fprintf(w, "\n%s\n", section)
		}
		fmt.Fprintf(w, "  %-44s %s\n", r.id, r.sentence)
	}
}

func writeReport(w io.Writer, url string, results []result) {
	section := ""
	var kept, broken, skipped int
	for _, r := range results {
		if r.section != section {
			section = r.section
			fmt.Fprintf(w, "\n%s\n", section)
		}
		fmt.Fprintf(w, "  %s %s\n", r.mark(), r.sentence)
		switch {
		case r.broken != "":
			broken++
			fmt.Fprintf(w, "      %s\n", r.id)
			fmt.Fprintf(w, "      %s\n", strings.ReplaceAll(r.broken, "\n", "\n      "))
		case r.skipped != "":
			skipped++
			fmt.Fprintf(w, "      not tried: %s\n", r.skipped)
		default:
			kept++
		}
	}
	fmt.Fprintf(w, "\n%s keeps %d of %d rules", url, kept, len(results))
	if broken > 0 {
		fmt.Fprintf(w, ", and breaks %d", broken)
	}
	if skipped > 0 {
		fmt.Fprintf(w, "; %d could not be tried", skipped)
	}
	fmt.Fprintln(w, ".")
}

// The elements of a JUnit report that CI servers read.
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []suite  `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class   string  `xml:"classname,attr"`
		Name    string  `xml:"name,attr"`
		Time    string  `xml:"time,attr"` // seconds
		Failure *reason `xml:"failure"`
		Skipped *reason `xml:"skipped"`
	}
	reason struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(path string, results []result) error {
	var all suites
	for _, r := range results {
		if len(all.Suites) == 0 || all.Suites[len(all.Suites)-1].Name != r.section {
			all.Suites = append(all.Suites, suite{Name: r.section})
		}
		s := &all.Suites[len(all.Suites)-1]
		c := testCase{Class: r.section, Name: r.id, Time: fmt.Sprintf("%.3f", r.took.Round(time.Millisecond).Seconds())}
		s.Tests++
		switch {
		case r.broken != "":
			s.Failures++
			c.Failure = &reason{r.sentence, r.broken}
		case r.skipped != "":
			s.Skipped++
			c.Skipped = &reason{Message: r.skipped}
		}
		s.Cases = append(s.Cases, c)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append([]byte(xml.Header), text...), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
