package doctor

import (
	"slices"
	"time"
)

// Level says how good a finding is.
type Level string

// The levels of the page /doctor.
const (
	Good Level = "good"
	Info Level = "info" // does no harm
	Warn Level = "warn" // works, but not well, or not for everybody
	Bad  Level = "bad"
)

var levels = []Level{Good, Info, Warn, Bad}

// Finding is what one measurement found, and what to change. It contains no secret.
type Finding struct {
	ID     string `json:"id"` // for programs; where the page /doctor has the same finding, it has the same ID
	Level  Level  `json:"level"`
	Title  string `json:"title"`
	Text   string `json:"text"`
	Advice string `json:"advice"`
	Lines  []Line `json:"lines,omitempty"` // for the configuration of proxies, if one is to blame
}

// Result is what one check found.
type Result struct {
	Check        string    `json:"check"` // its title
	Milliseconds int64     `json:"milliseconds"`
	Findings     []Finding `json:"findings"`
}

// Report is the result of all checks that ran.
type Report struct {
	Server     string    `json:"server"`
	Version    string    `json:"version,omitempty"` // of the server, if it said so
	MeasuredAt time.Time `json:"measuredAt"`
	Results    []Result  `json:"results"`
}

// Faults returns the findings that need a change, the worst first.
func (r Report) Faults() (faults []Finding) {
	for _, result := range r.Results {
		for _, finding := range result.Findings {
			if finding.Level == Warn || finding.Level == Bad {
				faults = append(faults, finding)
			}
		}
	}
	slices.SortStableFunc(faults, func(a, b Finding) int {
		return slices.Index(levels, b.Level) - slices.Index(levels, a.Level)
	})
	return faults
}

func (r Report) sort() {
	slices.SortFunc(r.Results, func(a, b Result) int {
		return slices.Index(order, a.Check) - slices.Index(order, b.Check)
	})
}
