package modeltest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
)

// check compares what has arrived at all clients with what the oracle predicts.
func (m *machine) check() {
	m.lines = slices.DeleteFunc(m.lines, func(l *line) bool {
		if !l.reader.silent {
			m.compare(l)
		}
		if l.reader.over {
			m.hangUp(l)
		}
		return l.reader.over
	})
	for _, c := range m.clients {
		if lives(m, c) && c.belief.sequence == len(c.socket.events) && !m.oracle.draining {
			m.mustBe([]string{truth(c.socket)}, []string{c.belief.String()}, "the members of the room, as %s knows them by its events", c.name)
		}
	}
}

func (m *machine) hangUp(l *line) {
	l.hangUp()
	if l.client.line == l {
		l.client.line = nil
	}
}

// compare checks that what has arrived in answer to one request is what the oracle predicts.
func (m *machine) compare(l *line) {
	events, rest := l.take()
	var got, want []string
	for _, e := range events {
		got = append(got, m.hear(l, e))
	}
	got = append(got, rest...)
	for _, s := range l.reader.take() {
		isLeftOut := s.optional && (len(want) >= len(got) || got[len(want)] != s.text)
		if !isLeftOut {
			want = append(want, s.text)
		}
	}
	m.mustBe(want, got, "what %s hears by %s", l.client.name, l.reader.transport)
}

// hear makes a client process an event. It returns the event in the oracle's words.
func (m *machine) hear(l *line, e ssetest.Event) string {
	var data fact
	require.NoError(m.t, json.Unmarshal([]byte(e.Data), &data))
	require.Equal(m.t, e.Type, data["type"])
	m.takeOutRandom(&e, data)
	m.tally.count(strings.TrimSuffix(fmt.Sprintf("hears %s %v", e.Type, orEmpty(data["reason"])), " "))

	token, digits, _ := strings.Cut(e.ID, ".")
	sequence, err := strconv.Atoi(digits)
	require.NoError(m.t, err)
	if c := l.client; c.socket == l.socket {
		if c.line == l {
			c.seen = sequence
		}
		if err := c.belief.hear(sequence, data); err != nil {
			m.t.Logf("what %s hears contradicts what it heard before: %s", c.name, inWords{m, err.Error()})
			m.t.FailNow()
		}
	}
	text := saidAs(sequence, data)
	if e.Retry != "" {
		text += " retry " + e.Retry
	}
	if token != l.socket.token {
		text += " of " + token
	}
	return text
}

// takeOutRandom checks the members of an event that the oracle cannot predict, and removes
// them.
func (m *machine) takeOutRandom(e *ssetest.Event, data fact) {
	switch e.Type {
	case "new-message":
		require.NotEmpty(m.t, data["id"])
		delete(data, "id")
	case "server-shutdown":
		after := data["reconnectAfter"].(float64)
		least, less := m.reconnectAfter()
		require.True(m.t, least <= after && after < less)
		require.Contains(m.t, []string{"", fmt.Sprint(after)}, e.Retry)
		delete(data, "reconnectAfter")
		delete(data, "message")
		e.Retry = ""
	}
}

func orEmpty(value any) any {
	if value == nil {
		return ""
	}
	return value
}
