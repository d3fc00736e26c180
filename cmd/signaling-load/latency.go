package main

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies counts how long events took from POST to delivery, in microseconds. Its
// methods may be called at once.
type latencies struct {
	mu       sync.Mutex
	interval *hdrhistogram.Histogram // since the last call of cut
	total    *hdrhistogram.Histogram
}

func newLatencies() *latencies {
	return &latencies{interval: newHistogram(), total: newHistogram()}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Microseconds(), 3)
}

func (l *latencies) record(d time.Duration) {
	us := min(max(d.Microseconds(), 1), time.Minute.Microseconds())
	l.mu.Lock()
	_ = l.interval.RecordValue(us) // is within the bounds
	l.mu.Unlock()
}

// cut ends an interval, and returns its percentiles.
func (l *latencies) cut(counts bool) percentiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := percentilesOf(l.interval)
	if counts {
		l.total.Merge(l.interval)
	}
	l.interval.Reset()
	return p
}

// percentiles are in milliseconds.
type percentiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

func percentilesOf(h *hdrhistogram.Histogram) percentiles {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return percentiles{at(50), at(99), at(99.9), float64(h.Max()) / 1000}
}
