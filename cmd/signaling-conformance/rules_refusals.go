package main

import (
	"fmt"
	"net/http"
	"strings"
)

var problemRules = []rule{
	{problems, "malformed-json", "400 malformed-json", func(t *trial) {
		p := t.connect()
		for _, body := range []string{``, `{`, `nonsense`, "{\"type\":\"signal\",\"data\":\"\xff\"}", strings.Repeat("[", 5000), `{"type":"ping"} {}`} {
			p.refused(http.StatusBadRequest, "malformed-json", body)
		}
		p.quiet()
	}},
	{problems, "unknown-session", "401 unknown-session: no token, a bad one, or one whose socket has ended", func(t *trial) {
		for _, header := range []string{"", "Bearer", "Bearer " + unknownSocket, "Basic " + unknownSocket, "Bearer x y"} {
			headers := map[string]string{"Content-Type": "application/json"}
			if header != "" {
				headers["Authorization"] = header
			}
			t.expectProblem(fmt.Sprintf("Authorization: %q", header), http.StatusUnauthorized, "unknown-session", t.ask(http.MethodPost, "/events", headers, `{"type":"ping"}`))
		}
	}},
	{problems, "not-found", "404 not-found", func(t *trial) {
		for _, path := range []string{"/nothing", "/events/nothing", "/rooms/" + t.room() + "/x/y"} {
			t.expectProblem("GET "+path, http.StatusNotFound, "not-found", t.ask(http.MethodGet, path, nil, ""))
		}
	}},
	{problems, "method-not-allowed", "405 method-not-allowed, with Allow", func(t *trial) {
		for path, method := range map[string]string{"/events": http.MethodPut, "/events/batch": http.MethodGet, "/health": http.MethodDelete} {
			a := t.ask(method, path, nil, "")
			t.expectProblem(method+" "+path, http.StatusMethodNotAllowed, "method-not-allowed", a)
			if a.header.Get("Allow") == "" || strings.Contains(a.header.Get("Allow"), method) {
				t.fail("%s %s\nexpected: Allow, with other methods\nseen:     %q", method, path, a.header.Get("Allow"))
			}
		}
	}},
	{problems, "not-in-room", "409 not-in-room", func(t *trial) {
		p := t.connect()
		for _, body := range []string{`{"type":"send-message","message":"x"}`, `{"type":"leave-room"}`, `{"type":"signal","data":1}`, `{"type":"typing-start"}`} {
			p.refused(http.StatusConflict, "not-in-room", body)
		}
	}},
	{problems, "payload-too-large", "413 payload-too-large", func(t *trial) {
		p := t.connect()
		p.refused(http.StatusRequestEntityTooLarge, "payload-too-large", `{"type":"signal","data":"`+strings.Repeat("x", 8<<20)+`"}`)
	}},
	{problems, "unsupported-media-type", "415 unsupported-media-type", func(t *trial) {
		p := t.connect()
		for _, kind := range []string{"application/xml", "application/x-www-form-urlencoded", "multipart/form-data"} {
			t.expectProblem("Content-Type: "+kind, http.StatusUnsupportedMediaType, "unsupported-media-type", p.post(`{"type":"ping"}`, "Content-Type", kind))
		}
	}},
	{problems, "validation-failed-names-each-field", "for a validation problem errors: [{field, rule, message}]", func(t *trial) {
		p := t.connect()
		for body, field := range map[string]string{
			`{"type":"join-room","userId":"u"}`:                            "roomId",
			`{"type":"join-room","roomId":"","userId":"u"}`:                "roomId",
			`{"type":"join-room","roomId":"r","userId":7}`:                 "userId",
			`{"type":"join-room","roomId":"r","userId":"u","metadata":[]}`: "metadata",
			`{"type":"nonsense"}`:                                          "type",
			`{}`:                                                           "type",
			`{"type":"offer","target":"x","offer":{"type":"answer","sdp":"v=0"}}`:           "offer.type",
			`{"type":"answer","target":"x","answer":{"type":"answer"}}`:                     "answer.sdp",
			`{"type":"ice-candidate","target":"x","candidate":7}`:                           "candidate",
			`{"type":"send-message","message":"   "}`:                                       "message",
			`{"type":"send-message","message":"` + strings.Repeat("x", 4097) + `"}`:         "message",
			`{"type":"join-room","roomId":"` + strings.Repeat("x", 129) + `","userId":"u"}`: "roomId",
		} {
			a := p.refused(http.StatusUnprocessableEntity, "validation-failed", body)
			errors, _ := a.json["errors"].([]any)
			named := false
			for _, each := range errors {
				members, _ := each.(map[string]any)
				named = named || members["field"] == field && members["rule"] != nil && members["message"] != nil
			}
			if !named {
				t.fail("POST /events %s\nexpected: an error for the field %s\nseen:     %s", shortened(body), field, a.text)
			}
		}
	}},
	{problems, "problems-explain-themselves", "type (a stable relative URI such as /problems/target-not-found, which the server answers with a human's explanation)", func(t *trial) {
		a := t.ask(http.MethodGet, "/problems/target-not-found", map[string]string{"Accept": "text/html"}, "")
		t.expect("the status", http.StatusOK, a.status)
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.fail("GET /problems/target-not-found\nexpected: a page\nseen:     %s", a.header.Get("Content-Type"))
		}
	}},
}

var pollingRules = []rule{
	{polling, "a-poll-opens-a-socket", "Without a token it opens a socket: the first of the events is connected, which holds the token.", func(t *trial) {
		p := &peer{t: t}
		t.open(p)
		p.send(`{"type":"ping"}`)
		found, _ := p.polled("?after=0&wait=10")
		t.expect("the next event", "pong", found[0]["type"])
	}},
	{polling, "an-empty-poll-has-no-events", "as soon as there is an event, or with none when wait seconds have passed", func(t *trial) {
		p := &peer{t: t}
		id := t.open(p)
		found, lastID := p.polled("?wait=1&after=" + sequence(id))
		t.expect("events, and lastEventId", fmt.Sprint(0, id), fmt.Sprint(len(found), lastID))
	}},
	{polling, "a-poll-asks-for-what-comes-after", "asking for what comes after it also says that all before has arrived", func(t *trial) {
		p := &peer{t: t}
		t.open(p)
		for range 3 {
			p.send(`{"type":"ping"}`)
		}
		first, _ := p.polled("?after=0&wait=0")
		again, lastID := p.polled("?after=0&wait=0")
		t.expect("what is asked for again comes again", len(first), len(again))
		none, _ := p.polled("?wait=0&after=" + sequence(lastID))
		t.expect("events behind the last", 0, len(none))
	}},
	{polling, "stream-and-poll-are-one-queue", "It is the same socket, queue, order and guarantee as the stream: a client may change from one to the other at any moment.", func(t *trial) {
		a, b := t.pair()
		var seen []any
		count := 0
		sendSome := func() {
			for range 3 {
				a.send(fmt.Sprintf(`{"type":"signal","data":%d}`, count))
				count++
			}
		}
		for range 4 {
			sendSome()
			b.hangUp()
			found, lastID := b.polled("?wait=10&after=" + sequence(b.lastID))
			for _, each := range found {
				seen = append(seen, each["data"])
			}
			b.lastID = lastID
			b.resume()
			sendSome()
			for len(seen) < count {
				seen = append(seen, b.next("signal").json["data"])
			}
		}
		var want []any
		for i := range count {
			want = append(want, i)
		}
		t.expect("what arrived by streams and polls in turn", want, seen)
	}},
	{polling, "wrong-polls-are-refused", "422 validation-failed", func(t *trial) {
		for _, query := range []string{"?wait=soon", "?wait=-1", "?after=x", "?after=-1"} {
			t.expectProblem("GET /events/poll"+query, http.StatusUnprocessableEntity, "validation-failed", t.ask(http.MethodGet, "/events/poll"+query, nil, ""))
		}
	}},
}

// open opens the peer's socket by a poll.
func (t *trial) open(p *peer) (lastID string) {
	found, lastID := p.polled("")
	if len(found) == 0 || found[0]["type"] != "connected" {
		t.fail("GET /events/poll\nexpected: connected\nseen:     %v", found)
	}
	p.token, _ = found[0]["token"].(string)
	p.socketID, _ = found[0]["socketId"].(string)
	t.peers = append(t.peers, p)
	t.expect("lastEventId", p.token+".0", lastID)
	return lastID
}

// shape is which members an answer of monitoring has.
func shape(path string, members ...string) func(*trial) {
	return func(t *trial) {
		headers := map[string]string{}
		if t.settings.adminToken != "" {
			headers["Authorization"] = "Bearer " + t.settings.adminToken
		}
		a := t.ask(http.MethodGet, path, headers, "")
		if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
			t.skip("it is for operators: give their token by -admin-token")
		}
		t.expect("the status of GET "+path, http.StatusOK, a.status)
		for _, member := range members {
			var value any = a.json
			for name := range strings.SplitSeq(member, ".") {
				object, _ := value.(map[string]any)
				value = object[name]
			}
			if value == nil {
				t.fail("GET %s\nexpected: the member %s\nseen:     %s", path, member, shortened(a.text))
			}
		}
	}
}

var monitoringRules = []rule{
	{watching, "root", "/: service, version, message, port, environment, features[], endpoints{}", shape("/", "service", "version", "message", "port", "environment", "features", "endpoints")},
	{watching, "health", "/health: service, status, timestamp, uptime (s), version, environment, port, memory{used, total}, connections{active,total}, rooms{active,total}",
		shape("/health", "service", "status", "timestamp", "uptime", "version", "environment", "port", "memory.used", "memory.total", "connections.active", "connections.total", "rooms.active", "rooms.total")},
	{watching, "rooms", "/rooms: totalRooms, rooms", shape("/rooms", "totalRooms", "rooms")},
	{watching, "connections", "/connections: totalConnections, connections", shape("/connections", "totalConnections", "connections")},
	{watching, "stats", "/stats: totalConnections, activeConnections, totalRooms, activeRooms, startTime (ms), uptime (ms), uptimeFormatted, averageUsersPerRoom",
		shape("/stats", "totalConnections", "activeConnections", "totalRooms", "activeRooms", "startTime", "uptime", "uptimeFormatted", "averageUsersPerRoom")},
	{watching, "livez-and-readyz", "Also /livez, /readyz", func(t *trial) {
		shape("/livez")(t)
		shape("/readyz")(t)
	}},
	{watching, "openapi", "/openapi.yaml, /openapi.json", func(t *trial) {
		shape("/openapi.json", "openapi", "info.version", "paths", "components.schemas.ServerEvent")(t)
		shape("/openapi.yaml")(t)
	}},
	{watching, "no-token-is-told", "Tokens never appear in a monitoring answer.", func(t *trial) {
		a, b := t.pair()
		for _, path := range []string{"/", "/health", "/rooms", "/connections", "/stats", "/metrics"} {
			headers := map[string]string{}
			if t.settings.adminToken != "" {
				headers["Authorization"] = "Bearer " + t.settings.adminToken
			}
			answer := t.ask(http.MethodGet, path, headers, "")
			for _, p := range []*peer{a, b} {
				if strings.Contains(answer.text, p.token) {
					t.fail("GET %s\nexpected: no session token\nseen:     one", path)
				}
			}
		}
	}},
}
