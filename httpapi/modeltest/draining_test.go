package modeltest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// drain stops the server. Events that were accepted must still reach each client that is
// reading, or that resumes in time.
func (m *machine) drain() {
	for _, c := range m.clients {
		if isSilent(m, c) {
			m.leave(c)
		}
	}
	m.oracle.now = time.Now()
	drained := m.server.nodes[0].drain()
	settle()
	m.oracle.drain()
	m.settle()
	m.check()
	for _, c := range m.clients {
		if lives(m, c) && rapid.Bool().Draw(m.t, "reads the rest") {
			m.readTheRest(c)
		}
	}
	m.pass(m.oracle.options.ResumeWindow + time.Second)
	select {
	case err := <-drained:
		require.NoError(m.t, err)
	default:
		require.Fail(m.t, "the server does not finish draining")
	}
}

// readTheRest makes a client resume until it has received all its events.
func (m *machine) readTheRest(c *modelClient) {
	m.did(c, "reads the rest", len(c.socket.events)-c.seen)
	p := asJSON("/events", c.socket.token, `{"type":"ping"}`)
	p.answer = shuttingDown
	m.exchange(c, p)
	for {
		isLast := !canResume(m, c) || c.seen == len(c.socket.events)
		m.read(c, m.drawWay(c.socket.token, c.seen), c.socket, c.seen)
		m.check()
		if isLast {
			return
		}
	}
}

// requireRefusal checks that a request for events is refused because the server stops. A
// poll is refused by a status. A stream is refused by an event, because an EventSource gives
// up after an error status.
func (m *machine) requireRefusal(l *line) {
	events, rest := l.take()
	if l.reader.transport == sse.OverPoll {
		m.mustBe([]string{shuttingDown}, rest, "the answer to %s", l.client.name)
		return
	}
	m.mustBe([]string{theEnd}, rest, "the answer to %s", l.client.name)
	require.Len(m.t, events, 1)
	var bye fact
	require.NoError(m.t, json.Unmarshal([]byte(events[0].Data), &bye))
	require.Equal(m.t, "draining", bye["reason"])
	require.Equal(m.t, events[0].Retry, fmt.Sprint(bye["retryAfter"]))
	require.Empty(m.t, events[0].ID, "the client keeps its position")
	m.tally.count("hears disconnected draining")
}
