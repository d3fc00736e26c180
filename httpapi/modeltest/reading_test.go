package modeltest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"pgregory.net/rapid"

	"signaling-server/sse"
)

// start makes a client open a new socket.
func (m *machine) start(c *modelClient) {
	m.leave(c)
	m.read(c, m.drawWay("", 0), nil, 0)
}

// resume makes a client resume its socket, or take over from its own stream or poll.
func (m *machine) resume(c *modelClient) {
	from, position := rapid.SampledFrom([]string{"the last id", "the last id", "an earlier id", "the same position"}).Draw(m.t, "from"), c.seen
	switch from {
	case "an earlier id":
		position = rapid.IntRange(c.socket.forgotten, c.seen).Draw(m.t, "position")
	case "the same position":
		position = c.asked // as if the answer before was lost
	}
	m.resumeFrom(c, from, position)
}

// resumeFromWrongPosition makes a client resume from a position that the server may no
// longer have, or never had.
func (m *machine) resumeFromWrongPosition(c *modelClient) {
	s := c.socket
	from, position := rapid.SampledFrom([]string{"the beginning", "what it confirmed", "the future"}).Draw(m.t, "from"), 0
	switch from {
	case "what it confirmed":
		position = rapid.IntRange(0, max(0, s.forgotten-1)).Draw(m.t, "position")
	case "the future":
		position = len(s.events) + rapid.SampledFrom([]int{1, 2, 1 << 30}).Draw(m.t, "steps ahead")
	}
	m.resumeFrom(c, from, position)
}

func (m *machine) resumeFrom(c *modelClient, from string, position int) {
	m.did(c, "resumes from "+from, position, "of", len(c.socket.events))
	m.read(c, m.drawWay(c.socket.token, position), c.socket, position)
}

// resumeTwice makes a client resume, and at once resume again, as if the first answer was
// lost.
func (m *machine) resumeTwice(c *modelClient) {
	s, position := c.socket, c.seen
	m.did(c, "resumes twice", "from", position)
	for range 2 {
		m.read(c, m.drawWay(s.token, position), s, position)
	}
}

// way is a request for events, with the reader that it opens.
type way struct {
	reader  *oracleReader
	request *http.Request
}

// drawWay draws a request for the events after a position of the socket with this token. If
// the token is "", it is a request for a new socket.
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
	m.tally.count("reads by " + method)
	r := newModelRequest(method, path, "")
	r.Header.Set("Accept", "text/event-stream")
	if token != "" {
		m.tellPosition(r, token, position)
	}
	return way{&oracleReader{transport: sse.OverStream}, r}
}

// tellPosition puts a stream's position into a request, in one of the four ways.
func (m *machine) tellPosition(r *http.Request, token string, position int) {
	ways := []string{"id", "token and id", "query", "token"}
	if position > 0 {
		ways = ways[:3]
	}
	by := rapid.SampledFrom(ways).Draw(m.t, "position by")
	m.tally.count("gives its position by " + by)
	id := fmt.Sprintf("%s.%d", token, position)
	if by == "query" {
		r.URL.RawQuery = "lastEventId=" + id
	}
	if by == "id" || by == "token and id" {
		r.Header.Set("Last-Event-ID", id)
	}
	if by == "token" || by == "token and id" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
}

func (m *machine) drawPoll(token string, position int) way {
	wait := rapid.SampledFrom([]int{25, 0, 1, 5, 60}).Draw(m.t, "wait")
	query := fmt.Sprintf("wait=%d", wait)
	if wait == 25 {
		query = "" // 25 is the default
	}
	if position > 0 {
		query += fmt.Sprintf("&after=%d", position)
	}
	if wait == 0 {
		m.tally.count("reads by poll that does not wait")
	} else {
		m.tally.count("reads by poll")
	}
	r := newModelRequest(http.MethodGet, "/events/poll?"+query, "")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return way{&oracleReader{transport: sse.OverPoll, wait: time.Duration(wait) * time.Second}, r}
}

// read sends a request for the events after a position of a socket. If the socket is nil or
// cannot resume, the answer brings a new socket.
func (m *machine) read(c *modelClient, w way, s *oracleSocket, position int) {
	m.did(c, situation(s)+" by "+string(w.reader.transport))
	m.oracle.now = time.Now()
	// The new request waits until its node gives up the old connection.
	waits := s != nil && s.reader != nil && s.reader.silent && !s.reader.dead && c.line.node == m.server.next()
	l := m.server.ask(w.request)
	l.client, l.reader, w.reader.node = c, w.reader, l.node
	m.lines = append(m.lines, l)
	settle()

	w.reader.silent = waits
	if s == nil || !m.oracle.resume(s, w.reader, position) {
		w.reader.silent = false
		if s, position = m.newSocket(c, l), 0; s == nil {
			return
		}
	}
	l.socket, c.line, c.asked, c.seen = s, l, position, position
	m.settle()
	if w.reader.silent {
		m.pass(250 * time.Millisecond)
		m.oracle.readAgain(s)
		m.settle()
	}
}

// situation says what a request for events does, by the state of its socket.
func situation(s *oracleSocket) string {
	switch {
	case s == nil:
		return "opens"
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

// newSocket gives the client the new socket that an answer brings. It returns nil if the
// server is draining, because then the answer brings none.
func (m *machine) newSocket(c *modelClient, l *line) *oracleSocket {
	if m.oracle.draining {
		m.requireRefusal(l)
		l.reader.over = true
		return nil
	}
	if c.socket != nil {
		m.did(c, "cannot resume")
		c.former = append(c.former, c.socket)
	}
	token := l.hello()
	name := fmt.Sprint(c.name, len(c.former)+1)
	m.names = append(m.names, idOf(token), name, token, "secret of "+name)
	c.socket, c.posts, c.belief = m.oracle.open(token, l.reader), nil, belief{}
	return c.socket
}

// useForeignID makes a client ask with an id or token that is not its own. It must get a new
// socket, and must not affect the sockets of others.
func (m *machine) useForeignID(c *modelClient) {
	what := rapid.SampledFrom([]string{"another's id", "an invalid id", "an unknown id", "an unknown token"}).Draw(m.t, "what")
	w, nobody := m.drawStream("", 0), sse.NewToken().Secret()
	switch what {
	case "another's id":
		w.request.Header.Set("Authorization", "Bearer "+c.socket.token)
		w.request.Header.Set("Last-Event-ID", m.drawOtherToken(c, nobody)+".0")
	case "an invalid id":
		w.request.Header.Set("Last-Event-ID", c.socket.token+".-1")
	case "an unknown id":
		w.request.Header.Set("Last-Event-ID", nobody+".0")
	case "an unknown token":
		w = m.drawPoll(nobody, 0)
	}
	m.did(c, "asks with "+what)
	m.leave(c)
	m.read(c, w, nil, 0)
}

// drawOtherToken draws a client, and returns its token if it is another client with a
// socket. If it is not, it returns otherwise.
func (m *machine) drawOtherToken(c *modelClient, otherwise string) string {
	other := m.drawClient("other")
	if other == c || other.socket == nil {
		return otherwise
	}
	return other.socket.token
}

// pollWrongly makes a client poll with a wrong parameter. It is refused, and nothing changes.
func (m *machine) pollWrongly(c *modelClient) {
	query := rapid.SampledFrom([]string{"wait=61", "wait=-1", "wait=1.5", "wait=x", "after=-1", "after=01", "after=x"}).Draw(m.t, "query")
	m.did(c, "polls with a wrong parameter", query)
	r := newModelRequest(http.MethodGet, "/events/poll?"+query, "")
	r.Header.Set("Authorization", "Bearer "+c.socket.token)
	m.mustBe([]string{validationFailed}, []string{m.server.do(m.t, r)}, "the answer to %s", c.name)
}

// drop breaks a client's connection.
func (m *machine) drop(c *modelClient) {
	m.did(c, "drops its "+string(c.line.reader.transport))
	m.leave(c)
}

// leave ends a client's request for events, if there is one.
func (m *machine) leave(c *modelClient) {
	if c.line != nil {
		m.abandon(c.line)
	}
}

// abandon breaks the connection of a request for events.
func (m *machine) abandon(l *line) {
	l.hangUp()
	settle()
	m.oracle.now = time.Now()
	if l.socket.reader == l.reader {
		m.oracle.detach(l.socket)
	}
	m.forget(l)
}

// forget forgets a request for events whose connection is broken.
func (m *machine) forget(l *line) {
	m.lines = slices.DeleteFunc(m.lines, func(other *line) bool { return other == l })
	if l.client.line == l {
		l.client.line = nil
	}
}

// cover makes a client read nothing, though its connection stays open.
func (m *machine) cover(c *modelClient) {
	m.did(c, "stops reading")
	c.line.ear.cover()
	c.line.reader.silent = true
	settle()
}

// uncover makes a silent client read again.
func (m *machine) uncover(c *modelClient) {
	m.did(c, "reads again")
	m.oracle.now = time.Now()
	c.line.ear.uncover()
	m.oracle.readAgain(c.socket)
	m.settle()
}
