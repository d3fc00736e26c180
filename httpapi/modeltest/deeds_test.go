package modeltest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// deed is something that a client does.
type deed struct {
	name   string
	weight int // how often it is drawn
	can    func(*machine, *modelClient) bool
	do     func(*machine, *modelClient)
}

var deeds = []deed{
	{"post", 16, lives, (*machine).post},
	{"go on", 8, canGoOn, (*machine).goOn},
	{"start", 8, hasNoSocket, (*machine).start},
	{"drop", 3, hasLine, (*machine).drop},
	{"drop a poll", 4, isPolling, (*machine).drop},
	{"come too late", 3, hasEnded, (*machine).goOnFromNowhere},
	{"wait", 3, always, (*machine).wait},
	{"cover", 2, hears, (*machine).cover},
	{"repeat", 2, hasPosted, (*machine).repeat},
	{"talk", 2, isInRoom, (*machine).talk},
	{"batch", 2, canBatch, (*machine).batch},
	{"go on twice", 1, canGoOn, (*machine).goOnTwice},
	{"go on from nowhere", 1, canAsk, (*machine).goOnFromNowhere},
	{"stray", 1, hasSocket, (*machine).stray},
	{"misask", 1, hasSocket, (*machine).misask},
	{"beacon", 1, hasSocket, (*machine).beacon},
	{"disconnect", 1, lives, (*machine).disconnect},
	{"post in vain", 1, hasSocket, (*machine).post},
	{"look", 1, always, (*machine).look},
	{"uncover", 4, isSilent, (*machine).uncover},
}

func always(*machine, *modelClient) bool          { return true }
func hasSocket(_ *machine, c *modelClient) bool   { return c.socket != nil }
func lives(_ *machine, c *modelClient) bool       { return c.socket != nil && !c.socket.ended }
func hasNoSocket(m *machine, c *modelClient) bool { return !lives(m, c) }
func isInRoom(_ *machine, c *modelClient) bool    { return c.socket != nil && c.socket.room != nil }
func hasLine(_ *machine, c *modelClient) bool     { return c.line != nil }
func isSilent(_ *machine, c *modelClient) bool    { return c.line != nil && c.line.reader.silent }
func hasPosted(_ *machine, c *modelClient) bool   { return len(c.posts) > 0 }

func hasEnded(_ *machine, c *modelClient) bool { return c.socket != nil && c.socket.ended }
func isPolling(_ *machine, c *modelClient) bool {
	return c.line != nil && c.line.reader.transport == sse.OverPoll
}

func hears(m *machine, c *modelClient) bool {
	return hasLine(m, c) && !isSilent(m, c) && c.line.reader.transport == sse.OverStream
}

func canGoOn(m *machine, c *modelClient) bool {
	return canAsk(m, c) && lives(m, c) && c.seen >= c.socket.forgotten
}

// canAsk tells whether a client can try to go on. If its room hears that it is
// back, and that fills the outbox of somebody whose end fills its own, then
// whether it was given what it came for before that is chance.
func canAsk(m *machine, c *modelClient) bool {
	return hasSocket(m, c) && (!c.socket.away || m.oracle.hasSpaceFor(mostAtOnce))
}

// canBatch tells whether a batch can be posted: if it fills somebody's outbox, in
// the middle of what the room is told of that is chance.
func canBatch(m *machine, c *modelClient) bool {
	return hasSocket(m, c) && m.oracle.hasSpaceFor(m.maxBatch()*mostAtOnce)
}

// drawDeed draws a deed, whether it can be done or not: so what rapid leaves out
// of a failing run changes nothing of the rest.
var drawDeed = rapid.SampledFrom(weighed(deeds))

func weighed(deeds []deed) (names []string) {
	for _, d := range deeds {
		names = append(names, slices.Repeat([]string{d.name}, d.weight)...)
	}
	return names
}

// step lets one client do one thing, if it can.
func (m *machine) step() {
	c, name := m.drawClient("client"), drawDeed.Draw(m.t, "deed")
	for _, d := range deeds {
		if d.name == name && d.can(m, c) {
			d.do(m, c)
			m.tally.count(steps)
		}
	}
}

func (m *machine) drawClient(label string) *modelClient {
	return m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(m.t, label)]
}

// wait lets time pass: little, or enough for all that time brings.
func (m *machine) wait(c *modelClient) {
	d := rapid.SampledFrom([]time.Duration{
		time.Millisecond, 100 * time.Millisecond, time.Second, 4 * time.Second, 8 * time.Second, 31 * time.Second, 2 * time.Second, time.Second,
	}).Draw(m.t, "time")
	m.did(c, "waits", d)
	m.pass(d)
}

// tally counts what was done, in all checks.
type tally map[string]int

const steps = "steps"

func (t tally) count(what string) { t[what]++ }

// enough is how many steps it takes for everything to happen often.
const enough = 15_000

// report logs how often what happened. Everything must have, if there were steps
// enough.
func (t tally) report(test *testing.T) {
	test.Logf("%6d steps", t[steps])
	for _, what := range slices.Sorted(maps.Keys(t)) {
		if what != steps {
			test.Logf("%6d %s", t[what], what)
		}
	}
	if t[steps] < enough {
		return
	}
	for _, what := range allThatHappens() {
		require.GreaterOrEqual(test, t[what], 5, "%s: the test no longer tests it", what)
	}
}

// allThatHappens lists what must happen often.
func allThatHappens() (all []string) {
	add := func(prefix string, rest string) {
		for one := range strings.SplitSeq(rest, ", ") {
			all = append(all, prefix+one)
		}
	}
	for _, how := range []string{"by stream", "by poll"} {
		add("", "opens "+how+", resumes "+how+", comes back "+how+", comes back too late "+how+
			", takes over from a stream "+how+", takes over from a poll "+how+", takes over from a silent stream "+how)
	}
	add("reads by ", "GET, POST, poll, poll that does not wait")
	add("tells its position by ", "id, token and id, query, token")
	add("goes on from ", "the last id, an earlier id, where it did before, the beginning, what it confirmed, the future")
	add("goes on ", "twice")
	add("asks with ", "another's id, no id, an id of nobody, a token of nobody")
	add("posts ", "join-room, leave-room, offer, answer, ice-candidate, signal, signal to all, send-message, typing-start, typing-stop, "+
		"ping, disconnect, an invalid event, a batch, a beacon")
	add("", "never hears the answer, repeats a POST, uses a key for another POST, polls on impossible terms, "+
		"drops its stream, drops its poll, goes silent, is no longer silent, talks, waits, looks at the monitoring")
	add("is answered ", "202, 401 unknown-session, 404 target-not-found, 409 not-in-room, 409 room-full, 422 validation-failed, "+
		"429 target-overflow, 503 shutting-down")
	add("hears ", "connected, heartbeat, room-joined, room-left left, user-connected, user-away, user-back, offer, answer, ice-candidate, "+
		"signal, new-message, user-typing, pong, disconnected replaced, disconnected draining, server-shutdown")
	add("hears user-disconnected ", "left, client disconnect, transport close") // a slow consumer is rare: it must stay stuck for a write and a whole window
	add("", "cannot go on, comes for the rest")
	return all
}
