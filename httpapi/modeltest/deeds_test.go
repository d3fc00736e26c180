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
	weight int                               // how often it is drawn
	can    func(*machine, *modelClient) bool // reports whether the client can do it now
	do     func(*machine, *modelClient)
}

var deeds = []deed{
	{"post", 16, lives, (*machine).post},
	{"resume", 8, canResume, (*machine).resume},
	{"start", 8, hasNoSocket, (*machine).start},
	{"drop", 3, hasLine, (*machine).drop},
	{"drop a poll", 4, isPolling, (*machine).drop},
	{"resume an ended socket", 3, hasEnded, (*machine).resumeFromWrongPosition},
	{"wait", 3, always, (*machine).wait},
	{"stop reading", 2, hears, (*machine).cover},
	{"repeat", 2, hasPosted, (*machine).repeat},
	{"talk", 2, isInRoom, (*machine).talk},
	{"batch", 2, canBatch, (*machine).batch},
	{"resume twice", 1, canResume, (*machine).resumeTwice},
	{"resume from a wrong position", 1, canTryToResume, (*machine).resumeFromWrongPosition},
	{"use a foreign id", 1, hasSocket, (*machine).useForeignID},
	{"poll with a wrong parameter", 1, hasSocket, (*machine).pollWrongly},
	{"beacon", 1, hasSocket, (*machine).beacon},
	{"disconnect", 1, lives, (*machine).disconnect},
	{"post, even after the end", 1, hasSocket, (*machine).post},
	{"look at the monitoring", 1, always, (*machine).look},
	{"read again", 4, isSilent, (*machine).uncover},
	{"stop a node", 1, canStopNode, (*machine).stopNode},
	{"kill a node", 1, canStopNode, (*machine).killNode},
	{"start a node", 3, canStartNode, (*machine).startNode},
	{"hand over", 1, canHandOver, (*machine).handOver},
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
	return hasLine(m, c) && !isSilent(m, c) && c.line.reader.transport == sse.OverStream && c.socket.heard.IsZero()
}

func canResume(m *machine, c *modelClient) bool {
	return canTryToResume(m, c) && lives(m, c) && c.seen >= c.socket.forgotten
}

// canTryToResume reports whether a client may try to resume now. It may not if the result
// would depend on chance. The user-back could overflow the outbox of another member and so
// end its socket. The user-disconnected for that could overflow the client's own outbox,
// before or after the client has received its events.
func canTryToResume(m *machine, c *modelClient) bool {
	return hasSocket(m, c) && (!c.socket.away || m.oracle.hasSpaceFor(mostAtOnce))
}

// canBatch reports whether a client may post a batch now. It may not if the batch can
// overflow an outbox. That would end a socket, and chance decides at which event of the
// batch the room would receive the user-disconnected for it.
func canBatch(m *machine, c *modelClient) bool {
	return hasSocket(m, c) && m.oracle.hasSpaceFor(m.maxBatch()*mostAtOnce)
}

// drawDeed draws from all deeds, also from those that cannot be done now. So when rapid
// shortens a failing run by leaving out steps, the other steps stay the same.
var drawDeed = rapid.SampledFrom(weighed(deeds))

func weighed(deeds []deed) (names []string) {
	for _, d := range deeds {
		names = append(names, slices.Repeat([]string{d.name}, d.weight)...)
	}
	return names
}

// step makes one client do one thing, if it can.
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

// wait lets time pass: a little, or enough for heartbeats, time-outs and resume windows.
func (m *machine) wait(c *modelClient) {
	d := rapid.SampledFrom([]time.Duration{
		time.Millisecond, 100 * time.Millisecond, time.Second, 4 * time.Second, 8 * time.Second, 31 * time.Second, 2 * time.Second, time.Second,
	}).Draw(m.t, "time")
	m.did(c, "waits", d)
	m.pass(d)
}

// tally counts what happened in all checks.
type tally map[string]int

const steps = "steps"

func (t tally) count(what string) { t[what]++ }

// enough is how many steps it takes until everything has happened often.
const enough = 15_000

// report logs how often each thing happened. If there were enough steps, all of the given things
// must have happened.
func (t tally) report(test *testing.T, all []string) {
	test.Logf("%6d steps", t[steps])
	for _, what := range slices.Sorted(maps.Keys(t)) {
		if what != steps {
			test.Logf("%6d %s", t[what], what)
		}
	}
	if t[steps] < enough {
		return
	}
	for _, what := range all {
		require.GreaterOrEqual(test, t[what], 5, "%s: it happened too rarely for the test to cover it", what)
	}
}

// allThatHappens lists what must happen often to a server of so many nodes.
func allThatHappens(nodes int) (all []string) {
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
	add("gives its position by ", "id, token and id, query, token")
	add("resumes from ", "the last id, an earlier id, the same position, the beginning, what it confirmed, the future")
	add("resumes ", "twice")
	add("confirms ", "what it has seen, an earlier event, the future, an invalid id, another's id")
	add("asks with ", "another's id, an invalid id, an unknown id, an unknown token")
	add("posts ", "join-room, leave-room, offer, answer, ice-candidate, signal, signal to all, send-message, typing-start, typing-stop, "+
		"ping, heartbeat, disconnect, an invalid event, a batch, a beacon")
	add("", "never hears the answer, repeats a POST, uses a key for another POST, polls with a wrong parameter, "+
		"drops its stream, drops its poll, stops reading, reads again, talks, waits, looks at the monitoring")
	add("is answered ", "202, 401 unknown-session, 404 target-not-found, 409 not-in-room, 409 room-full, 422 validation-failed, "+
		"429 target-overflow")
	add("hears ", "connected, heartbeat, room-joined, room-left left, user-connected, user-away, user-back, offer, answer, ice-candidate, "+
		"signal, new-message, user-typing, pong, disconnected replaced, server-shutdown")
	add("hears user-disconnected ", "left, client disconnect, transport close") // "slow consumer" is rare: a client must read nothing for a write time-out and a whole resume window
	add("", "cannot resume, is missed by stream")
	if nodes > 1 {
		add("", "stops a node, kills a node, starts a node, takes a node for lost")
	} else {
		add("", "reads the rest, is answered 503 shutting-down, hears disconnected draining, hands over")
	}
	return all
}
