package modeltest

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// Several clients do whatever clients can do, in any order and in fake time. After each
// step, each client must have received exactly the answers and events that the oracle
// predicts.
//
// For more runs: go test ./httpapi/modeltest -rapid.checks=20000 -timeout 2h
func TestTheServerDoesWhatTheOraclePredicts(t *testing.T) {
	setDefault(t, "rapid.checks", "300")
	compare(t, 1)
}

// The same clients reach three nodes that share a log: each of their requests goes to the next
// node. The oracle predicts the same. Now and then a node stops or is killed, and its clients go
// on at the others.
func TestThreeNodesDoWhatTheOraclePredicts(t *testing.T) {
	setDefault(t, "rapid.checks", "40")
	compare(t, 3)
}

func compare(t *testing.T, nodes int) {
	setDefault(t, "rapid.steps", "200")
	setDefault(t, "rapid.nofailfile", "true") // the seed in the report is enough to repeat a failure
	deeds := make(tally)
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine(t, nodes, deeds)
			t.Repeat(map[string]func(*rapid.T){
				"":     func(*rapid.T) { m.check() },
				"step": func(*rapid.T) { m.step() },
			})
			if !m.server.isCluster() && !m.server.options.HandsOver {
				m.drain()
			}
		})
	})
	deeds.report(t, allThatHappens(nodes))
}

// setDefault sets a flag unless the command line sets it.
func setDefault(t *testing.T, name, value string) {
	if !isGiven()[name] {
		require.NoError(t, flag.Set(name, value))
	}
}

// isGiven names the flags that the command line sets.
var isGiven = sync.OnceValue(func() map[string]bool {
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return given
})

// machine is the server, its clients, and the oracle that predicts what each client must
// receive.
type machine struct {
	t       *rapid.T
	tally   tally
	server  *modelServer
	oracle  *oracle
	started time.Time
	clients []*modelClient
	lines   []*line  // in the order of the requests
	names   []string // pairs: an ID or token, and its readable name
	count   int      // makes each event different
}

// modelClient is a client of the server.
type modelClient struct {
	name   string
	socket *oracleSocket   // the client's latest socket; nil before the first
	former []*oracleSocket // the client's earlier sockets
	line   *line           // the latest request for events; nil when it is over
	asked  int             // the position in that request
	seen   int             // the sequence number of the last event seen
	posts  []sent          // the last 64 POSTs of this socket that had a key
	belief belief
}

// If an outbox becomes full while a client reads it, the result depends on chance. So one
// step never causes more events than a small outbox can hold.
const (
	mostAtOnce  = 8              // the most events that one event or one tick adds to an outbox: one for each member of the room
	smallOutbox = 2 * mostAtOnce // the limit of a small outbox
)

func newMachine(t *rapid.T, nodes int, deeds tally) *machine {
	options := []sse.Options{
		{HeartbeatInterval: 10 * time.Second, ResumeWindow: 10 * time.Second, AwayAfter: 3 * time.Second},
		{HeartbeatInterval: 3 * time.Second, ResumeWindow: 20 * time.Second, AwayAfter: 1 * time.Second},
		{HeartbeatInterval: 20 * time.Second, ResumeWindow: 5 * time.Second, AwayAfter: 6 * time.Second},
	}[rapid.IntRange(0, 2).Draw(t, "durations")]
	// Waits last whole milliseconds. So no client comes back in the moment in which the server forgets
	// what it has written.
	options.WriteTimeout = 8*time.Second + 250*time.Microsecond
	options.Outbox = sse.DefaultOptions().Outbox
	if rapid.Bool().Draw(t, "small outboxes") {
		options.Outbox.UnsentEvents, options.Outbox.RetainedEvents = smallOutbox, 4
	}
	if rapid.Bool().Draw(t, "parked streams") {
		options.Parking = parking{}
	}
	options.HandsOver = nodes == 1 && rapid.Bool().Draw(t, "hands over")
	maxMembers := rapid.SampledFrom([]int{mostAtOnce, 3}).Draw(t, "members in a room")

	m := &machine{
		t:       t,
		tally:   deeds,
		server:  startModelServer(t, nodes, options, maxMembers),
		oracle:  &oracle{options: options, maxMembers: maxMembers},
		started: time.Now(),
	}
	names := []string{"Ada", "Bob", "Cleo", "Dan", "Eve", "Fay"}
	for _, name := range names[:rapid.IntRange(3, len(names)).Draw(t, "clients")] {
		m.clients = append(m.clients, &modelClient{name: name})
	}
	t.Cleanup(func() {
		for _, l := range m.lines {
			l.hangUp()
		}
	})
	if m.server.isCluster() {
		time.Sleep(joining)
	}
	time.Sleep(offBeat)
	return m
}

// joining is how long nodes need until they serve.
const joining = 100 * time.Millisecond

// did counts a deed, and logs it for the report of a failure.
func (m *machine) did(c *modelClient, what string, more ...any) {
	m.tally.count(what)
	m.t.Logf("%.4f s: %s %s %s", time.Since(m.started).Seconds(), c.name, what, inWords{m, fmt.Sprintln(more...)})
}

// inWords is a text for the log. Its String replaces IDs and tokens by readable names.
type inWords struct {
	*machine
	text string
}

func (w inWords) String() string {
	return strings.NewReplacer(w.names...).Replace(strings.TrimSpace(w.text))
}

// mustBe requires that the server did what the oracle predicts. It writes the difference
// only to the log: rapid compares errors to shorten a failing run, so an error must not
// contain the random IDs of the server.
func (m *machine) mustBe(want, got []string, format string, args ...any) {
	m.t.Helper()
	if slices.Equal(want, got) {
		return
	}
	m.t.Logf("%s: the oracle predicts\n\t%s\nand the server gives\n\t%s", fmt.Sprintf(format, args...),
		inWords{m, strings.Join(want, "\n\t")}, inWords{m, strings.Join(got, "\n\t")})
	m.t.FailNow()
}

// offBeat keeps the clients' steps between the server's ticks: the ticks come at whole
// milliseconds, because all durations are whole milliseconds.
const offBeat = time.Millisecond / 2

// settle waits until the server has done all that it can do now. Then it tells the oracle
// what only chance decides: how many events the answers to polls contain.
func (m *machine) settle() {
	settle()
	m.oracle.settle()
	for _, l := range m.lines {
		if l.reader.due && !l.reader.silent && !l.reader.over {
			m.oracle.answer(l.socket, l.has())
		}
	}
	m.oracle.elapse(time.Now())
}

func settle() {
	time.Sleep(time.Nanosecond) // runs timers that are due now
	synctest.Wait()
}

// pass lets time pass, from tick to tick.
func (m *machine) pass(d time.Duration) {
	until := time.Now().Add(d)
	for every := m.oracle.tickInterval(); ; {
		tick := m.started.Add((time.Since(m.started)/every + 1) * every)
		if tick.After(until) {
			break
		}
		m.server.takeTouched()
		time.Sleep(time.Until(tick) + offBeat)
		synctest.Wait()
		m.noteLoss(tick)
		m.oracle.elapse(tick)
		m.oracle.tick(m.server.takeTouched())
		for _, l := range m.lines {
			if !l.reader.over && l.socket.reader == l.reader && m.oracle.mustMiss(l.socket) {
				m.oracle.miss(l.socket, l.has())
				m.tally.count("is missed by " + string(l.reader.transport))
			}
		}
		for _, l := range m.lines {
			if l.reader.transport == sse.OverStream && !l.reader.silent && !l.hasBeat(m.oracle.timestamp()) {
				m.oracle.leaveOut(l.reader)
			}
		}
		m.settle()
	}
	time.Sleep(time.Until(until))
	synctest.Wait()
	m.noteLoss(until)
	m.oracle.elapse(until)
}
