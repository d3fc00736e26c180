package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The server promises that an accepted event reaches its peer exactly once and in
// order. Clients that do only what the protocol asks of them check that, through a
// network that fails at random bytes. The resume window is so long that no socket may be
// lost. So whatever is lost was lost by the server.
func TestWhatIsAcceptedArrivesOnceAndInOrderThroughAFaultyNetwork(t *testing.T) {
	runsBeside(t)
	plan := readFaultPlan(t)
	server := startServer(t, append(noLimits, "HEARTBEAT_INTERVAL=1s", "RESUME_WINDOW=5m")...)
	network := startFaultyProxy(t, server, plan.seed)
	figures := &clientFigures{}
	crowd := newCrowd(t, network.url, plan, figures)
	ctx, cancel := context.WithTimeout(t.Context(), plan.lasts+3*within)
	defer cancel()

	reading, stopReading := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stopReading()
	for _, m := range crowd {
		readers.Go(func() { m.client.read(reading) }) // ends with reading
	}
	all(crowd, func(m *member) { m.enter(ctx) })
	talking, stopTalking := context.WithTimeout(ctx, plan.lasts)
	defer stopTalking()
	all(crowd, func(m *member) { m.talk(ctx, talking) })
	network.heal()
	all(crowd, func(m *member) { m.hearOut(ctx) })
	stopReading()
	readers.Wait()

	v := judge(crowd)
	t.Log(report(plan, network, figures, crowd, v))
	require.NoError(t, ctx.Err(), "everything was answered and heard in time")
	require.Zero(t, v, "what is not as it was promised")
	require.Zero(t, figures.lost.Load(), "sockets that could not be resumed")
}

// faultPlan says how large the storm is and how long it lasts.
type faultPlan struct {
	seed    uint64
	clients int
	lasts   time.Duration
	rests   time.Duration // between two requests of a client, on average
}

func readFaultPlan(t *testing.T) faultPlan {
	plan := faultPlan{seed: rand.Uint64(), clients: 200, lasts: time.Minute, rests: 2 * time.Second}
	if testing.Short() {
		plan.clients, plan.lasts = 30, 5*time.Second
	}
	var err error
	if text := os.Getenv("FAULTS_SEED"); text != "" {
		plan.seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "FAULTS_SEED")
	}
	if text := os.Getenv("FAULTS_CLIENTS"); text != "" {
		plan.clients, err = strconv.Atoi(text)
		require.NoError(t, err, "FAULTS_CLIENTS")
	}
	if text := os.Getenv("FAULTS_FOR"); text != "" {
		plan.lasts, err = time.ParseDuration(text)
		require.NoError(t, err, "FAULTS_FOR")
	}
	t.Logf("FAULTS_SEED=%d", plan.seed)
	return plan
}

// newCrowd makes members in rooms of 5 to 10. The last room takes all that are left.
func newCrowd(t *testing.T, url string, plan faultPlan, figures *clientFigures) []*member {
	dice := rand.New(rand.NewPCG(plan.seed, 0))
	var crowd []*member
	for room := 0; len(crowd) < plan.clients; room++ {
		size := 5 + dice.IntN(6)
		if left := plan.clients - len(crowd); left < size+5 {
			size = left
		}
		for range size {
			m := newMember(t, url, fmt.Sprintf("storm %d", room), len(crowd)+1, plan, figures)
			m.others = size - 1
			crowd = append(crowd, m)
		}
	}
	return crowd
}

// all calls a function with every member at the same time, and waits for all of them.
func all(crowd []*member, do func(*member)) {
	var doing sync.WaitGroup
	for _, m := range crowd {
		doing.Go(func() { do(m) })
	}
	doing.Wait()
}

// report returns a table of what happened.
func report(plan faultPlan, network *faultyProxy, clients *clientFigures, crowd []*member, v verdict) string {
	var accepted, delivered int
	refused := make(map[int]int)
	took := latencies{}
	for _, m := range crowd {
		accepted += len(m.said)
		for _, heard := range m.heard {
			delivered += len(heard)
		}
		for status, n := range m.refused {
			refused[status] += n
		}
		took = append(took, m.took...)
	}
	f := &network.figures
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	row := func(name, format string, values ...any) string {
		return fmt.Sprintf("  %-14s", name) + fmt.Sprintf(format, values...) + "\n"
	}
	return "\n" +
		row("storm", "%d clients, %v, FAULTS_SEED=%d", plan.clients, plan.lasts, plan.seed) +
		row("events", "%d accepted, %d heard, %v refused", accepted, delivered, refused) +
		row("posts", "%d, of them %d repeated", clients.posts.Load(), clients.retries.Load()) +
		row("readers", "%d streams, %d polls; %d resumed, %d taken over", clients.streams.Load(), clients.polls.Load(), clients.resumes.Load(), clients.takeovers.Load()) +
		row("connections", "%d", f.connections.Load()) +
		row("faults", "%d cut by FIN, %d by RST, %d truncated, %d stalled, %d delayed",
			f.finCuts.Load(), f.rstCuts.Load(), f.truncations.Load(), f.stalls.Load(), f.delays.Load()) +
		row("from post", "%v median, %v p99, %v at most, to be heard", took.quantile(0.5), took.quantile(0.99), took.quantile(1)) +
		row("lost", "%d events, %d sockets", v.Lost, clients.lost.Load()) +
		row("duplicated", "%d", v.Duplicated) +
		row("reordered", "%d", v.Reordered)
}
