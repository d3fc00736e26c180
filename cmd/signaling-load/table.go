package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// row is a line of the table: a figure and its value. A part belongs to the row above.
type row struct {
	Name, Value string
	IsPart      bool
}

// rows returns the table of a result.
func (r *result) rows() (rows []row) {
	add := func(name, format string, values ...any) {
		rows = append(rows, row{Name: name, Value: fmt.Sprintf(format, values...)})
	}
	part := func(name, format string, values ...any) {
		rows = append(rows, row{name, fmt.Sprintf(format, values...), true})
	}
	latency := func(name string, p percentiles) {
		part(name, "p50 %s · p99 %s · p99.9 %s · max %s", ms(p.P50), ms(p.P99), ms(p.P999), ms(p.Max))
	}
	add("clients", "%d, %d in a room, by %s", r.Clients, r.RoomSize, r.Transport)
	add("connects", "%.0f/s", r.Connecting.PerSecond)
	latency("time of each", r.Connecting.Latency)
	add("joins", "%.0f/s", r.Joining.PerSecond)
	latency("time of each", r.Joining.Latency)
	if r.HasProcess {
		part("processor time", "connect %.1f µs + join %.1f µs = %.1f µs", r.Connecting.Server, r.Joining.Server, r.Connecting.Server+r.Joining.Server)
		add("idle memory", "%.1f MiB, %.2f KiB a client", r.Idle.Resident, r.Idle.Each)
	}
	if h := r.Heartbeats; h != nil {
		add("heartbeats", "%d in %.0f s", h.Count, h.Seconds)
		if r.HasProcess && h.Count > 0 {
			part("processor time", "%.2f µs each, %.3f cores", h.Server, h.Cores)
		}
	}
	if s := r.Sending; s != nil {
		add("events", "%.0f/s", s.PerSecond)
		latency("POST to delivery", s.Latency)
		if s.Typical.Max > 0 {
			latency("in a typical second", s.Typical)
		}
		if r.HasProcess {
			part("processor time", "%.2f µs each, %.2f cores", s.Server, s.Cores)
			part("memory", "%.1f MiB", s.Resident)
		}
		for _, p := range s.Processes {
			part(fmt.Sprintf("%s %d", p.Role, p.PID), "%.2f µs each, %.2f cores, %.1f MiB", p.Each, p.Cores, p.Resident)
		}
		if s.Allocations > 0 {
			part("allocations", "%.1f and %.0f bytes each", s.Allocations, s.Allocated)
		}
		part("generator", "%.2f µs each, %.2f cores", s.Generator, s.OwnCores)
		if r.Churn > 0 {
			add("came back", "%.0f clients/s", float64(s.Churned)/s.Seconds)
		}
	}
	if s := r.Resuming; s != nil {
		add("streams that broke", "%d, resumed %d", s.Broken, s.Resumed)
		if s.Resumed > 0 {
			latency("until resumed", s.Latency)
		}
		part("requests repeated", "%d", s.Repeated)
		if s.Away > 0 {
			part("heard that a member was away", "%d times", s.Away)
		}
	}
	if r.HasProcess && r.Rest.Resident > 0 {
		add("memory after a rest", "%.1f MiB", r.Rest.Resident)
	}
	c := r.Check
	if r.Sending != nil {
		add("accepted", "%d, refused %d", c.Accepted, c.Refused)
		add("lost · doubled · reordered", "%d · %d · %d", c.Lost, c.Doubled, c.Reordered)
	}
	if c.Strays > 0 {
		add("in the wrong room", "%d", c.Strays)
	}
	if c.Ended > 0 {
		add("lost their stream", "%d clients", c.Ended)
	}
	if c.Parted > 0 {
		add("heard that a member has left", "%d times", c.Parted)
	}
	if c.Unknown > 0 {
		add("not told of a member", "%d times", c.Unknown)
	}
	return rows
}

// ms writes milliseconds with three digits.
func ms(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 100:
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

// write prints the result for people.
func (r *result) write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range r.rows() {
		indent := ""
		if row.IsPart {
			indent = "  "
		}
		fmt.Fprintf(t, "%s%s\t%s\n", indent, row.Name, row.Value)
	}
	_ = t.Flush()
	byCount := func(a, b string) int { return cmp.Or(r.Errors[b]-r.Errors[a], cmp.Compare(a, b)) }
	texts := slices.SortedFunc(maps.Keys(r.Errors), byCount)
	for _, text := range texts[:min(len(texts), 10)] {
		fmt.Fprintf(w, "\n%d×  %s", r.Errors[text], text)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\n%s", note)
	}
	if len(texts)+len(r.Notes) > 0 {
		fmt.Fprintln(w)
	}
}
