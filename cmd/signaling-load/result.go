package main

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// result is what a run has measured. What the server used is absent if neither -pid nor
// -metrics is given.
type result struct {
	URL        string    `json:"url"` // of several nodes, with commas
	Floor      bool      `json:"floor,omitempty"`
	Started    time.Time `json:"started"`
	Clients    int       `json:"clients"`
	RoomSize   int       `json:"roomSize"`
	Transport  string    `json:"transport"`
	Rate       float64   `json:"rate"` // events per second that were asked for; 0: as fast as they arrive
	Batch      int       `json:"batch"`
	Churn      float64   `json:"churn,omitempty"`
	HasProcess bool      `json:"hasProcess"` // the server's processor time and memory are known

	Connecting storm       `json:"connecting"`
	Joining    storm       `json:"joining"`
	Idle       memory      `json:"idle,omitzero"`
	Heartbeats *heartbeats `json:"heartbeats,omitempty"`
	Sending    *sending    `json:"sending,omitempty"`
	Resuming   *resuming   `json:"resuming,omitempty"`
	Rest       memory      `json:"rest,omitzero"`
	Check      check       `json:"check"`

	Errors  map[string]int `json:"errors,omitempty"` // how often each came
	Notes   []string       `json:"notes,omitempty"`  // what to know before you trust the figures
	Samples []sample       `json:"samples"`
}

// storm is what it took until all clients had connected or joined.
type storm struct {
	Seconds   float64     `json:"seconds"`
	PerSecond float64     `json:"perSecond"`
	Latency   percentiles `json:"latencyMilliseconds"`
	Server    float64     `json:"serverMicrosecondsEach,omitempty"`
}

// memory is what the server's process has.
type memory struct {
	Resident float64 `json:"residentMiB"`
	Each     float64 `json:"kibPerClient"` // more than before the clients came
}

// heartbeats are those of an idle time.
type heartbeats struct {
	Seconds float64 `json:"seconds"`
	Count   int64   `json:"count"`
	Server  float64 `json:"serverMicrosecondsEach,omitempty"`
	Cores   float64 `json:"serverCores,omitempty"`
}

// sending is what was measured while clients sent.
type sending struct {
	Seconds     float64      `json:"seconds"`
	Events      int64        `json:"events"`
	PerSecond   float64      `json:"perSecond"`
	Latency     percentiles  `json:"latencyMilliseconds"`
	Curve       []percentile `json:"curve"`
	Typical     percentiles  `json:"typicalSecondMilliseconds"` // medians of the percentiles of each second
	Late        int64        `json:"late"`                      // that the clients sent later than they were due
	Churned     int64        `json:"churned,omitempty"`
	Server      float64      `json:"serverMicrosecondsEach,omitempty"`
	Cores       float64      `json:"serverCores,omitempty"`
	Resident    float64      `json:"residentMiB,omitempty"`
	Allocations float64      `json:"allocationsEach,omitempty"`
	Allocated   float64      `json:"allocatedBytesEach,omitempty"`
	Generator   float64      `json:"generatorMicrosecondsEach"`
	OwnCores    float64      `json:"generatorCores"`

	Processes []processed `json:"processes,omitempty"` // if there are several
}

// processed is what one process of the server or its engine has used while clients sent.
type processed struct {
	PID      int     `json:"pid"`
	Role     string  `json:"role"` // server or engine
	Each     float64 `json:"microsecondsEach"`
	Cores    float64 `json:"cores"`
	Resident float64 `json:"residentMiB"`
}

// resuming is how clients came back as the same socket.
type resuming struct {
	Broken   int64       `json:"broken"` // streams, and polls that a node has ended
	Resumed  int64       `json:"resumed"`
	Latency  percentiles `json:"latencyMilliseconds"` // from the break to the event that says that the socket is resumed
	Repeated int64       `json:"repeated"`            // requests that a node could not answer
	Away     int64       `json:"away"`                // that a member heard of another that was away
}

// check is what became of all events.
type check struct {
	Accepted  int64 `json:"accepted"`
	Received  int64 `json:"received"`
	Lost      int   `json:"lost"`
	Doubled   int   `json:"doubled"`
	Reordered int   `json:"reordered"`
	Strays    int64 `json:"strays"`           // reached a client of another room
	Ended     int64 `json:"ended"`            // sockets whose stream or polls failed
	Refused   int64 `json:"refused"`          // or not answered
	Unknown   int   `json:"unannounced"`      // members that another member has not heard of
	Parted    int64 `json:"parted,omitempty"` // that a member heard of another that has left, though none did
}

// IsBroken reports whether the server broke a promise.
func (c check) IsBroken() bool {
	return c.Lost > 0 || c.Doubled > 0 || c.Reordered > 0 || c.Strays > 0 || c.Ended > 0 || c.Unknown > 0 || c.Parted > 0
}

func newResult(l *load) *result {
	var addresses []string
	for _, node := range l.nodes {
		addresses = append(addresses, node.Redacted())
	}
	r := &result{
		URL: strings.Join(addresses, ","), Floor: l.floor, Started: l.began.UTC().Truncate(time.Second),
		Clients: len(l.clients), RoomSize: l.roomSize, Transport: "stream", Rate: l.rate, Batch: l.batch, Churn: l.churn,
		HasProcess: l.meter.measures(),
	}
	if l.poll {
		r.Transport = "poll"
	}
	return r
}

func newStorm(clients int, s spent, l *latencies) storm {
	latency, _ := l.sum()
	return storm{s.took.Seconds(), float64(clients) / s.took.Seconds(), latency, each(s.server, int64(clients))}
}

func (l *load) atRest(before usage) (memory, error) {
	now, err := l.meter.read()
	return memory{mib(now.resident), float64(now.resident-before.resident) / 1024 / float64(len(l.clients))}, err
}

func newHeartbeats(count int64, s spent) *heartbeats {
	return &heartbeats{s.took.Seconds(), count, each(s.server, count), cores(s.server, s.took)}
}

func newSending(l *load, events int64, s spent) *sending {
	r := &sending{
		Seconds: s.took.Seconds(), Events: events, PerSecond: float64(events) / s.took.Seconds(), Late: l.late.Load(),
		Server: each(s.server, events), Cores: cores(s.server, s.took), Resident: mib(s.resident),
		Allocations: s.allocations / float64(max(events, 1)), Allocated: s.allocated / float64(max(events, 1)),
		Generator: each(s.own, events), OwnCores: cores(s.own, s.took),
	}
	for _, p := range s.processes {
		role := "server"
		if p.isEngine {
			role = "engine"
		}
		if len(s.processes) > 1 {
			r.Processes = append(r.Processes, processed{p.pid, role, each(p.processor, events), cores(p.processor, s.took), mib(p.resident)})
		}
	}
	r.Latency, r.Curve = l.deliveries.sum()
	return r
}

// typical returns the medians of what was measured in each second. Other work on the
// machine, which disturbs some seconds, changes them little.
func typical(samples []sample) percentiles {
	median := func(of func(percentiles) float64) float64 {
		var values []float64
		for _, s := range samples {
			if s.Phase == "measuring" && s.Latency.Max > 0 {
				values = append(values, of(s.Latency))
			}
		}
		if len(values) == 0 {
			return 0
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return percentiles{
		median(func(p percentiles) float64 { return p.P50 }), median(func(p percentiles) float64 { return p.P99 }),
		median(func(p percentiles) float64 { return p.P999 }), median(func(p percentiles) float64 { return p.Max }),
	}
}

// each returns the microseconds of one of n; 0 if there is none.
func each(d time.Duration, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(d) / float64(time.Microsecond) / float64(n)
}

// judge checks what became of all events, after all clients have left.
func (r *result) judge(l *load) {
	r.Check = check{Accepted: l.accepted(), Received: l.received(), Strays: l.strays.Load(), Ended: l.ended.Load(), Refused: l.refusals.Load(), Parted: l.parted.Load()}
	if l.resume {
		latency, _ := l.resumes.times.sum()
		r.Resuming = &resuming{l.resumes.broken.Load(), l.resumes.resumed.Load(), latency, l.resumes.repeated.Load(), l.away.Load()}
	}
	if l.churn == 0 {
		r.Check.Unknown = l.unacquainted()
	}
	for _, receiver := range l.clients {
		for place := range receiver.flows {
			f, sender := &receiver.flows[place], receiver.room.members[place]
			r.Check.Lost += f.lost(sender.numbers[receiver.place], sender.refused[receiver.place])
			r.Check.Doubled += f.doubled
			r.Check.Reordered += f.reordered
		}
	}
	if r.Sending != nil {
		r.Sending.Typical = typical(r.Samples)
	}
	l.failures.mu.Lock()
	defer l.failures.mu.Unlock()
	r.Errors = maps.Clone(l.failures.texts)
	r.Notes = r.notes(l)
}
