package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows what happens: a bar on a terminal, else a line every ten seconds. One
// goroutine at a time may use it.
type progress struct {
	to         io.Writer
	isTerminal bool
	phase      string
	bar        *progressbar.ProgressBar
	shown      time.Time
}

func newProgress(to io.Writer) *progress {
	file, ok := to.(*os.File)
	return &progress{to: to, isTerminal: ok && term.IsTerminal(int(file.Fd())), shown: time.Now()}
}

// show shows a sample of a phase.
func (p *progress) show(phase phase, s sample, clients int) {
	if !p.isTerminal {
		if time.Since(p.shown) >= 10*time.Second {
			p.shown = time.Now()
			fmt.Fprintf(p.to, "%3.0f s  %s: %s\n", s.At, phase.name, s.describe())
		}
		return
	}
	all, done := int64(clients), s.Joined
	if phase.takes > 0 {
		all, done = phase.takes.Milliseconds(), time.Since(phase.began).Milliseconds()
	}
	if p.phase != phase.name {
		p.done()
		p.phase = phase.name
		p.bar = progressbar.NewOptions64(all,
			progressbar.OptionSetWriter(p.to), progressbar.OptionSetWidth(20), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false))
	}
	p.bar.Describe(phase.name + ": " + s.describe())
	_ = p.bar.Set64(min(done, all-1)) // at its end the bar would vanish
}

// done removes the bar.
func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// describe says on one line what happened in the last second.
func (s sample) describe() string {
	text := fmt.Sprintf("%.0f events/s, p99 %s", s.Events, ms(s.Latency.P99))
	switch {
	case s.Joins > 0:
		text = fmt.Sprintf("%d joined, %.0f/s", s.Joined, s.Joins)
	case s.Connects > 0:
		text = fmt.Sprintf("%.0f connects/s", s.Connects)
	case s.Events == 0:
		text = fmt.Sprintf("%d clients", s.Joined)
	}
	if s.Resident > 0 {
		text += fmt.Sprintf(", server %.2f cores %.0f MiB", s.Server, s.Resident)
	}
	return text
}
