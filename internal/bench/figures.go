package main

import "strconv"

// figure is one row of the table.
type figure struct {
	name  string
	what  string
	unit  string
	ours  experiment
	floor experiment
	of    func(outcome) float64
	must  string
	aim   string
	once  bool // one run is enough, because it is long or varies little
}

// experiment is a load, by the generator's flags. The same experiment is run once per
// round, however many figures come from it.
type experiment struct {
	name      string
	flags     []string
	heartbeat string // interval of the servers; empty: 10s
	overTLS   bool   // and HTTP/2
	exports   bool   // our server exports spans of all requests
}

// outcome is what the generator reports.
type outcome struct {
	Connecting, Joining struct {
		ServerMicrosecondsEach float64
	}
	Idle, Rest struct {
		ResidentMiB, KibPerClient float64
	}
	Heartbeats struct {
		ServerMicrosecondsEach float64
	}
	Sending struct {
		PerSecond, ServerMicrosecondsEach, ServerCores, GeneratorCores float64
		ResidentMiB, AllocationsEach, AllocatedBytesEach               float64
		LatencyMilliseconds                                            struct{ P50 float64 }
		TypicalSecondMilliseconds                                      struct{ P99 float64 }

		Processes []struct {
			Role             string
			MicrosecondsEach float64
		}
	}
	Resuming struct {
		Resumed             int
		LatencyMilliseconds struct{ P99 float64 }
	}
	Check struct{ Lost, Doubled, Reordered, Ended, Parted int }
}

// What is in braces is replaced: see settings.values.
var (
	flatOut  = experiment{name: "flat out", flags: []string{"-settle=500ms", "-duration=8s", "-metrics"}}
	browsers = experiment{name: "as browsers", flags: []string{"-settle=500ms", "-duration=8s", "-browser"}}
	traced   = experiment{name: "traced", flags: []string{"-settle=500ms", "-duration=8s"}, exports: true}
	batches  = experiment{name: "batches", flags: []string{"-settle=500ms", "-duration=8s", "-batch=20"}}
	steady   = experiment{name: "steady", flags: []string{"-settle=500ms", "-duration=8s", "-rate=2000"}}
	joining  = experiment{name: "storm", flags: []string{"-settle=0s", "-duration=0s", "-clients=2000"}}
	oneRoom  = experiment{name: "one room", flags: []string{"-settle=0s", "-duration=0s", "-clients=500", "-room-size=500", "-connecting=8"}}
	idle     = experiment{name: "idle", flags: []string{"-settle={idle}", "-duration=0s", "-clients={clients}", "-keep-alive=false"}}
	idleBoth = experiment{name: "idle with POSTs", flags: []string{"-settle={idle}", "-duration=0s", "-clients={pairs}"}}
	idleTLS  = experiment{name: "idle over TLS", flags: []string{"-settle={idle}", "-duration=0s", "-clients=2000"}, overTLS: true}
	beating  = experiment{name: "heartbeats", flags: []string{"-settle=1s", "-duration=8s", "-clients=2000", "-idle", "-keep-alive=false"}, heartbeat: "2s"}
	many     = experiment{name: "many", flags: []string{"-settle=2s", "-duration={long}", "-clients={clients}", "-rate=1000", "-post-connections=256"}}
	minute   = experiment{name: "memory", flags: []string{"-settle=0s", "-duration={minute}", "-rest={minute}"}}
)

// figures are those of docs/performance.md, with what they must and should reach.
var figures = []figure{
	{"event", "processor time per relayed event", "µs", flatOut, flatOut, func(o outcome) float64 { return o.Sending.ServerMicrosecondsEach }, "≤ 1.2 ×", "≤ 0.8 ×", false},
	{"browser", "the same, with the headers of Chromium", "µs", browsers, browsers, func(o outcome) float64 { return o.Sending.ServerMicrosecondsEach }, "≤ 1.2 ×", "≤ 0.8 ×", false},
	{"allocations", "allocations per relayed event", "", flatOut, flatOut, func(o outcome) float64 { return o.Sending.AllocationsEach }, "≤ 45", "", false},
	{"allocated", "bytes allocated per relayed event", "B", flatOut, flatOut, func(o outcome) float64 { return o.Sending.AllocatedBytesEach }, "≤ 4096", "", false},
	{"traced", "processor time per relayed event, all spans exported", "µs", traced, flatOut, func(o outcome) float64 { return o.Sending.ServerMicrosecondsEach }, "", "", false},
	{"batch", "processor time per event in batches of 20", "µs", batches, flatOut, func(o outcome) float64 { return o.Sending.ServerMicrosecondsEach }, "≤ 0.3 ×", "≤ 0.2 ×", false},
	{"idle", "memory per idle client", "KiB", idle, idle, func(o outcome) float64 { return o.Idle.KibPerClient }, "≤ 5", "≤ 3", true},
	{"idle-posts", "the same, with its connection for POSTs", "KiB", idleBoth, idleBoth, func(o outcome) float64 { return o.Idle.KibPerClient }, "≤ 32", "≤ 8", true},
	{"idle-tls", "memory per idle client, over TLS and HTTP/2", "KiB", idleTLS, idleTLS, func(o outcome) float64 { return o.Idle.KibPerClient }, "≤ 1.1 ×", "", true},
	{"heartbeat", "processor time per heartbeat", "µs", beating, beating, func(o outcome) float64 { return o.Heartbeats.ServerMicrosecondsEach }, "≤ 22", "≤ 15", false},
	{"storm", "processor time per connect and join", "µs", joining, joining, func(o outcome) float64 { return o.Connecting.ServerMicrosecondsEach + o.Joining.ServerMicrosecondsEach }, "≤ 1.2 ×", "≤ 1 ×", false},
	{"room", "processor time per join, 500 into one room", "µs", oneRoom, oneRoom, func(o outcome) float64 { return o.Joining.ServerMicrosecondsEach }, "≤ 1.5 ×", "", false},
	{"latency", "p99 of delivery in a typical second, at 2,000 events/s", "ms", steady, steady, func(o outcome) float64 { return o.Sending.TypicalSecondMilliseconds.P99 }, "≤ 1.2 ×", "≤ 1 ×", false},
	{"many", "the same, at 1,000 events/s among the idle clients", "ms", many, many, func(o outcome) float64 { return o.Sending.TypicalSecondMilliseconds.P99 }, "< 100", "", true},
	{"memory", "memory with 200 clients flat out", "MiB", minute, minute, func(o outcome) float64 { return o.Sending.ResidentMiB }, "≤ 64", "≤ 40", true},
	{"memory-rest", "the same, after a rest", "MiB", minute, minute, func(o outcome) float64 { return o.Rest.ResidentMiB }, "given back", "", true},
}

func namesOf(figures []figure) (names []string) {
	for _, f := range figures {
		names = append(names, f.name)
	}
	return names
}

// values are what takes the place of words in an experiment's flags.
func (s settings) values() []string {
	minute, long, idle := "20s", "20s", "30s"
	if s.long {
		minute, long, idle = "1m", "5m", "90s" // after the last event is too old for a resume
	}
	return []string{
		"{clients}", strconv.Itoa(s.clients),
		"{pairs}", strconv.Itoa(min(s.clients, 9000)), // two connections each
		"{minute}", minute,
		"{long}", long,
		"{idle}", idle,
	}
}
