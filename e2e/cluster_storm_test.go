package e2e

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signaling-server/e2e/fleet"
)

// Several nodes promise what one server promises, whichever process dies, and whichever link
// fails. Clients that do only what the protocol asks of them check that. Each of their
// requests reaches another node, through a network that fails as well.
func TestSeveralNodesAreOneServerWhateverFails(t *testing.T) {
	runsBeside(t)
	plan := readFaultPlan(t)
	goal, limit := readClusterGoal(t, &plan)
	figures := &clientFigures{}
	record := newRecord(figures)
	backEnd := newMoodyBackEnd(t)
	web := httptest.NewServer(backEnd)
	defer web.Close()
	f := startFleet(t, record.answered, append(noLimits, "WEBHOOK_URL="+web.URL, "WEBHOOK_SECRET="+webhookSecret, "HEARTBEAT_INTERVAL=1s", "AWAY_AFTER=5s", "RESUME_WINDOW=20s")...)
	network := startFaultyProxy(t, f.URL, plan.seed)
	crowd := newCrowd(t, network.url, plan, figures)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()

	reading, stopReading := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stopReading()
	for _, m := range crowd {
		running.Go(func() { m.client.read(reading) }) // ends with reading
	}
	running.Go(func() { record.sample(reading) }) // ends with reading
	all(crowd, func(m *member) { m.enter(ctx) })
	talking, stopTalking := context.WithCancel(ctx)
	defer stopTalking()
	running.Go(func() { // ends when everything has happened
		defer stopTalking()
		dice := rand.New(rand.NewPCG(plan.seed, 1))
		(&striker{f, t, ctx, goal, network, dice, record}).strikeAll()
	})
	walkers := 4
	if goal > 0 {
		walkers = 0 // their webhooks would fill the memory of this process
	}
	walking := startWalks(t, f.URL, walkers, talking)
	all(crowd, func(m *member) { m.talk(ctx, talking) })
	walking.await()
	network.heal()
	awaitFleet(t, f)
	record.note("the network is healed")
	all(crowd, func(m *member) { m.hearOut(ctx) })
	stopReading()
	running.Wait()

	plan.lasts = time.Since(began).Round(time.Second)
	v := judge(crowd)
	record.write(t, report(plan, network, figures, crowd, v), crowd)
	require.NoError(t, ctx.Err(), "everything was answered and heard in time")
	require.Zero(t, v, "what is not as it was promised")
	require.Zero(t, figures.lost.Load(), "sockets that could not be resumed")
	for _, m := range crowd {
		require.Empty(t, m.refused, "%s: only the network fails, so nothing is refused", m.name)
	}
	requireEqualNodes(t, f)
	hooks := backEnd.awaitAll(f.Nodes[0].URL)
	requireNoGap(t, hooks)
	require.NotEmpty(t, requireOrder(t, hooks), "the clients are still there")
	requireChangesOf(t, hooks, walking.byUser)
}

// readClusterGoal returns how many events are to be accepted, and how long that may take. The
// number is CLUSTER_EVENTS, or 0 if each fault happens only once. With a number, more clients
// send more often.
func readClusterGoal(t *testing.T, plan *faultPlan) (events int64, limit time.Duration) {
	plan.clients = 60
	text := os.Getenv("CLUSTER_EVENTS")
	if text == "" {
		return 0, 10 * time.Minute
	}
	events, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, "CLUSTER_EVENTS")
	plan.clients, plan.rests = 200, 200*time.Millisecond
	return events, 10 * time.Hour
}

// requireEqualNodes checks that all nodes tell the operator the same.
func requireEqualNodes(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	for _, path := range []string{"/rooms", "/connections", "/stats"} {
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			want := told(t, f.Nodes[0].URL+path)
			for _, node := range f.Nodes[1:] {
				require.Equal(t, want, told(t, node.URL+path), "%s of %s", path, node.Name)
			}
		}, within, 200*time.Millisecond)
	}
}

// told returns what a monitoring endpoint tells, without how long that node has run.
func told(t require.TestingT, url string) (answer any) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", text)
	require.NoError(t, json.Unmarshal(text, &answer))
	if stats, ok := answer.(map[string]any); ok {
		for _, own := range []string{"startTime", "uptime", "uptimeFormatted"} {
			delete(stats, own)
		}
	}
	return answer
}
