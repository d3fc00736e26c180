package main

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies counts how long something took, in microseconds up to a minute. Its methods
// may be called at once.
type latencies struct {
	mu    sync.Mutex
	brief *hdrhistogram.Histogram // since the last call of cut
	total *hdrhistogram.Histogram // since the last call of restart, without brief
}

func newLatencies() *latencies {
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, patience.Microseconds(), 3) }
	return &latencies{brief: histogram(), total: histogram()}
}

func (l *latencies) record(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.brief.RecordValue(min(max(d.Microseconds(), 1), patience.Microseconds())) // in its range
}

// restart forgets what was counted.
func (l *latencies) restart() {
	l.cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.Reset()
}

// cut returns what was counted since the last call.
func (l *latencies) cut() percentiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := percentilesOf(l.brief)
	l.total.Merge(l.brief)
	l.brief.Reset()
	return p
}

// sum returns what was counted since restart, and its distribution.
func (l *latencies) sum() (percentiles, []percentile) {
	l.cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	var curve []percentile
	for _, b := range l.total.CumulativeDistributionWithTicks(5) {
		curve = append(curve, percentile{b.Quantile, milliseconds(b.ValueAt)})
	}
	return percentilesOf(l.total), curve
}

// percentiles are in milliseconds; 0 if nothing was counted.
type percentiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// percentile says that so many percent took at most so many milliseconds.
type percentile struct {
	Percent      float64 `json:"percent"`
	Milliseconds float64 `json:"milliseconds"`
}

func percentilesOf(h *hdrhistogram.Histogram) percentiles {
	at := func(percent float64) float64 { return milliseconds(h.ValueAtQuantile(percent)) }
	return percentiles{at(50), at(99), at(99.9), milliseconds(h.Max())}
}

func milliseconds(micros int64) float64 { return float64(micros) / 1000 }
