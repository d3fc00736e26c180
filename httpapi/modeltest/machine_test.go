package modeltest

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// Several clients do whatever clients can do, in any order, in a bubble of fake
// time, and after each step every one of them must have been answered and sent
// exactly what the oracle foretells.
//
// More of the same: go test ./httpapi/modeltest -rapid.checks=20000 -timeout 2h
func TestTheServerDoesWhatTheOracleForetells(t *testing.T) {
	setDefault(t, "rapid.checks", "300")
	setDefault(t, "rapid.steps", "200")
	setDefault(t, "rapid.nofailfile", "true") // the seed in the report leads back as well
	deeds := make(tally)
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine(t, deeds)
			t.Repeat(map[string]func(*rapid.T){
				"":     func(*rapid.T) { m.check() },
				"step": func(*rapid.T) { m.step() },
			})
			m.drain()
		})
	})
	deeds.report(t)
}

// setDefault sets a flag that the command line does not.
func setDefault(t *testing.T, name, value string) {
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == name })
	if !isSet {
		require.NoError(t, flag.Set(name, value))
	}
}

// machine is the server, its clients, and the oracle that knows what must come of
// what they do.
type machine struct {
	t       *rapid.T
	tally   tally
	server  *modelServer
	oracle  *oracle
	started time.Time
	clients []*modelClient
	lines   []*line  // in the order of the requests
	names   []string // IDs and tokens, and behind each what it is called in words
	count   int      // makes each event another
}

// modelClient is one who uses the server.
type modelClient struct {
	name   string
	socket *oracleSocket   // the latest, nil before the first
	former []*oracleSocket // those before it
	line   *line           // the latest request for events, nil when that is over
	asked  int             // the position that it named
	seen   int             // the position behind the last event seen
	posts  []sent          // by this socket, with a key; the last 64
	belief belief
}

// What fills an outbox while it is read is chance; so nothing does that is done at
// once.
const (
	mostAtOnce  = 8              // events that one event, or one tick, makes a socket owed: one for each member of its room
	smallOutbox = 2 * mostAtOnce // events that may wait for a reader, where these are few
)

func newMachine(t *rapid.T, deeds tally) *machine {
	options := []sse.Options{
		{HeartbeatInterval: 10 * time.Second, ResumeWindow: 10 * time.Second, AwayAfter: 3 * time.Second},
		{HeartbeatInterval: 3 * time.Second, ResumeWindow: 20 * time.Second, AwayAfter: 1 * time.Second},
		{HeartbeatInterval: 20 * time.Second, ResumeWindow: 5 * time.Second, AwayAfter: 6 * time.Second},
	}[rapid.IntRange(0, 2).Draw(t, "durations")]
	options.WriteTimeout = 8 * time.Second
	options.Outbox = sse.DefaultOptions().Outbox
	if rapid.Bool().Draw(t, "small outboxes") {
		options.Outbox.UnsentEvents, options.Outbox.RetainedEvents = smallOutbox, 4
	}
	maxMembers := rapid.SampledFrom([]int{mostAtOnce, 3}).Draw(t, "members in a room")

	m := &machine{
		t:       t,
		tally:   deeds,
		server:  startModelServer(t, options, maxMembers),
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
	time.Sleep(offBeat)
	return m
}

// did counts a deed, and writes it into the log of a failure.
func (m *machine) did(c *modelClient, what string, more ...any) {
	m.tally.count(what)
	m.t.Logf("%.4f s: %s %s %s", time.Since(m.started).Seconds(), c.name, what, inWords{m, fmt.Sprintln(more...)})
}

// inWords is a text whose sockets and tokens are named as people can read them,
// when it is logged.
type inWords struct {
	*machine
	text string
}

func (w inWords) String() string {
	return strings.NewReplacer(w.names...).Replace(strings.TrimSpace(w.text))
}

// mustBe compares what is with what the oracle says. What fails is told in the
// log alone: rapid makes a failure smaller by comparing errors, and in those
// must be nothing that was drawn by the server.
func (m *machine) mustBe(want, got []string, format string, args ...any) {
	m.t.Helper()
	if slices.Equal(want, got) {
		return
	}
	m.t.Logf("%s: by the oracle\n\t%s\nand by the server\n\t%s", fmt.Sprintf(format, args...),
		inWords{m, strings.Join(want, "\n\t")}, inWords{m, strings.Join(got, "\n\t")})
	m.t.FailNow()
}

// offBeat keeps what clients do apart from what the server does at its ticks: all
// durations are whole milliseconds.
const offBeat = time.Millisecond / 2

// settle waits until the server has done all that it can do now, and takes over
// from it what is chance: how much there is in the answers to polls.
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
	time.Sleep(time.Nanosecond) // for what was to wait no time at all
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
		m.oracle.elapse(tick)
		m.oracle.tick(m.server.takeTouched())
		m.settle()
	}
	time.Sleep(time.Until(until))
	synctest.Wait()
	m.oracle.elapse(until)
}
