package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// start lets a client open a new socket.
func (m *machine) start(c *modelClient) {
	way := m.drawWay("", 0)
	m.leave(c)
	m.did(c, "opens by "+way.name)
	m.read(c, way, nil, 0)
}

// goOn lets a client read on, or take over from itself.
func (m *machine) goOn(c *modelClient) {
	from, position := rapid.SampledFrom([]string{"the last id", "the last id", "an earlier id", "where it did before"}).Draw(m.t, "from"), c.seen
	switch from {
	case "an earlier id":
		position = rapid.IntRange(c.socket.forgotten, c.seen).Draw(m.t, "position")
	case "where it did before":
		position = c.asked // once more: the answer was lost, or not heeded
	}
	m.goOnFrom(c, from, position)
}

// goOnFromNowhere lets a client read on from where the server may no longer be
// able to, or never was.
func (m *machine) goOnFromNowhere(c *modelClient) {
	s := c.socket
	from, position := rapid.SampledFrom([]string{"the beginning", "what it confirmed", "the future"}).Draw(m.t, "from"), 0
	switch from {
	case "what it confirmed":
		position = rapid.IntRange(0, max(0, s.forgotten-1)).Draw(m.t, "position")
	case "the future":
		position = len(s.events) + rapid.SampledFrom([]int{1, 2, 1 << 40}).Draw(m.t, "steps ahead")
	}
	m.goOnFrom(c, from, position)
}

func (m *machine) goOnFrom(c *modelClient, from string, position int) {
	m.did(c, "goes on from "+from, position, "of", len(c.socket.events))
	way := m.drawWay(c.socket.token, position)
	m.did(c, situation(c.socket)+" by "+way.name)
	m.read(c, way, c.socket, position)
}

// goOnTwice lets a client read on, and at once do so again: the answer to the
// first was lost.
func (m *machine) goOnTwice(c *modelClient) {
	s, position := c.socket, c.seen
	for range 2 {
		m.did(c, "goes on twice from", position)
		m.read(c, m.drawWay(s.token, position), s, position)
	}
}

// situation tells how a socket is being read.
func situation(s *oracleSocket) string {
	switch {
	case s.ended:
		return "comes back too late"
	case s.reader != nil && s.reader.silent:
		return "takes over from a silent stream"
	case s.reader != nil:
		return "takes over from a " + string(s.transport)
	case s.away:
		return "comes back"
	}
	return "resumes"
}

// way is how a client asks for events.
type way struct {
	name    string
	reader  *oracleReader
	request *http.Request
}

// drawWay draws how a client asks for what is behind a position of the socket
// of a token, or (empty) for a new socket.
func (m *machine) drawWay(token string, position int) way {
	if rapid.Bool().Draw(m.t, "polls") {
		return m.drawPoll(token, position)
	}
	return m.drawStream(token, position)
}

func (m *machine) drawStream(token string, position int) way {
	method, path := http.MethodGet, "/events"
	if rapid.Bool().Draw(m.t, "by POST") {
		method, path = http.MethodPost, "/events/stream"
	}
	id := fmt.Sprintf("%s.%d", token, position)
	tells := rapid.SampledFrom([]string{"id", "token and id", "query", "token"}).Draw(m.t, "tells")
	r := newModelRequest(method, path, "")
	r.Header.Set("Accept", "text/event-stream")
	switch {
	case token == "":
	case tells == "token" && position == 0:
		r.Header.Set("Authorization", "Bearer "+token)
	case tells == "query":
		r.URL.RawQuery = "lastEventId=" + id
	case tells == "id":
		r.Header.Set("Last-Event-ID", id)
	default:
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Last-Event-ID", id)
	}
	return way{method + " stream", &oracleReader{transport: sse.OverStream}, r}
}

func (m *machine) drawPoll(token string, position int) way {
	wait := rapid.SampledFrom([]int{25, 0, 1, 5, 60}).Draw(m.t, "wait")
	query := ""
	if position > 0 {
		query = fmt.Sprintf("after=%d", position)
	}
	if wait != 25 {
		query += fmt.Sprintf("&wait=%d", wait)
	}
	r := newModelRequest(http.MethodGet, "/events/poll?"+query, "")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	name := "poll"
	if wait == 0 {
		name = "poll that does not wait"
	}
	return way{name, &oracleReader{transport: sse.OverPoll, wait: time.Duration(wait) * time.Second}, r}
}

// read sends a request for what is behind a position of a socket, or (nil) for a
// new socket, which it may bring as well.
func (m *machine) read(c *modelClient, w way, s *oracleSocket, position int) {
	m.oracle.now = time.Now()
	w.reader.silent = s != nil && s.reader != nil && s.reader.silent // until the old stream's connection is given up
	l := m.server.ask(w.request)
	l.client, l.reader = c, w.reader
	m.lines = append(m.lines, l)
	settle()
	if s == nil || !m.oracle.resume(s, w.reader, position) {
		s, position = m.newSocket(c, l), 0
	}
	l.socket, c.line, c.asked, c.seen = s, l, position, position
	m.settle()
	if w.reader.silent {
		m.pass(250 * time.Millisecond)
		m.oracle.hear(s)
		m.settle()
	}
}

// newSocket makes the new socket that an answer brings the client's own.
func (m *machine) newSocket(c *modelClient, l *line) *oracleSocket {
	token := l.hello()
	_, ok := sse.ParseToken(token)
	require.True(m.t, ok, "no connected with a token: %v %v", l.arrived, l.rest)
	l.reader.silent = false
	if c.socket != nil {
		c.former = append(c.former, c.socket)
	}
	c.socket, c.posts, c.belief = m.oracle.open(token, l.reader), nil, belief{}
	name := fmt.Sprint(c.name, len(c.former)+1)
	m.names = append(m.names, c.socket.id, name, token, "secret of "+name)
	return c.socket
}

// stray lets a client ask with what is no position of a socket of its own: it
// gets a new one, and harms nobody's.
func (m *machine) stray(c *modelClient) {
	other := m.drawClient("other")
	token, id := c.socket.token, sse.NewToken().Secret()+".0"
	if other.socket != nil && other != c {
		id = fmt.Sprintf("%s.%d", other.socket.token, other.seen)
	}
	what := rapid.SampledFrom([]string{"another's id with its own token", "no id", "an id of nobody", "a token of nobody"}).Draw(m.t, "what")
	w := m.drawStream("", 0)
	switch what {
	case "another's id with its own token":
		w.request.Header.Set("Authorization", "Bearer "+token)
		w.request.Header.Set("Last-Event-ID", id)
	case "no id":
		w.request.Header.Set("Last-Event-ID", token+".-1")
	case "an id of nobody":
		w.request.Header.Set("Last-Event-ID", sse.NewToken().Secret()+".0")
	case "a token of nobody":
		w = m.drawPoll(sse.NewToken().Secret(), 0)
	}
	m.leave(c)
	m.did(c, "asks with "+what)
	m.read(c, w, nil, 0)
}

// misask lets a client poll on terms that there are not: nothing happens.
func (m *machine) misask(c *modelClient) {
	query := rapid.SampledFrom([]string{"wait=61", "wait=-1", "wait=1.5", "wait=x", "after=-1", "after=01", "after=x"}).Draw(m.t, "query")
	m.did(c, "polls on impossible terms", query)
	r := newModelRequest(http.MethodGet, "/events/poll?"+query, "")
	r.Header.Set("Authorization", "Bearer "+c.socket.token)
	require.Equal(m.t, "422 validation-failed", m.server.do(m.t, r))
}

// drop lets a client's connection break.
func (m *machine) drop(c *modelClient) {
	m.did(c, "drops its "+string(c.line.reader.transport))
	m.leave(c)
}

// leave ends a client's request for events, if there is one.
func (m *machine) leave(c *modelClient) {
	l := c.line
	if l == nil {
		return
	}
	l.hangUp()
	settle()
	m.oracle.now = time.Now()
	m.oracle.detach(l.socket)
	m.lines = slices.DeleteFunc(m.lines, func(other *line) bool { return other == l })
	c.line = nil
}

// cover lets a client read no more, though its connection stands.
func (m *machine) cover(c *modelClient) {
	m.did(c, "goes silent")
	c.line.ear.cover()
	c.line.reader.silent = true
	settle()
}

// uncover lets it read again.
func (m *machine) uncover(c *modelClient) {
	m.did(c, "is no longer silent")
	m.oracle.now = time.Now()
	c.line.ear.uncover()
	m.oracle.hear(c.socket)
	m.settle()
}
