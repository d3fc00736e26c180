package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// result is what a run has measured. A figure of the server's process is absent if the
// process is not known.
type result struct {
	URL      string  `json:"url"`
	Clients  int     `json:"clients"`
	RoomSize int     `json:"roomSize"`
	Batch    int     `json:"batch"`
	Rate     float64 `json:"rate"` // events a second; 0: as fast as they arrive

	ConnectsPerSecond float64 `json:"connectsAndJoinsPerSecond"`
	JoinProcessor     float64 `json:"microsecondsPerConnectAndJoin,omitempty"` // of the server's processor time
	IdleMemory        float64 `json:"kibPerIdleClient,omitempty"`

	EventsPerSecond float64     `json:"eventsPerSecond"`
	Latency         percentiles `json:"latencyMilliseconds"`
	EventProcessor  float64     `json:"microsecondsPerEvent,omitempty"` // of the server's processor time
	ServerLoad      float64     `json:"serverCores,omitempty"`          // cores that the server kept busy
	Memory          float64     `json:"residentMiB,omitempty"`          // after sending
	OwnLoad         float64     `json:"generatorCores"`
	Late            int64       `json:"late"` // events that were sent later than their time

	Sent       int64          `json:"sent"`
	Received   int64          `json:"received"`
	Lost       int            `json:"lost"`
	Doubled    int            `json:"doubled"`
	Reordered  int            `json:"reordered"`
	Strays     int64          `json:"strays"` // events that reached a client of another room
	Refused    int64          `json:"refused"`
	Unanswered int64          `json:"unanswered"`
	Errors     map[string]int `json:"errors,omitempty"`
}

func (r *result) storm(l *load, took time.Duration, before usage) {
	r.ConnectsPerSecond = float64(l.joined.Load()) / took.Seconds()
	now := must(l.usage())
	r.JoinProcessor = micros(now.processor-before.processor) / float64(l.s.clients)
}

func (r *result) idle(l *load, before usage) {
	now := must(l.usage())
	r.IdleMemory = float64(now.resident-before.resident) / 1024 / float64(l.s.clients)
}

func (r *result) sent(l *load, took time.Duration, before usage, events int64, own usage) {
	l.latencies.cut(true)
	r.Latency = percentilesOf(l.latencies.total)
	r.EventsPerSecond = float64(events) / took.Seconds()
	now := must(l.usage())
	r.EventProcessor = micros(now.processor-before.processor) / float64(max(events, 1))
	r.ServerLoad = (now.processor - before.processor).Seconds() / took.Seconds()
	r.Memory = float64(now.resident) / (1 << 20)
	r.OwnLoad = (must(usageOf(os.Getpid())).processor - own.processor).Seconds() / took.Seconds()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// count judges every event.
func (r *result) count(l *load) {
	for _, c := range l.clients {
		for place, sender := range c.room.members {
			f := &c.flows[place]
			r.Sent += int64(sender.numbers[c.place] - len(sender.refused[c.place]))
			r.Lost += f.lost(sender.numbers[c.place], sender.refused[c.place])
			r.Doubled += f.doubled
			r.Reordered += f.overtaking
		}
	}
	r.Received = l.received()
	r.Strays, r.Refused, r.Unanswered, r.Late = l.strays.Load(), l.refusals.Load(), l.unanswered.Load(), l.late.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Errors = l.errors
}

// write prints the result for people.
func (r *result) write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, values ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, values...)...)
	}
	row("server", "%s", r.URL)
	row("clients", "%d in rooms of %d", r.Clients, r.RoomSize)
	row("connects and joins", "%.0f a second", r.ConnectsPerSecond)
	if r.JoinProcessor > 0 {
		row("  processor time each", "%.1f µs", r.JoinProcessor)
		row("  memory of each, idle", "%.1f KiB", r.IdleMemory)
	}
	row("events", "%.0f a second", r.EventsPerSecond)
	row("  POST to delivery", "p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms", r.Latency.P50, r.Latency.P99, r.Latency.P999, r.Latency.Max)
	if r.EventProcessor > 0 {
		row("  processor time each", "%.2f µs (%.2f cores busy)", r.EventProcessor, r.ServerLoad)
		row("  memory after", "%.1f MiB", r.Memory)
	}
	row("  generator", "%.2f cores busy, %d events late", r.OwnLoad, r.Late)
	row("accepted", "%d", r.Sent)
	row("  lost, doubled, reordered", "%d, %d, %d", r.Lost, r.Doubled, r.Reordered)
	if r.Refused+r.Unanswered+r.Strays > 0 {
		row("  refused, unanswered, strays", "%d, %d, %d", r.Refused, r.Unanswered, r.Strays)
	}
	_ = t.Flush()
	texts := make([]string, 0, len(r.Errors))
	for text := range r.Errors {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int { return r.Errors[b] - r.Errors[a] })
	for _, text := range texts[:min(len(texts), 5)] {
		fmt.Fprintf(w, "%d times: %s\n", r.Errors[text], text)
	}
}

// isBroken tells whether the server has broken a promise.
func (r *result) isBroken() bool {
	return r.Lost+r.Doubled+r.Reordered > 0 || r.Strays > 0
}
