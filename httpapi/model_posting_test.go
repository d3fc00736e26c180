package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const unknownSession = "401 unknown-session"

// posting is one event as a client posts it.
type posting struct {
	name   string
	event  fact // nil where it is not valid
	body   string
	answer string // of one that is not valid
}

// drawPosting draws an event that a client might post.
func (m *machine) drawPosting(c *modelClient) posting {
	kinds := []string{
		"send-message", "signal to all", "signal", "offer", "answer", "ice-candidate",
		"typing-start", "typing-stop", "leave-room", "an invalid event", "join-room", "ping",
	}
	if c.socket.room == nil {
		kinds = append(slices.Repeat([]string{"join-room"}, 2*len(kinds)), kinds...)
	}
	kind := rapid.SampledFrom(kinds).Draw(m.t, "type")
	m.count++
	e := fact{"type": kind}
	switch kind {
	case "an invalid event":
		return m.drawInvalid()
	case "join-room":
		e["roomId"] = m.drawRoom(c.socket)
		e["userId"] = c.name + rapid.SampledFrom([]string{"", "", "", "'s other name"}).Draw(m.t, "user")
		if rapid.Bool().Draw(m.t, "metadata") {
			e["metadata"] = map[string]any{"shirt": "white"}
		}
	case "offer", "answer":
		e["target"] = m.drawTarget(c)
		e[kind] = map[string]any{"type": kind, "sdp": fmt.Sprint("v=0 ", m.count)}
		e["callId"] = m.count
	case "ice-candidate":
		e["target"] = m.drawTarget(c)
		e["candidate"] = nil
		if rapid.Bool().Draw(m.t, "candidate") {
			e["candidate"] = map[string]any{"candidate": fmt.Sprint("candidate:", m.count), "sdpMid": "0"}
		}
	case "signal":
		e["target"] = m.drawTarget(c)
		e["data"] = []any{m.count}
	case "signal to all":
		e["type"] = "signal"
		e["data"] = m.count
	case "send-message":
		e["message"] = fmt.Sprint("message ", m.count)
	}
	return posting{kind, e, jsonOf(e), ""}
}

// drawRoom draws which room a client is to join. Where someone's outbox might be
// full by that, it is not its own: when the others there would be told is chance.
func (m *machine) drawRoom(s *oracleSocket) string {
	rooms := []string{"blue", "blue", "green", "red", "blue"}
	if s.room != nil && !m.oracle.hasSpaceFor(mostAtOnce) {
		rooms = slices.DeleteFunc(rooms, func(id string) bool { return id == s.room.id })
	}
	return rapid.SampledFrom(rooms).Draw(m.t, "room")
}

// mostAtOnce is how many events one event may make a socket owed, at most.
const mostAtOnce = 8

// drawTarget draws whom an event is for: anybody's socket, or nobody's.
func (m *machine) drawTarget(c *modelClient) string {
	var targets []string
	if c.socket.room != nil {
		for range 3 {
			for _, member := range c.socket.room.members {
				targets = append(targets, member.socket.id)
			}
		}
	}
	for _, other := range m.clients {
		for _, s := range append(other.former[max(len(other.former)-1, 0):], other.socket) {
			if s != nil {
				targets = append(targets, s.id)
			}
		}
	}
	targets = append(targets, "nobody")
	return rapid.SampledFrom(targets).Draw(m.t, "target")
}

// drawInvalid draws a body that is refused whatever the circumstances.
func (m *machine) drawInvalid() posting {
	body := rapid.SampledFrom([]string{
		`{"type":"jump"}`, `{}`, `{"type":"ping","x":1}`, `{"type":"send-message","message":" "}`, `{"type":"join-room","roomId":"blue"}`,
		`{"type":"offer","target":"x"}`, `{"type":"answer","target":"x","answer":{"type":"offer","sdp":"v=0"}}`,
		`{"type":"ice-candidate","target":"x"}`, `{"type":"signal","target":"","data":1}`, `{"type":"signal","target":"x","target":"y","data":1}`,
	}).Draw(m.t, "body")
	return posting{"an invalid event", nil, body, "422 validation-failed"}
}

// foretell says what a posting is answered, and lets the oracle do what it asks
// for.
func (m *machine) foretell(s *oracleSocket, p posting) string {
	switch {
	case s.ended:
		return unknownSession
	case p.event == nil:
		return p.answer
	}
	return m.oracle.post(s, p.event)
}

func jsonOf(e fact) string {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // only for what is no JSON
	}
	return string(text)
}

func newPost(path, token, body string) *http.Request {
	r := newModelRequest(http.MethodPost, path, body)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// post lets a client post one event.
func (m *machine) post(c *modelClient) {
	s := c.socket
	p := m.drawPosting(c)
	m.send(c, newPost("/events", s.token, p.body), "posts "+p.name, p)
}

// talk lets a client post more than fits into a small outbox, to all in its room
// or to one of them.
func (m *machine) talk(c *modelClient) {
	members := c.socket.room.members
	listener := members[rapid.IntRange(0, len(members)-1).Draw(m.t, "listener")].socket
	m.did(c, "talks")
	for range smallOutbox + 1 {
		m.count++
		e := fact{"type": "send-message", "message": fmt.Sprint("message ", m.count)}
		if listener != c.socket {
			e = fact{"type": "signal", "target": listener.id, "data": m.count}
		}
		answer := m.foretell(c.socket, posting{event: e})
		require.Equal(m.t, answer, m.server.do(m.t, newPost("/events", c.socket.token, jsonOf(e))))
		m.heed(answer)
	}
}

// beacon lets a page post one event as it unloads.
func (m *machine) beacon(c *modelClient) {
	s := c.socket
	p := m.drawPosting(c)
	if rapid.Bool().Draw(m.t, "goodbye") {
		p = goodbye
	}
	r := newModelRequest(http.MethodPost, "/events", strings.Replace(p.body, "{", fmt.Sprintf(`{"token":%q,`, s.token), 1))
	if p.body == "{}" {
		r = newModelRequest(http.MethodPost, "/events", fmt.Sprintf(`{"token":%q}`, s.token))
	}
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	m.send(c, r, "sends a beacon", p)
}

var goodbye = posting{"disconnect", fact{"type": "disconnect"}, `{"type":"disconnect"}`, ""}

// disconnect lets a client end its socket.
func (m *machine) disconnect(c *modelClient) {
	m.send(c, newPost("/events", c.socket.token, goodbye.body), "disconnects", goodbye)
}

// batch lets a client post several events at once, good ones and bad ones.
func (m *machine) batch(c *modelClient) {
	s := c.socket
	var all []posting
	if rapid.IntRange(0, 9).Draw(m.t, "goodbye") == 1 {
		all = append(all, goodbye) // first: what it does to a stream that is being written to is chance
	}
	for range rapid.IntRange(1, 5).Draw(m.t, "events") {
		all = append(all, m.drawPosting(c))
	}
	bodies := make([]string, len(all))
	for i, p := range all {
		bodies[i] = p.body
	}
	m.send(c, newPost("/events/batch", s.token, `{"events":[`+strings.Join(bodies, ",")+`]}`), "posts a batch", all...)
}

// send sends a POST, sometimes with a key, and sometimes in vain.
func (m *machine) send(c *modelClient, r *http.Request, what string, all ...posting) {
	s, body := c.socket, bodyOf(r)
	key := ""
	if rapid.IntRange(0, 3).Draw(m.t, "with a key") == 1 {
		m.count++
		key = fmt.Sprint("key-", m.count)
		r.Header.Set("Idempotency-Key", key)
	}
	isLost := key != "" && rapid.Bool().Draw(m.t, "the answer is lost")

	m.oracle.now = time.Now()
	isEnded := s.ended
	answers := make([]string, len(all))
	for i, p := range all {
		answers[i] = m.foretell(s, p)
	}
	answer := strings.Join(answers, " ")
	if r.URL.Path == "/events/batch" && !isEnded {
		answer = "200 " + answer
	} else {
		answer = answers[0]
	}
	if key != "" && !isEnded {
		c.posts = append(c.posts, keyedPost{r, body, answer})
		c.posts = c.posts[max(0, len(c.posts)-64):]
	}
	if isLost {
		m.did(c, what+", and never hears the answer", answer, body)
		m.server.doUnanswered(m.t, r)
	} else {
		m.did(c, what, "→", answer, body)
		require.Equal(m.t, answer, m.server.do(m.t, r), "%s", m.inWords(body))
	}
	m.heed(answers...)
}

// heed counts answers, and lets the server do what is left to do.
func (m *machine) heed(answers ...string) {
	for _, answer := range answers {
		m.done["→ "+answer]++
	}
	m.settle()
}

// repeat lets a client send a POST with its key again.
func (m *machine) repeat(c *modelClient) {
	first := c.posts[rapid.IntRange(0, len(c.posts)-1).Draw(m.t, "which")]
	what, answer, body := "repeats a POST", first.answer, first.body
	if rapid.IntRange(0, 3).Draw(m.t, "otherwise") == 1 {
		what, answer, body = "uses a key for another POST", "422 validation-failed", strings.Replace(first.body, "{", `{"more":1,`, 1)
	}
	if c.socket.ended {
		answer = unknownSession
	}
	m.did(c, what, "→", answer, body)
	r := newModelRequest(http.MethodPost, first.request.URL.Path, body)
	r.Header = first.request.Header
	require.Equal(m.t, answer, m.server.do(m.t, r), "%s", m.inWords(body))
	m.settle()
}

// bodyOf returns what a request is to send, and leaves it there.
func bodyOf(r *http.Request) string {
	body, err := r.GetBody()
	if err != nil {
		panic(err) // only for a body that was not made from a string
	}
	text, _ := io.ReadAll(body)
	return string(text)
}

// hasSpaceFor tells whether so many events can be sent to anyone without a full
// outbox.
func (o *oracle) hasSpaceFor(count int) bool {
	for _, s := range o.sockets {
		if s.isUnread() && len(s.events)-s.written+count > o.limits().UnsentEvents {
			return false
		}
	}
	return true
}
