package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/e2e/fleet"
)

// record is what happened to a fleet, second by second, for a report that a person reads.
type record struct {
	figures *clientFigures // set once

	mu       sync.Mutex // guards what follows
	began    time.Time
	faults   []faultNote
	notes    []faultNote
	accepted []fleet.Answer       // to POSTs
	asked    map[string]time.Time // when the first request with a key was passed on
	now      second               // what is being counted
	seconds  []second
}

// faultNote says what happened when.
type faultNote struct {
	what  string
	began time.Time
	lasts time.Duration
}

// second is what was counted in one second.
type second struct {
	began                                   time.Time
	accepted, heard, away, refused, unknown int64 // events; then answers 503, and 502 or 504
	resumes, lost                           int64 // sockets
}

// add adds what was counted in another second.
func (s *second) add(other second) {
	s.accepted, s.heard, s.away = s.accepted+other.accepted, s.heard+other.heard, s.away+other.away
	s.refused, s.unknown = s.refused+other.refused, s.unknown+other.unknown
	s.resumes, s.lost = s.resumes+other.resumes, s.lost+other.lost
}

func newRecord(figures *clientFigures) *record {
	return &record{figures: figures, asked: make(map[string]time.Time)}
}

// answered notes an answer of a node.
func (r *record) answered(a fleet.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, isRepeat := r.asked[a.Key]; !isRepeat || a.Asked.Before(first) {
		r.asked[a.Key] = a.Asked
	}
	switch {
	case a.Method == http.MethodPost && (a.Status == http.StatusAccepted || a.Status == http.StatusOK):
		r.accepted = append(r.accepted, a)
	case a.Status == http.StatusServiceUnavailable:
		r.now.refused++
	case a.Status > http.StatusServiceUnavailable:
		r.now.unknown++
	}
}

// acceptedBetween returns the answers that accepted what was first asked for between two times.
func (r *record) acceptedBetween(from, to time.Time) (all []fleet.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.accepted {
		if r.asked[a.Key].After(from) && a.Asked.Before(to) {
			all = append(all, a)
		}
	}
	return all
}

func (r *record) fault(what string, began time.Time, lasts time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, faultNote{what, began, lasts})
}

func (r *record) note(what string, values ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, faultNote{what: fmt.Sprintf(what, values...), began: time.Now()})
}

// sample closes a second each second, until ctx is done.
func (r *record) sample(ctx context.Context) {
	r.mu.Lock()
	r.began = time.Now()
	r.mu.Unlock()
	for before := (second{}); ctx.Err() == nil; {
		rest(ctx, time.Second)
		f := r.figures
		total := second{accepted: f.accepted.Load(), heard: f.heard.Load(), away: f.away.Load(), resumes: f.resumes.Load(), lost: f.lost.Load()}
		r.mu.Lock()
		r.now.began = time.Now().Add(-time.Second)
		r.now.accepted, r.now.heard, r.now.away = total.accepted-before.accepted, total.heard-before.heard, total.away-before.away
		r.now.resumes, r.now.lost = total.resumes-before.resumes, total.lost-before.lost
		r.seconds, r.now, before = append(r.seconds, r.now), second{}, total
		r.mu.Unlock()
	}
}

// write writes the report into a file, and logs where that is.
func (r *record) write(t *testing.T, table string, crowd []*member) {
	t.Helper()
	folder := os.Getenv("CLUSTER_REPORTS")
	if folder == "" {
		folder = os.TempDir()
	}
	path := filepath.Join(folder, "signaling-cluster-report.txt")
	require.NoError(t, os.WriteFile(path, []byte(r.text(table, crowd)), 0o644))
	t.Logf("%s\n\nThe report is in %s", table, path)
}

func (r *record) text(table string, crowd []*member) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "Three nodes as one server, while they fail\n%s\n", table)

	fmt.Fprintf(&b, "What failed, and how long clients were without a reader that began to fail meanwhile\n\n")
	fmt.Fprintf(&b, "  %8s %7s  %6s %7s %7s %7s  %s\n", "after", "lasted", "gaps", "p50", "p99", "most", "what")
	for i, f := range r.faults {
		until := f.began.Add(f.lasts)
		if i+1 < len(r.faults) {
			until = r.faults[i+1].began
		}
		var took latencies
		for _, m := range crowd {
			for _, g := range m.client.gaps {
				if !g.began.Before(f.began) && g.began.Before(until) {
					took = append(took, g.took)
				}
			}
		}
		fmt.Fprintf(&b, "  %7.1fs %6.1fs  %6d %7s %7s %7s  %s\n", f.began.Sub(r.began).Seconds(), f.lasts.Seconds(),
			len(took), inSeconds(took.quantile(0.5)), inSeconds(took.quantile(0.99)), inSeconds(took.quantile(1)), f.what)
	}

	step := 1 + len(r.seconds)/600
	fmt.Fprintf(&b, "\nEvery %d s: events accepted and heard, answers 503 and 502 or 504, sockets resumed and lost, user-away\n\n", step)
	fmt.Fprintf(&b, "  %5s %8s %7s %5s %5s %7s %5s %5s\n", "after", "accepted", "heard", "503", "50x", "resumed", "lost", "away")
	notes := append(slices.Clone(r.faults), r.notes...)
	slices.SortStableFunc(notes, func(a, b faultNote) int { return a.began.Compare(b.began) })
	var most int64 = 1
	var rows []second
	for some := range slices.Chunk(r.seconds, step) {
		row := second{began: some[0].began}
		for _, s := range some {
			row.add(s)
		}
		most = max(most, row.accepted)
		rows = append(rows, row)
	}
	for _, s := range rows {
		for len(notes) > 0 && notes[0].began.Before(s.began) {
			fmt.Fprintf(&b, "  %4.0fs ── %s\n", notes[0].began.Sub(r.began).Seconds(), notes[0].what)
			notes = notes[1:]
		}
		fmt.Fprintf(&b, "  %4.0fs %8d %7d %5d %5d %7d %5d %5d  %s\n", s.began.Sub(r.began).Seconds(),
			s.accepted, s.heard, s.refused, s.unknown, s.resumes, s.lost, s.away, strings.Repeat("█", int(40*s.accepted/most)))
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "  %4.0fs ── %s\n", n.began.Sub(r.began).Seconds(), n.what)
	}
	for _, m := range crowd {
		for _, loss := range m.client.losses {
			fmt.Fprintf(&b, "\n%s lost its %s\n", m.name, loss)
		}
	}
	return b.String()
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
