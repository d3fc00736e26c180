package modeltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"signaling-server/sse"
)

// posting is an event that a client posts.
type posting struct {
	name   string
	event  fact // nil if it is not valid
	body   string
	answer string // the answer to an event that is not valid
}

// drawPosting draws an event that a client might post.
func (m *machine) drawPosting(c *modelClient) posting {
	kinds := []string{
		"send-message", "signal to all", "signal", "offer", "answer", "ice-candidate",
		"typing-start", "typing-stop", "leave-room", "an invalid event", "join-room", "ping",
	}
	if !isSilent(m, c) { // when a heartbeat reaches a client that reads nothing for a while depends on chance
		kinds = append(kinds, "heartbeat")
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
		m.drawRequestID(e)
	case "leave-room":
		m.drawRequestID(e)
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
	return posting{kind, e, m.drawText(e), ""}
}

// drawText draws how a client writes an event. For an optional member that is absent it may
// write null.
func (m *machine) drawText(e fact) string {
	written := maps.Clone(e)
	optional := map[any][]string{"join-room": {"metadata", "accessToken", "requestId"}, "leave-room": {"requestId"}, "signal": {"target"}}
	for _, name := range optional[e["type"]] {
		if _, has := e[name]; !has && rapid.Bool().Draw(m.t, "null") {
			written[name] = nil
		}
	}
	return jsonOf(written)
}

// drawRequestID gives every other request an ID of its own.
func (m *machine) drawRequestID(e fact) {
	if rapid.Bool().Draw(m.t, "request ID") {
		e["requestId"] = fmt.Sprint("request-", m.count)
	}
}

// drawRoom draws the room that a client joins. If an outbox may become full, it does not
// draw the client's own room. The client would leave it and join it again, and chance
// decides when the other members read the events for that.
func (m *machine) drawRoom(s *oracleSocket) string {
	rooms := []string{"blue", "blue", "green", "red", "blue"}
	if s.room != nil && !m.oracle.hasSpaceFor(mostAtOnce) {
		rooms = slices.DeleteFunc(rooms, func(id string) bool { return id == s.room.id })
	}
	return rapid.SampledFrom(rooms).Draw(m.t, "room")
}

// drawTarget draws the target of an event: the ID of any socket, or of none.
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

// drawInvalid draws a body that the server always refuses.
func (m *machine) drawInvalid() posting {
	body := rapid.SampledFrom([]string{
		`{"type":"jump"}`, `{"x":1}`, `{"type":"ping","x":1}`, `{"type":"leave-room","requestId":"a b"}`, `{"type":"send-message","message":" "}`, `{"type":"join-room","roomId":"blue"}`,
		`{"type":"offer","target":"x"}`, `{"type":"answer","target":"x","answer":{"type":"offer","sdp":"v=0"}}`,
		`{"type":"ice-candidate","target":"x"}`, `{"type":"signal","target":"","data":1}`, `{"type":"signal","target":"x","target":"y","data":1}`,
	}).Draw(m.t, "body")
	return posting{"an invalid event", nil, body, validationFailed}
}

// goodbye is the event that ends a socket.
var goodbye = posting{"disconnect", fact{"type": "disconnect"}, `{"type":"disconnect"}`, ""}

// sent is a POST that a client may send several times.
type sent struct {
	path, contentType, bearer, key, body string
	lastID                               string // what the client confirms, or ""
	answer                               string // the answer that the oracle predicts
}

// asJSON returns a POST of a client that can set headers.
func asJSON(path, token, body string) sent {
	return sent{path: path, contentType: "application/json", bearer: token, body: body}
}

func (p sent) request() *http.Request {
	r := newModelRequest(http.MethodPost, p.path, p.body)
	r.Header.Set("Content-Type", p.contentType)
	if p.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+p.bearer)
	}
	if p.key != "" {
		r.Header.Set("Idempotency-Key", p.key)
	}
	if p.lastID != "" {
		r.Header.Set("Last-Event-ID", p.lastID)
	}
	return r
}

// post makes a client post one event.
func (m *machine) post(c *modelClient) {
	p := m.drawPosting(c)
	m.send(c, "posts "+p.name, asJSON("/events", c.socket.token, p.body), p)
}

// disconnect makes a client end its socket.
func (m *machine) disconnect(c *modelClient) {
	m.send(c, "posts "+goodbye.name, asJSON("/events", c.socket.token, goodbye.body), goodbye)
}

// beacon makes a client post one event as a page does when it unloads.
func (m *machine) beacon(c *modelClient) {
	p := goodbye
	if rapid.Bool().Draw(m.t, "stays") {
		p = m.drawPosting(c)
	}
	body := strings.Replace(p.body, "{", fmt.Sprintf(`{"token":%q,`, c.socket.token), 1)
	m.send(c, "posts a beacon", sent{path: "/events", contentType: "text/plain;charset=UTF-8", body: body}, p)
}

// batch makes a client post several valid and invalid events at once.
func (m *machine) batch(c *modelClient) {
	var all []posting
	var bodies []string
	for n := range rapid.IntRange(1, m.maxBatch()).Draw(m.t, "events") {
		p := m.drawPosting(c)
		if n == 0 && rapid.IntRange(0, 9).Draw(m.t, "goodbye") == 1 {
			p = goodbye // only as the first event: chance decides whether a stream still writes the events before it
		}
		all = append(all, p)
		bodies = append(bodies, p.body)
	}
	m.send(c, "posts a batch", asJSON("/events/batch", c.socket.token, `{"events":[`+strings.Join(bodies, ",")+`]}`), all...)
}

// maxBatch returns how many events a batch may have. A larger batch could fill an outbox
// while a client reads it, and then the result would depend on chance.
func (m *machine) maxBatch() int { return min(5, m.oracle.limits().UnsentEvents/mostAtOnce) }

// talk makes a client post more events than fit into a small outbox, to all members of its
// room or to one of them.
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
		p := asJSON("/events", c.socket.token, jsonOf(e))
		p.answer = m.predict(c.socket, p.path, posting{event: e})
		m.exchange(c, p)
	}
}

// send sends a POST, sometimes with a key. Sometimes the answer to a POST with a key is
// lost.
func (m *machine) send(c *modelClient, what string, p sent, events ...posting) {
	isKeyed := rapid.IntRange(0, 3).Draw(m.t, "with a key") == 1
	if isKeyed {
		m.count++
		p.key = fmt.Sprint("key-", m.count)
	}
	m.oracle.now = time.Now()
	p.lastID = m.confirm(c, p)
	p.answer = m.predict(c.socket, p.path, events...)
	m.did(c, what, p.body, "→", p.answer)
	if isKeyed && p.answer != unknownSession {
		c.posts = append(c.posts, p)
		c.posts = c.posts[max(0, len(c.posts)-64):]
	}
	if isKeyed && rapid.Bool().Draw(m.t, "the answer is lost") {
		m.did(c, "never hears the answer")
		m.server.doUnanswered(m.t, p.request())
		m.settle()
		return
	}
	m.exchange(c, p)
}

// confirm draws what a POST confirms, mostly nothing, and makes the oracle confirm it.
func (m *machine) confirm(c *modelClient, p sent) (lastID string) {
	if rapid.IntRange(0, 3).Draw(m.t, "confirms") != 1 {
		return ""
	}
	s, position := c.socket, c.seen
	what := rapid.SampledFrom([]string{"what it has seen", "what it has seen", "an earlier event", "the future", "an invalid id", "another's id"}).Draw(m.t, "what")
	m.did(c, "confirms "+what)
	switch what {
	case "an earlier event":
		position = rapid.IntRange(0, c.seen).Draw(m.t, "position")
	case "the future":
		position = len(s.events) + rapid.SampledFrom([]int{1, 2, 1 << 30}).Draw(m.t, "steps ahead")
	case "an invalid id":
		return fmt.Sprintf("%s.0%d", s.token, position)
	case "another's id":
		return m.drawOtherToken(c, sse.NewToken().Secret()) + ".1"
	}
	if p.bearer != "" {
		m.oracle.confirm(s, position)
	}
	return fmt.Sprintf("%s.%d", s.token, position)
}

// exchange sends a POST and compares the answer.
func (m *machine) exchange(c *modelClient, p sent) {
	m.mustBe([]string{p.answer}, []string{m.server.do(m.t, p.request())}, "the answer to %s", c.name)
	if !strings.HasPrefix(p.answer, "200 ") { // a batch has too many different answers to count
		m.tally.count("is answered " + p.answer)
	}
	m.settle()
}

// predict returns the answer to a POST of some events, and makes the oracle do what they
// ask for.
func (m *machine) predict(s *oracleSocket, path string, events ...posting) string {
	if s.ended {
		return unknownSession
	}
	m.oracle.hear(s)
	answer := "200"
	for _, p := range events {
		one := p.answer
		if s.ended {
			one = unknownSession
		} else if p.event != nil {
			one = m.oracle.post(s, p.event)
		}
		answer += " " + one
	}
	if path != "/events/batch" {
		answer = strings.TrimPrefix(answer, "200 ")
	}
	return answer
}

// repeat makes a client send a POST with its key again, or another POST with the same key.
func (m *machine) repeat(c *modelClient) {
	p := c.posts[rapid.IntRange(0, len(c.posts)-1).Draw(m.t, "which")]
	if rapid.IntRange(0, 3).Draw(m.t, "another") == 1 {
		p.body = strings.Replace(p.body, "{", `{"more":1,`, 1)
		p.answer = validationFailed
		m.did(c, "uses a key for another POST", p.body)
	} else {
		m.did(c, "repeats a POST", p.body)
	}
	if c.socket.ended {
		p.answer = unknownSession
	}
	m.oracle.now = time.Now()
	p.lastID = m.confirm(c, p)
	m.oracle.hear(c.socket)
	m.exchange(c, p)
}

func jsonOf(e fact) string {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // only for a value that JSON cannot express
	}
	return string(text)
}
