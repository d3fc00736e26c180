package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// peer is the client of one socket.
type peer struct {
	t        *trial
	token    string
	socketID string
	hello    map[string]any // the data of connected
	stream   *stream        // nil if the peer polls
	lastID   string
}

// stream is one open stream.
type stream struct {
	header http.Header
	status int
	frames chan frame // closed at the end of the stream
	hangUp context.CancelFunc
}

// frame is one frame of a stream, as it was received.
type frame struct {
	id, event, retry, data string
	lines                  []string
	json                   map[string]any
}

// answer is a whole HTTP response.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.text) }

// problem returns the last part of a problem's type, "" if the answer is not a
// problem.
func (a answer) problem() string {
	kind, _ := a.json["type"].(string)
	return strings.TrimPrefix(kind, "/problems/")
}

// do makes a request. If the server answers rate-limited, do waits as long as the
// answer says and tries again, five times at most. Any goroutine may call it.
func (t *trial) do(method, path string, headers map[string]string, body string) (answer, error) {
	for tries := 0; ; tries++ {
		r, err := http.NewRequestWithContext(t.ctx, method, t.settings.url+path, strings.NewReader(body))
		if err != nil {
			return answer{}, err
		}
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		response, err := t.http.Do(r)
		if err != nil {
			return answer{}, err
		}
		text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
		response.Body.Close()
		if err != nil {
			return answer{}, err
		}
		a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
		_ = json.Unmarshal(text, &a.json) // nil if it is not an object
		if a.problem() != "rate-limited" || tries == 5 {
			return a, nil
		}
		seconds, _ := strconv.Atoi(a.header.Get("Retry-After"))
		select {
		case <-time.After(time.Duration(min(max(seconds, 1), 5)) * time.Second):
		case <-t.ctx.Done():
			return answer{}, t.ctx.Err()
		}
	}
}

// ask makes a request. The trial fails if there is no answer, or if the answer is a
// 5xx.
func (t *trial) ask(method, path string, headers map[string]string, body string) answer {
	a, err := t.do(method, path, headers, body)
	if err != nil {
		t.fail("%s %s\nexpected: an answer\nseen:     %v", method, path, err)
	}
	if a.status >= 500 {
		t.fail("%s %s\nexpected: no 5xx, whatever the request is\nseen:     %s", method, path, shortened(a.String()))
	}
	return a
}

// listen opens a stream, which must be answered 200.
func (t *trial) listen(method, path string, headers map[string]string) *stream {
	ctx, hangUp := context.WithCancel(t.ctx)
	r, err := http.NewRequestWithContext(ctx, method, t.settings.url+path, nil)
	if err != nil {
		hangUp()
		t.fail("%v", err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := t.http.Do(r)
	if err != nil {
		hangUp()
		t.fail("%s %s\nexpected: a stream\nseen:     %v", method, path, err)
	}
	s := &stream{response.Header, response.StatusCode, make(chan frame, 4096), hangUp}
	t.background.Go(func() { s.read(ctx, response.Body) })
	if s.status != http.StatusOK {
		t.fail("%s %s\nexpected: 200\nseen:     %d", method, path, s.status)
	}
	return s
}

func (s *stream) read(ctx context.Context, body io.ReadCloser) {
	defer close(s.frames)
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 8<<20)
	var f frame
	for lines.Scan() {
		if line := lines.Text(); line != "" {
			f.take(line)
			continue
		}
		select {
		case s.frames <- f:
		case <-ctx.Done():
			return
		}
		f = frame{}
	}
}

func (f *frame) take(line string) {
	f.lines = append(f.lines, line)
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "id":
		f.id = value
	case "event":
		f.event = value
	case "retry":
		f.retry = value
	case "data":
		f.data += value
		_ = json.Unmarshal([]byte(f.data), &f.json) // nil if it is not an object
	}
}

// frame waits for the next frame. At the end of the stream, it returns false for
// open.
func (t *trial) frame(s *stream, waitingFor string) (f frame, open bool) {
	select {
	case f, open = <-s.frames:
		return f, open
	case <-time.After(min(20*time.Second, t.settings.timeout)):
	case <-t.ctx.Done():
	}
	t.fail("a stream\nexpected: %s\nseen:     nothing", waitingFor)
	panic("unreachable")
}

// connect opens a new socket by a stream.
func (t *trial) connect() *peer { return t.meet(t.listen(http.MethodGet, "/events", nil)) }

// meet reads the first event of a stream, which must be connected, and makes a peer
// of it.
func (t *trial) meet(s *stream) *peer {
	p := &peer{t: t, stream: s}
	f := p.next("connected")
	p.hello = f.json
	p.token, _ = f.json["token"].(string)
	p.socketID, _ = f.json["socketId"].(string)
	if p.token == "" || p.socketID == "" {
		t.fail("connected\nexpected: a token and a socketId\nseen:     %s", f.data)
	}
	t.peers = append(t.peers, p)
	return p
}

// resume drops the peer's stream and opens another with the last id. The server must
// resume the socket.
func (p *peer) resume() {
	p.hangUp()
	lastID := p.lastID
	p.stream = p.t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": lastID})
	p.t.expect("connected, on a stream that was opened with the last id", true, p.next("connected").json["resumed"])
}

func (p *peer) hangUp() {
	if p.stream != nil {
		p.stream.hangUp()
	}
}

// next reads the next event, which must be of one of these types. It skips heartbeats
// unless they are among the types.
func (p *peer) next(kinds ...string) frame {
	wanted := strings.Join(kinds, " or ")
	for {
		f, open := p.t.frame(p.stream, wanted)
		if !open {
			p.t.fail("a stream\nexpected: %s\nseen:     its end", wanted)
		}
		if f.id != "" {
			p.lastID = f.id
		}
		switch {
		case slices.Contains(kinds, f.event):
			return f
		case f.event != "heartbeat":
			p.t.fail("a stream\nexpected: %s\nseen:     %s %s", wanted, f.event, shortened(f.data))
		}
	}
}

// gone reads user-disconnected. user-away may come before it.
func (p *peer) gone() frame {
	for {
		if f := p.next("user-disconnected", "user-away"); f.event == "user-disconnected" {
			return f
		}
	}
}

// ended reads the end of the stream.
func (p *peer) ended() {
	for {
		f, open := p.t.frame(p.stream, "its end")
		if !open {
			return
		}
		if f.event != "heartbeat" {
			p.t.fail("a stream\nexpected: its end\nseen:     %s %s", f.event, shortened(f.data))
		}
	}
}

// quiet checks that no event is on its way: if there is one, it comes before the pong.
func (p *peer) quiet() {
	p.send(`{"type":"ping"}`)
	p.next("pong")
}

func (p *peer) bearer(more ...string) map[string]string {
	headers := map[string]string{"Authorization": "Bearer " + p.token}
	for i := 0; i+1 < len(more); i += 2 {
		headers[more[i]] = more[i+1]
	}
	return headers
}

func (p *peer) post(body string, more ...string) answer {
	return p.t.ask(http.MethodPost, "/events", p.bearer(append([]string{"Content-Type", "application/json"}, more...)...), body)
}

func (p *peer) batch(body string, more ...string) answer {
	return p.t.ask(http.MethodPost, "/events/batch", p.bearer(append([]string{"Content-Type", "application/json"}, more...)...), body)
}

// send posts an event, which must be accepted.
func (p *peer) send(body string) {
	a := p.post(body)
	if a.problem() == "access-denied" {
		p.t.skip("the server demands access tokens: try a server that does not")
	}
	if a.status != http.StatusAccepted || a.text != "{}" || a.header.Get("Content-Type") != "application/json" {
		p.t.fail("POST /events %s\nexpected: 202, and {} as JSON\nseen:     %s", shortened(body), shortened(a.String()))
	}
}

// refused posts an event, which must be refused with this problem.
func (p *peer) refused(status int, problem, body string) answer {
	a := p.post(body)
	p.t.expectProblem("POST /events "+shortened(body), status, problem, a)
	return a
}

func (t *trial) expectProblem(what string, status int, problem string, a answer) {
	if a.status != status || a.problem() != problem || a.header.Get("Content-Type") != "application/problem+json" ||
		a.json["status"] != float64(status) || a.json["title"] == nil || a.json["detail"] == nil {
		t.fail("%s\nexpected: %d, and the problem %s\nseen:     %s", what, status, problem, shortened(a.String()))
	}
}

// join joins a room, and returns the users of room-joined.
func (p *peer) join(roomID, userID string) []any {
	p.send(fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":%q}`, roomID, userID))
	users, _ := p.next("room-joined").json["users"].([]any)
	return users
}

// room returns a room ID that no other trial uses.
func (t *trial) room() string { return "conformance-" + rand.Text() }

// pair returns two peers in a room of their own.
func (t *trial) pair() (a, b *peer) {
	room := t.room()
	a, b = t.connect(), t.connect()
	a.join(room, "Ada")
	b.join(room, "Bob")
	a.next("user-connected")
	return a, b
}

// polled polls, and returns the events.
func (p *peer) polled(query string) (found []map[string]any, lastID string) {
	headers := map[string]string{}
	if p.token != "" {
		headers = p.bearer()
	}
	a := p.t.ask(http.MethodGet, "/events/poll"+query, headers, "")
	if a.status != http.StatusOK {
		p.t.fail("GET /events/poll%s\nexpected: 200\nseen:     %s", query, shortened(a.String()))
	}
	list, isList := a.json["events"].([]any)
	lastID, _ = a.json["lastEventId"].(string)
	if !isList || lastID == "" {
		p.t.fail("GET /events/poll%s\nexpected: events and lastEventId\nseen:     %s", query, shortened(a.String()))
	}
	for _, each := range list {
		members, _ := each.(map[string]any)
		found = append(found, members)
	}
	return found, lastID
}

// sequence returns the part of an event id after the dot.
func sequence(id string) string { return id[strings.LastIndex(id, ".")+1:] }
