package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// clusterName is what -figures calls the figures of several nodes.
const clusterName = "cluster"

// clusterFigure is a row of the table of several nodes.
type clusterFigure struct {
	name, what, unit, must string
}

var clusterFigures = []clusterFigure{
	{"alone p50", "p50 of delivery at 1,000 events/s, one node alone", "ms", ""},
	{"three p50", "the same, three nodes", "ms", ""},
	{"beyond p50", "three nodes beyond one alone", "ms", "≤ 4"},
	{"alone p99", "p99 in a typical second at 1,000 events/s, one node alone", "ms", ""},
	{"three p99", "the same, three nodes", "ms", ""},
	{"alone steady", "processor time per event at 1,000 events/s, one node alone", "µs", ""},
	{"one steady", "the same, one of three nodes serves all: serve + apply", "µs", ""},
	{"apply steady", "the same, a node that serves nobody: apply", "µs", "≤ 3"},
	{"three steady", "the same, three nodes share the clients, together", "µs", ""},
	{"engine steady", "the same, their NATS servers together", "µs", ""},
	{"three busy", "the same at 3,000 events/s, three nodes share the clients, together", "µs", ""},
	{"carry", "what three nodes carry at 3,000 events/s, to one at 1,000", "", "≥ 2.6"},
	{"formula steady", "3 × (serve + apply) ÷ (serve + 3 × apply), at 1,000 events/s", "", "≥ 2.6"},
	{"alone flat out", "processor time per event flat out, one node alone", "µs", ""},
	{"one flat out", "the same, one of three nodes serves all: serve + apply", "µs", ""},
	{"apply flat out", "the same, a node that serves nobody: apply", "µs", "≤ 3"},
	{"three flat out", "the same, three nodes share the clients, together", "µs", ""},
	{"engine flat out", "the same, their NATS servers together", "µs", ""},
	{"formula flat out", "3 × (serve + apply) ÷ (serve + 3 × apply), flat out", "", "≥ 2.6"},
	{"one over TLS", "over TLS and HTTP/2 flat out, one of three nodes serves all: serve + apply", "µs", ""},
	{"apply over TLS", "the same, a node that serves nobody: apply", "µs", "≤ 3"},
	{"formula over TLS", "3 × (serve + apply) ÷ (serve + 3 × apply), over TLS flat out", "", "≥ 2.6"},
	{"resume", "a node is killed: p99 until its clients are resumed", "ms", "≤ 3000"},
	{"resume late", "the same, clients wait 2 s as EventSource does", "ms", ""},
	{"join", "a node joins 20,000 sockets at 1,000 events/s: until it is ready", "s", "≤ 10"},
	{"snapshot", "a snapshot of so many sockets: nothing is applied for", "ms", "≤ 50"},
	{"wrong", "lost, doubled or reordered events and lost sockets, in all runs", "", "0"},
}

// flatOutFlags let each client send its next event when the last has arrived. POSTs to one node alone
// have keys as well: they cost something.
var flatOutFlags = []string{"-settle=500ms", "-duration=8s", "-resume"}

// measureCluster measures one node alone, and nodes that share a log. Their processes and the
// generator share all cores, because there are more of them than cores.
func (b *bench) measureCluster(ctx context.Context) error {
	for round := range b.runs {
		if err := b.compareNodes(ctx); err != nil {
			return err
		}
		if err := b.serveOverTLS(ctx); err != nil {
			return err
		}
		fmt.Fprintf(b.progress, "%s  round %d of %d  %s\n", time.Now().Format(time.TimeOnly), round+1, b.runs, clusterName)
	}
	for name, flags := range map[string][]string{"resume": nil, "resume late": {"-retry=2s"}} {
		if err := b.killNode(ctx, name, flags); err != nil {
			return err
		}
	}
	return b.joinNode(ctx)
}

// note keeps a value of a figure.
func (b *bench) note(name string, value float64) { b.cluster[name] = append(b.cluster[name], value) }

// compareNodes measures one node alone, one of three nodes that serves all, and three.
func (b *bench) compareNodes(ctx context.Context) error {
	alone, err := b.startAlone(ctx)
	if err != nil {
		return err
	}
	defer alone.stop()
	if err := alone.awaitReady(ctx); err != nil {
		return err
	}
	f, err := b.startFleet(ctx, 3)
	if err != nil {
		return err
	}
	defer f.stop()
	flags := flatOutFlags
	toAlone := slices.Concat(flags, []string{"-url=" + alone.url, "-pid=" + alone.pid()})
	toOne := slices.Concat(flags, f.processes(), f.addresses(1))
	toAll := slices.Concat(flags, f.processes(), f.addresses(3))
	at := func(flags []string, rate int) (o outcome) {
		if err == nil {
			o, err = b.generate(ctx, (*exec.Cmd).Start, append(flags, fmt.Sprintf("-rate=%d", rate)))
			b.note("wrong", o.wrong())
		}
		return o
	}
	busy := at(toAll, 3000)
	for _, load := range []struct {
		name string
		rate int
	}{{"steady", 1000}, {"flat out", 0}} {
		single, one, all := at(toAlone, load.rate), at(toOne, load.rate), at(toAll, load.rate)
		if err != nil {
			return err
		}
		serves := b.noteCosts(load.name, one)
		b.note("alone "+load.name, single.Sending.ServerMicrosecondsEach)
		b.note("three "+load.name, all.Sending.ServerMicrosecondsEach)
		b.note("engine "+load.name, all.engine())
		if load.name == "steady" {
			b.note("alone p50", single.Sending.LatencyMilliseconds.P50)
			b.note("three p50", all.Sending.LatencyMilliseconds.P50)
			b.note("beyond p50", all.Sending.LatencyMilliseconds.P50-single.Sending.LatencyMilliseconds.P50)
			b.note("alone p99", single.Sending.TypicalSecondMilliseconds.P99)
			b.note("three p99", all.Sending.TypicalSecondMilliseconds.P99)
			b.note("three busy", busy.Sending.ServerMicrosecondsEach)
			b.note("carry", 3*serves/busy.Sending.ServerMicrosecondsEach)
		}
	}
	return nil
}

// noteCosts notes what the first of three nodes spent, which served all clients, and what
// the others spent. It returns the former, in µs for each event.
func (b *bench) noteCosts(name string, o outcome) (serves float64) {
	costs := o.Sending.Processes
	serves, applies := costs[0].MicrosecondsEach, (costs[1].MicrosecondsEach+costs[2].MicrosecondsEach)/2
	b.note("one "+name, serves)
	b.note("apply "+name, applies)
	b.note("formula "+name, 3*serves/(serves+2*applies))
	return serves
}

// serveOverTLS lets one of three nodes serve all clients as browsers reach it.
func (b *bench) serveOverTLS(ctx context.Context) error {
	f, err := b.startFleet(ctx, 3, "TLS_CERT="+b.certificate, "TLS_KEY="+b.key)
	if err != nil {
		return err
	}
	defer f.stop()
	o, err := b.generate(ctx, (*exec.Cmd).Start, slices.Concat(flatOutFlags, f.processes(), f.addresses(1)))
	if err != nil {
		return err
	}
	b.noteCosts("over TLS", o)
	b.note("wrong", o.wrong())
	return nil
}

// engine returns the processor time that the engine has spent for each event.
func (o outcome) engine() (sum float64) {
	for _, p := range o.Sending.Processes {
		if p.Role == "engine" {
			sum += p.MicrosecondsEach
		}
	}
	return sum
}

// killNode kills one of three nodes under load.
func (b *bench) killNode(ctx context.Context, name string, flags []string) error {
	f, err := b.startFleet(ctx, 3)
	if err != nil {
		return err
	}
	defer f.stop()
	kill := time.AfterFunc(6*time.Second, func() { _ = f.nodes[1].command.Process.Kill() })
	defer kill.Stop()
	o, err := b.generate(ctx, (*exec.Cmd).Start, slices.Concat(flags, f.addresses(3), []string{"-rate=1000", "-settle=0s", "-duration=12s"}))
	if err != nil {
		return err
	}
	if o.Resuming.Resumed == 0 {
		return fmt.Errorf("%s: no stream broke, so nothing was measured", name)
	}
	b.note(name, o.Resuming.LatencyMilliseconds.P99)
	b.note("wrong", o.wrong())
	return nil
}

// joinNode lets a third node join two that serve many sockets. Two generators have twice the
// file descriptors of one.
func (b *bench) joinNode(ctx context.Context) error {
	f, err := b.startFleet(ctx, 2)
	if err != nil {
		return err
	}
	defer f.stop()
	var generating sync.WaitGroup
	var outcomes [2]outcome
	var failures [2]error
	for i := range outcomes {
		generating.Go(func() {
			outcomes[i], failures[i] = b.generate(ctx, (*exec.Cmd).Start, slices.Concat(f.addresses(2), []string{
				fmt.Sprintf("-clients=%d", b.clients), "-rate=500", "-settle=0s", "-duration=80s", "-post-connections=128",
			}))
		})
	}
	defer generating.Wait()
	if err := f.nodes[0].awaitSockets(ctx, 2*b.clients); err != nil {
		return err
	}
	pause, err := f.nodes[0].awaitSnapshot(ctx, time.Now())
	if err != nil {
		return err
	}
	b.note("snapshot", 1000*pause)
	started := time.Now()
	joining, err := b.startNode(ctx, f)
	if err != nil {
		return err
	}
	if err := joining.awaitReady(ctx); err != nil {
		return err
	}
	if err := joining.awaitSockets(ctx, 2*b.clients); err != nil { // it knows them all
		return err
	}
	b.note("join", time.Since(started).Seconds())
	generating.Wait()
	for i, o := range outcomes {
		if failures[i] != nil {
			return failures[i]
		}
		b.note("wrong", o.wrong())
	}
	return nil
}

// wrong returns how many promises of a cluster were broken.
func (o outcome) wrong() float64 {
	return float64(o.Check.Lost + o.Check.Doubled + o.Check.Reordered + o.Check.Ended + o.Check.Parted)
}

// awaitSockets waits until the server has so many sockets.
func (s *server) awaitSockets(ctx context.Context, wanted int) error {
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Second) {
		response, err := http.Get(s.url + "/stats")
		if err != nil {
			return err
		}
		var answer struct{ ActiveConnections int }
		err = json.NewDecoder(response.Body).Decode(&answer)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		if answer.ActiveConnections >= wanted {
			return nil
		}
	}
	return fmt.Errorf("%d sockets were not opened in time", wanted)
}

// awaitSnapshot waits until the server, which must be the first of its nodes, has taken a snapshot
// since a time. It returns for how many seconds nothing was applied meanwhile.
func (s *server) awaitSnapshot(ctx context.Context, since time.Time) (pause float64, err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Second) {
		metrics, err := s.metrics()
		if err != nil {
			return 0, err
		}
		if age := metrics["signaling_cluster_snapshot_age_seconds"]; age > 0 && time.Since(since).Seconds() > age {
			return metrics["signaling_cluster_snapshot_pause_seconds"], nil
		}
	}
	return 0, errors.New("no snapshot was taken in time")
}

// metrics returns the gauges of the server that have no labels.
func (s *server) metrics() (map[string]float64, error) {
	response, err := http.Get(s.url + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	values := make(map[string]float64)
	for name, family := range families {
		if of := family.GetMetric()[0]; len(of.GetLabel()) == 0 {
			values[name] = of.GetGauge().GetValue()
		}
	}
	return values, err
}

// writeCluster prints the table of several nodes, in Markdown.
func (b *bench) writeCluster(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| figure\t| measured\t| must\t|\n| ---\t| ---\t| ---\t|\n")
	for _, f := range clusterFigures {
		value := spread(b.cluster[f.name])
		if f.name == "wrong" {
			value = fmt.Sprint(slices.Max(b.cluster[f.name]))
		}
		fmt.Fprintf(t, "| %s\t| %s %s\t| %s\t|\n", f.what, value, f.unit, f.must)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\nMedians of %d runs (lowest – highest). All processes and the generator shared the cores of this machine.\n", b.runs)
}
