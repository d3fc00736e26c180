package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The names in the generator's JSON are those that each figure reads. A test of
// cmd/signaling-load records the file.
func TestEachFigureIsInTheResults(t *testing.T) {
	text, err := os.ReadFile("testdata/results.json")
	require.NoError(t, err)
	var sending, idle outcome
	var processes outcome
	require.NoError(t, json.Unmarshal(text, &[]any{&sending, &idle, &processes}))
	for _, f := range figures {
		o := sending
		if f.ours.name == beating.name {
			o = idle
		}
		require.NotZero(t, f.of(o), f.name)
	}
	require.Len(t, processes.Sending.Processes, 3)
	require.Positive(t, processes.Sending.Processes[0].MicrosecondsEach)
	require.Positive(t, processes.engine())
	require.Positive(t, processes.Sending.LatencyMilliseconds.P50)
	require.Contains(t, string(text), `"resumed"`)
}

func TestSeveralNodesAreMeasuredIfThatIsAskedFor(t *testing.T) {
	for names, chosen := range map[string]int{"": len(figures), "cluster": 0, "event,cluster": 1} {
		s, err := parse([]string{"-figures=" + names}, io.Discard)
		require.NoError(t, err)
		require.Len(t, s.chosen, chosen)
		require.Equal(t, names != "", s.cluster)
	}
	b := bench{cluster: make(map[string][]float64)}
	for _, f := range clusterFigures {
		b.note(f.name, 1)
		b.note(f.name, 3)
	}
	var table strings.Builder
	b.writeCluster(&table)
	require.Regexp(t, `apply *\| 2.00 \(1.00 – 3.00\) µs *\| ≤ 3 *\|`, table.String())
	require.Regexp(t, `in all runs *\| 3 *\| 0 *\|`, table.String())
}

func TestTheTableHasMediansAndSpread(t *testing.T) {
	s, err := parse([]string{"-figures", "event,memory"}, io.Discard)
	require.NoError(t, err)
	b := bench{settings: s, measured: make(map[string][]outcome)}
	record := func(isFloor bool, e experiment, micros, resident float64) {
		var o outcome
		o.Sending.ServerMicrosecondsEach, o.Sending.ResidentMiB = micros, resident
		b.measured[key(isFloor, e)] = append(b.measured[key(isFloor, e)], o)
	}
	for _, each := range [][2]float64{{40, 20}, {10, 20}, {30, 10}} {
		record(false, flatOut, each[0], 0)
		record(true, flatOut, each[1], 0)
	}
	record(false, minute, 0, 300)
	record(true, minute, 0, 30)
	var table strings.Builder
	b.write(&table)
	require.Regexp(t, `\| processor time per relayed event *\| 30.0 \(10.0 – 40.0\) µs *\| 20.0 \(10.0 – 20.0\) µs *\| 2.00 \(0.50 – 3.00\) *\| ≤ 1.2`, table.String())
	require.Regexp(t, `\| memory with 200 clients flat out *\| 300 MiB *\| 30.0 MiB *\| 10.0 *\| ≤ 64`, table.String())
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-figures=speed"}, {"-runs=0"}, {"-clients=1"}, {"-floor-url=http://localhost:1"}, {"event"}} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, args)
	}
}
