package main

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// phase is what all clients do at a time.
type phase struct {
	name  string
	began time.Time
	takes time.Duration // 0: until all clients have done it
}

func (l *load) enter(name string, takes time.Duration) {
	l.phase.Store(&phase{name, time.Now(), takes})
}

// span measures what the server and this process use meanwhile.
type span struct {
	meter  meter
	start  time.Time
	before usage
	own    time.Duration
}

func (l *load) measure() (span, error) {
	before, err := l.meter.read()
	return span{l.meter, time.Now(), before, ownProcessor()}, err
}

// spent is what was used in a span. Memory is what the server has at its end.
type spent struct {
	took        time.Duration
	server, own time.Duration // of processor time
	allocations float64
	allocated   float64
	resident    int64
	processes   []process
}

// end ends the span. It took until the given time.
func (s span) end(at time.Time) (spent, error) {
	own := ownProcessor()
	after, err := s.meter.read()
	processes := slices.Clone(after.processes)
	for i := range min(len(processes), len(s.before.processes)) {
		processes[i].processor -= s.before.processes[i].processor
	}
	return spent{
		took: at.Sub(s.start), server: after.processor - s.before.processor, own: own - s.own,
		allocations: after.allocations - s.before.allocations, allocated: after.allocated - s.before.allocated,
		resident: after.resident, processes: processes,
	}, err
}

// sample is what happened in about a second.
type sample struct {
	At        float64     `json:"at"` // seconds since the start
	Phase     string      `json:"phase"`
	Joined    int64       `json:"joined"` // since the start
	Connects  float64     `json:"connectsPerSecond"`
	Joins     float64     `json:"joinsPerSecond"`
	Events    float64     `json:"eventsPerSecond"`
	Refused   float64     `json:"refusedPerSecond"`
	Latency   percentiles `json:"latencyMilliseconds"`
	Server    float64     `json:"serverCores,omitempty"`
	Resident  float64     `json:"serverMiB,omitempty"`
	Generator float64     `json:"generatorCores"`
}

// watcher takes a sample each second.
type watcher struct {
	quit    chan struct{}
	once    sync.Once
	running sync.WaitGroup
	samples []sample
}

func (l *load) watch(p *progress) *watcher {
	w := &watcher{quit: make(chan struct{})}
	w.running.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		last := l.counts()
		s, err := l.measure()
		for {
			select {
			case <-w.quit:
				p.done()
				return
			case <-tick.C:
			}
			spent, endErr := s.end(time.Now())
			if err = errors.Join(err, endErr); err != nil {
				l.fail(err) // the server has ended, perhaps
			}
			phase := l.phase.Load()
			if phase == nil {
				continue
			}
			now := l.counts()
			sample := now.since(last, spent)
			sample.At, sample.Phase = time.Since(l.began).Seconds(), phase.name
			sample.Latency = l.deliveries.cut()
			w.samples = append(w.samples, sample)
			p.show(*phase, sample, len(l.clients))
			last = now
			s, err = l.measure()
		}
	})
	return w
}

// stop ends the watching, and returns all samples.
func (w *watcher) stop() []sample {
	w.once.Do(func() { close(w.quit) })
	w.running.Wait()
	return w.samples
}

// counts are what has happened since the start.
type counts struct{ connected, joined, received, refused int64 }

func (l *load) counts() counts {
	return counts{l.connected.Load(), l.joined.Load(), l.received(), l.refusals.Load()}
}

func (c counts) since(last counts, s spent) sample {
	rate := func(now, before int64) float64 { return float64(now-before) / s.took.Seconds() }
	return sample{
		Joined: c.joined, Connects: rate(c.connected, last.connected), Joins: rate(c.joined, last.joined),
		Events: rate(c.received, last.received), Refused: rate(c.refused, last.refused),
		Server: cores(s.server, s.took), Resident: mib(s.resident), Generator: cores(s.own, s.took),
	}
}

func cores(processor, took time.Duration) float64 { return processor.Seconds() / took.Seconds() }
func mib(bytes int64) float64                     { return float64(bytes) / (1 << 20) }

// ownCores is how many cores this process may use.
func ownCores() float64 { return float64(runtime.GOMAXPROCS(0)) }
