package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

var identityRules = []rule{
	{identity, "tokens-are-128-bits", "The session token is 128 random bits in base64url without padding: 22 characters.", func(t *trial) {
		a, b := t.connect(), t.connect()
		for _, p := range []*peer{a, b} {
			if !tokenForm.MatchString(p.token) {
				t.fail("connected\nexpected: a token of 22 characters of base64url\nseen:     %d characters", len(p.token))
			}
		}
		if a.token == b.token {
			t.fail("two sockets\nexpected: two tokens\nseen:     one")
		}
	}},
	{identity, "socket-ids-are-hashes", "The socket ID is base64url of the first 16 bytes of the SHA-256 of the token's text: 22 characters, too.", func(t *trial) {
		p := t.connect()
		sum := sha256.Sum256([]byte(p.token))
		t.expect("socketId", base64.RawURLEncoding.EncodeToString(sum[:16]), p.socketID)
	}},
	{identity, "socket-ids-open-nothing", "A socket ID gives nobody the token.", func(t *trial) {
		p := t.connect()
		headers := map[string]string{"Authorization": "Bearer " + p.socketID, "Content-Type": "application/json"}
		t.expectProblem("POST /events with a socket ID for a token", http.StatusUnauthorized, "unknown-session", t.ask(http.MethodPost, "/events", headers, `{"type":"ping"}`))
		forged := t.meet(t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": p.socketID + ".0"}))
		t.expect("connected, with a socket ID in the id", false, forged.hello["resumed"])
		p.quiet()
	}},
}

var streamRules = []rule{
	{streams, "a-stream-has-its-headers", "A stream has the headers Content-Type: text/event-stream, Cache-Control: no-cache, no-store, no-transform and X-Accel-Buffering: no.", func(t *trial) {
		for _, accept := range []string{"text/event-stream", "*/*"} {
			s := t.listen(http.MethodGet, "/events", map[string]string{"Accept": accept})
			p := t.meet(s)
			t.expect("Content-Type", "text/event-stream", s.header.Get("Content-Type"))
			t.expect("Cache-Control", "no-cache, no-store, no-transform", s.header.Get("Cache-Control"))
			t.expect("X-Accel-Buffering", "no", s.header.Get("X-Accel-Buffering"))
			p.hangUp()
		}
	}},
	{streams, "connected-comes-first", "The first event is connected, whose frame also sets retry: 2000, and a heartbeat follows at once.", func(t *trial) {
		s := t.listen(http.MethodGet, "/events", nil)
		f, _ := t.frame(s, "connected")
		t.expect("the first event", "connected", f.event)
		t.expect("its retry", "2000", f.retry)
		p := &peer{t: t, stream: s, token: fmt.Sprint(f.json["token"])}
		t.peers = append(t.peers, p)
		then, _ := t.frame(s, "heartbeat")
		t.expect("the second event", "heartbeat", then.event)
		for _, member := range []string{"socketId", "token", "resumed", "heartbeatInterval", "resumeWindow", "timestamp"} {
			if _, is := f.json[member]; !is {
				t.fail("connected\nexpected: %s\nseen:     %s", member, f.data)
			}
		}
	}},
	{streams, "ids-are-token-and-sequence", "Every event carries id: <token>.<sequence>.", func(t *trial) {
		p := t.connect()
		form := regexp.MustCompile(`^` + regexp.QuoteMeta(p.token) + `\.(0|[1-9][0-9]*)$`)
		for range 3 {
			p.send(`{"type":"ping"}`)
			if f := p.next("pong"); !form.MatchString(f.id) {
				t.fail("an event\nexpected: an id of the form <token>.<sequence>\nseen:     %s", strings.ReplaceAll(f.id, p.token, "<token>"))
			}
		}
	}},
	{streams, "frames-are-plain", "Each event is one frame of the fields id, event and data, with LF line ends, and no field is empty.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"signal","data":"two\nlines\r\nand \u2028 more"}`)
		f := b.next("signal")
		var fields []string
		for _, line := range f.lines {
			field, value, found := strings.Cut(line, ": ")
			if !found || value == "" || strings.Contains(line, "\r") {
				t.fail("a frame\nexpected: lines of a field and a value\nseen:     %q", line)
			}
			fields = append(fields, field)
		}
		slices.Sort(fields)
		t.expect("the fields of an event", []string{"data", "event", "id"}, fields)
	}},
	{streams, "data-carries-the-type", "The field event is the type, and data is one JSON object on one line that holds the type too, as type.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"send-message","message":"Hello"}`)
		a.send(`{"type":"typing-start"}`)
		a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"}}`, b.socketID))
		for _, kind := range []string{"new-message", "user-typing", "offer"} {
			t.expect("type, in the data of "+kind, kind, b.next(kind).json["type"])
		}
	}},
	{streams, "silence-brings-heartbeats", "After each heartbeatInterval (10 s) of silence the server sends a heartbeat, which repeats the last id and so never moves the client's position.", func(t *trial) {
		p := t.connect()
		interval := p.interval("heartbeatInterval")
		if interval > t.settings.timeout/3 {
			t.skip("a heartbeat takes %v, and the rule may take %v", interval, t.settings.timeout)
		}
		p.next("heartbeat")
		p.quiet()
		lastID := p.lastID
		began := time.Now()
		t.expect("the id of a heartbeat", lastID, p.next("heartbeat").id)
		if took := time.Since(began); took > interval*3/2+time.Second {
			t.fail("a heartbeat\nexpected: after %v\nseen:     after %v", interval, took)
		}
	}},
	{streams, "a-post-opens-a-stream", "POST /events/stream without a body opens the same stream, for clients that use fetch.", func(t *trial) {
		p := t.meet(t.listen(http.MethodPost, "/events/stream", nil))
		p.quiet()
		p.hangUp()
		again := t.meet(t.listen(http.MethodPost, "/events/stream", map[string]string{"Last-Event-ID": p.lastID}))
		t.expect("resumed", true, again.hello["resumed"])
	}},
	{streams, "a-dropped-stream-is-resumed", "The server resumes that socket: same socket ID, same room, and every event after that sequence, once each and in order.", func(t *trial) {
		a, b := t.pair()
		for i := range 5 {
			a.send(fmt.Sprintf(`{"type":"signal","data":%d}`, i))
		}
		t.expect("a signal", 0, b.next("signal").json["data"])
		b.next("signal")
		b.resume()
		for i := 2; i < 5; i++ {
			t.expect("the next signal after the stream was resumed", i, b.next("signal").json["data"])
		}
		b.quiet()
		a.send(`{"type":"signal","data":"still there"}`)
		b.next("signal")
		a.quiet()
	}},
	{streams, "resuming-works-every-way", "A fetch client sends Authorization: Bearer <token>, with or without Last-Event-ID; a client that can set no header uses ?lastEventId=.", func(t *trial) {
		p := t.connect()
		for _, way := range []struct {
			path    string
			headers map[string]string
		}{
			{"/events", p.bearer("Last-Event-ID", p.lastID)},
			{"/events?lastEventId=" + p.lastID, nil},
			{"/events", p.bearer()},
		} {
			p.hangUp()
			again := t.meet(t.listen(http.MethodGet, way.path, way.headers))
			t.expect("resumed", true, again.hello["resumed"])
			t.expect("the socket ID", p.socketID, again.socketID)
			p.stream = again.stream
		}
	}},
	{streams, "resuming-works-from-the-start", "Resuming works before any event was received, and any number of times.", func(t *trial) {
		p := t.connect()
		for range 10 {
			p.resume()
		}
		p.quiet()
	}},
	{streams, "an-unusable-position-gives-a-new-socket", "An id that is malformed, unknown or expired gives a new socket (resumed: false), never an error.", func(t *trial) {
		for _, id := range []string{"7", ".", "AAAAAAAAAAAAAAAAAAAAAA.0", "AAAAAAAAAAAAAAAAAAAAAA.-1", "AAAAAAAAAAAAAAAAAAAAAA.99999999999999999999", "\"><script>", strings.Repeat("x", 2000)} {
			p := t.meet(t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": id}))
			t.expect("resumed, with the id "+shortened(id), false, p.hello["resumed"])
		}
	}},
	{streams, "a-gap-ends-the-old-socket", "A socket that cannot be resumed without a gap ends at once, so that it does not stay in its room.", func(t *trial) {
		a, b := t.pair()
		b.hangUp()
		ahead := t.meet(t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": b.token + ".4000000"}))
		t.expect("resumed, with a sequence that was never sent", false, ahead.hello["resumed"])
		t.expect("the socket that is gone", b.socketID, a.gone().json["socketId"])
	}},
	{streams, "a-second-stream-takes-over", "A second stream of the same socket takes over, and the first ends at once.", func(t *trial) {
		p := t.connect()
		first := &peer{t: t, stream: p.stream}
		p.stream = t.listen(http.MethodGet, "/events", p.bearer("Last-Event-ID", p.lastID))
		p.next("connected")
		t.expect("the reason for which the first stream ends", "replaced", first.next("disconnected").json["reason"])
		first.ended()
		p.quiet()
	}},
}

func (p *peer) interval(member string) time.Duration {
	ms, _ := p.hello[member].(float64)
	return time.Duration(ms) * time.Millisecond
}
