package httpapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// Several clients do whatever a client can do, in any order, and at every step
// each of them must have been sent exactly what the oracle foretells.
//
// More of the same: go test ./httpapi -run TestTheServerDoesWhatTheOracleSays -rapid.checks=5000 -timeout 2h
func TestTheServerDoesWhatTheOracleSays(t *testing.T) {
	setDefault(t, "rapid.checks", "200")
	setDefault(t, "rapid.steps", "200")
	setDefault(t, "rapid.nofailfile", "true")
	done := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine(t, done)
			t.Repeat(map[string]func(*rapid.T){"": m.check, "step": m.step})
		})
	})
	report(t, done)
}

// setDefault sets a flag that the command line does not.
func setDefault(t *testing.T, name, value string) {
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == name })
	if !isSet {
		require.NoError(t, flag.Set(name, value))
	}
}

// report tells how often what was done.
func report(t *testing.T, done map[string]int) {
	steps := done["steps"]
	delete(done, "steps")
	t.Logf("%d steps", steps)
	for _, what := range slices.Sorted(maps.Keys(done)) {
		t.Logf("%6d  %s", done[what], what)
	}
}

// machine is the server, its clients, and the oracle that knows what must come of
// what they do.
type machine struct {
	t       *rapid.T
	done    map[string]int // how often what was done, in all checks
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
	posts  []keyedPost     // of this socket
	belief belief
}

// keyedPost is a POST that bore an Idempotency-Key.
type keyedPost struct {
	request      *http.Request
	body, answer string
}

func newMachine(t *rapid.T, done map[string]int) *machine {
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
	maxMembers := rapid.SampledFrom([]int{100, 3}).Draw(t, "members")

	m := &machine{
		t:       t,
		done:    done,
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

// did counts what was done, and writes it into the log of a failure.
func (m *machine) did(c *modelClient, what string, more ...any) {
	m.done[what]++
	about := strings.TrimSuffix(fmt.Sprintln(more...), "\n")
	m.t.Logf("%9.4f %s: %s %s", time.Since(m.started).Seconds(), c.name, what, m.inWords(about))
}

// inWords names sockets and tokens as people can read them.
func (m *machine) inWords(text string) string { return strings.NewReplacer(m.names...).Replace(text) }

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

// smallOutbox is how many events wait for a reader at most, where these are few.
const smallOutbox = 16

// offBeat keeps what clients do apart from what the server does at its ticks: all
// durations are whole milliseconds.
const offBeat = time.Millisecond / 2

// deed is something that a client does.
type deed struct {
	name   string
	weight int // how often it is drawn, of those that can be done
	can    func(*machine, *modelClient) bool
	do     func(*machine, *modelClient)
}

var deeds = []deed{
	{"post", 16, lives, (*machine).post},
	{"go on", 8, canGoOn, (*machine).goOn},
	{"start", 8, hasNoSocket, (*machine).start},
	{"drop", 3, hasLine, (*machine).drop},
	{"wait", 3, always, (*machine).wait},
	{"uncover", 4, isSilent, (*machine).uncover},
	{"cover", 2, hears, (*machine).cover},
	{"repeat", 2, hasPosted, (*machine).repeat},
	{"talk", 2, isInRoom, (*machine).talk},
	{"batch", 2, hasSpace, (*machine).batch},
	{"go on twice", 1, canGoOn, (*machine).goOnTwice},
	{"go on from nowhere", 1, hasSocket, (*machine).goOnFromNowhere},
	{"stray", 1, hasSocket, (*machine).stray},
	{"misask", 1, hasSocket, (*machine).misask},
	{"beacon", 1, hasSocket, (*machine).beacon},
	{"disconnect", 1, lives, (*machine).disconnect},
	{"post in vain", 1, hasSocket, (*machine).post},
	{"look", 1, always, (*machine).look},
}

// drawDeed draws the name of a deed, whether it can be done or not: so what is left
// out of a failing run changes nothing in the rest.
var drawDeed = rapid.SampledFrom(weighed())

func weighed() (names []string) {
	for _, d := range deeds {
		names = append(names, slices.Repeat([]string{d.name}, d.weight)...)
	}
	return names
}

func always(*machine, *modelClient) bool          { return true }
func hasSocket(_ *machine, c *modelClient) bool   { return c.socket != nil }
func hasNoSocket(_ *machine, c *modelClient) bool { return c.socket == nil || c.socket.ended }
func canGoOn(_ *machine, c *modelClient) bool {
	return c.socket != nil && !c.socket.ended && c.seen >= c.socket.forgotten
}
func hasLine(_ *machine, c *modelClient) bool  { return c.line != nil }
func lives(_ *machine, c *modelClient) bool    { return c.socket != nil && !c.socket.ended }
func isInRoom(_ *machine, c *modelClient) bool { return c.socket != nil && c.socket.room != nil }
func isSilent(_ *machine, c *modelClient) bool { return c.line != nil && c.line.reader.silent }
func hears(_ *machine, c *modelClient) bool {
	return c.line != nil && c.line.reader.transport == sse.OverStream && !c.line.reader.silent
}
func hasPosted(_ *machine, c *modelClient) bool { return len(c.posts) > 0 }

// hasSpace tells whether a batch can be posted: when it is told that someone's
// outbox was full in the middle of one is chance.
func hasSpace(m *machine, c *modelClient) bool {
	return c.socket != nil && m.oracle.hasSpaceFor(6*mostAtOnce)
}

// step lets one client do one thing.
func (m *machine) step(*rapid.T) {
	c := m.drawClient("client")
	name := drawDeed.Draw(m.t, "deed")
	for _, d := range deeds {
		if d.name == name && d.can(m, c) {
			d.do(m, c)
			m.done["steps"]++
		}
	}
}

func (m *machine) drawClient(label string) *modelClient {
	return m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(m.t, label)]
}

// wait lets time pass: often little, sometimes enough for all that time brings.
func (m *machine) wait(c *modelClient) {
	d := rapid.SampledFrom([]time.Duration{
		time.Millisecond, 100 * time.Millisecond, time.Second, 4 * time.Second, 8 * time.Second, 31 * time.Second, 2 * time.Second, time.Second,
	}).Draw(m.t, "time")
	m.did(c, "waits", d)
	m.pass(d)
}

// pass lets time pass.
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

// check compares what has arrived with what the oracle says.
func (m *machine) check(*rapid.T) {
	m.lines = slices.DeleteFunc(m.lines, func(l *line) bool {
		isOver := l.reader.over
		if !l.reader.silent {
			m.compare(l)
		}
		if isOver {
			l.hangUp()
			if l.client.line == l {
				l.client.line = nil
			}
		}
		return isOver
	})
	for _, c := range m.clients {
		if c.socket != nil && !c.socket.ended && c.belief.sequence == len(c.socket.events) {
			require.Equal(m.t, m.inWords(truth(c.socket)), m.inWords(c.belief.String()), "who is in the room, as %s has to believe", c.name)
		}
	}
}

// compare compares what has arrived in answer to one request.
func (m *machine) compare(l *line) {
	events, rest := l.take()
	var got []string
	for _, e := range events {
		got = append(got, m.inWords(m.describe(l, e)))
	}
	got = append(got, rest...)
	var want []string
	for _, s := range l.reader.take() {
		text := m.inWords(s.text)
		if s.optional && (len(want) >= len(got) || got[len(want)] != text) {
			continue
		}
		want = append(want, text)
	}
	require.Equal(m.t, want, got, "%s, as %s", l.client.name, l.reader.transport)
}

// describe says of an event what the oracle would say, and makes the client take
// note of it.
func (m *machine) describe(l *line, e event) string {
	var data fact
	require.NoError(m.t, json.Unmarshal([]byte(e.data), &data))
	require.Equal(m.t, e.kind, data["type"])
	if e.kind == "new-message" {
		require.NotEmpty(m.t, data["id"])
		delete(data, "id")
	}
	var sequence int
	digits := strings.TrimPrefix(e.id, l.socket.token+".")
	_, err := fmt.Sscan(digits, &sequence)
	require.NoError(m.t, err, "an id of another socket")
	if c := l.client; c.socket == l.socket {
		if c.line == l {
			c.seen = sequence
		}
		require.NoError(m.t, c.belief.hear(sequence, data), "%s", c.name)
	}
	m.done[strings.TrimSpace(fmt.Sprintln("  hears", e.kind, orNothing(data["reason"])))]++
	text := saidAs(sequence, data)
	if e.retry != "" {
		text += " retry " + e.retry
	}
	return text
}

func orNothing(value any) any {
	if value == nil {
		return ""
	}
	return value
}
