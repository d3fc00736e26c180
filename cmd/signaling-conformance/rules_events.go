package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const unknownSocket = "AAAAAAAAAAAAAAAAAAAAAA"

var eventRules = []rule{
	{events, "data-tells-the-type", "The SSE event: field is the type, and data is one JSON object on one line that carries it too, as type.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"send-message","message":"Hello"}`)
		a.send(`{"type":"typing-start"}`)
		a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"}}`, b.socketID))
		for _, kind := range []string{"new-message", "user-typing", "offer"} {
			t.expect("type, in the data of "+kind, kind, b.next(kind).json["type"])
		}
	}},
	{events, "room-joined-holds-everyone", "users holds everyone in the room, the joiner included, in order of joining.", func(t *trial) {
		room := t.room()
		var names []string
		for i := range 5 {
			names = append(names, fmt.Sprintf("user-%d", i))
			users := t.connect().join(room, names[i])
			var seen []string
			for _, each := range users {
				seen = append(seen, fmt.Sprint(each.(map[string]any)["userId"]))
			}
			t.expect("users", names, seen)
		}
	}},
	{events, "earlier-and-later-find-each-other-once", "Of any two members of a room, the earlier receives user-connected for the later exactly once, and the later finds the earlier in its users exactly once; never neither, never both.", concurrentJoins},
	{events, "metadata-travels", "user-connected: userId, socketId, metadata?, timestamp.", func(t *trial) {
		room := t.room()
		a, b := t.connect(), t.connect()
		a.join(room, "Ada")
		b.send(fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":"Bob","metadata":{"color":{"r":1}}}`, room))
		b.next("room-joined")
		f := a.next("user-connected")
		t.expect("metadata", map[string]any{"color": map[string]any{"r": 1}}, f.json["metadata"])
		t.expect("userId and socketId", "Bob "+b.socketID, fmt.Sprint(f.json["userId"], " ", f.json["socketId"]))
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(f.json["timestamp"])); err != nil {
			t.fail("timestamp\nexpected: RFC 3339 with milliseconds in UTC\nseen:     %v", f.json["timestamp"])
		}
	}},
	{events, "leaving-is-told", "room-left: you are out of the room; reason is left (your leave-room). user-disconnected: to the others.", func(t *trial) {
		a, b := t.pair()
		b.send(`{"type":"leave-room"}`)
		t.expect("the reason of room-left", "left", b.next("room-left").json["reason"])
		t.expect("the reason of user-disconnected", "left", a.next("user-disconnected").json["reason"])
	}},
	{events, "away-and-back-are-told", "user-away, user-back: a member has had no stream or poll for 3 s (a setting) and may still resume; it has resumed.", func(t *trial) {
		a, b := t.pair()
		if b.interval("resumeWindow") < 4*time.Second {
			t.skip("the resume window is %v, so sockets are gone before they are away", b.interval("resumeWindow"))
		}
		b.hangUp()
		t.expect("who is away", b.socketID, a.next("user-away").json["socketId"])
		b.resume()
		t.expect("who is back", b.socketID, a.next("user-back").json["socketId"])
		b.quiet()
	}},
	{events, "rosters-say-who-is-away", "room-joined: users: [{userId, socketId, metadata?, away?}]; away is true or absent.", func(t *trial) {
		room := t.room()
		a, b, joiner := t.connect(), t.connect(), t.connect()
		a.join(room, "Ada")
		b.join(room, "Bob")
		a.next("user-connected")
		if b.interval("resumeWindow") < 4*time.Second {
			t.skip("the resume window is %v, so sockets are gone before they are away", b.interval("resumeWindow"))
		}
		b.hangUp()
		a.next("user-away")
		away := make(map[any]any)
		for _, user := range joiner.join(room, "Cyd") {
			member, _ := user.(map[string]any)
			away[member["socketId"]] = member["away"]
		}
		t.expect("whether the one that is away is", true, away[b.socketID])
		t.expect("whether the one that is there is", nil, away[a.socketID])
		joiner.quiet() // no event tells it again
	}},
	{events, "ping-has-a-pong", "pong: timestamp (milliseconds since the epoch).", func(t *trial) {
		p := t.connect()
		p.send(`{"type":"ping"}`)
		ms, _ := p.next("pong").json["timestamp"].(float64)
		if off := time.Since(time.UnixMilli(int64(ms))).Abs(); off > 24*time.Hour {
			t.fail("pong\nexpected: the time in milliseconds\nseen:     %v", ms)
		}
	}},
	{events, "typing-is-told-to-others", "user-typing: userId, socketId, isTyping.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"typing-start"}`)
		t.expect("isTyping", true, b.next("user-typing").json["isTyping"])
		a.send(`{"type":"typing-stop"}`)
		f := b.next("user-typing")
		t.expect("isTyping, and who", fmt.Sprint(false, a.socketID, "Ada"), fmt.Sprint(f.json["isTyping"], f.json["socketId"], f.json["userId"]))
		a.quiet()
	}},
	{events, "chat-is-for-everyone", "new-message: id, roomId, userId, socketId, message, timestamp: to everyone in the room, the sender included.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"send-message","message":"  Hello \n"}`)
		mine, theirs := a.next("new-message"), b.next("new-message")
		t.expect("message, trimmed", "Hello", theirs.json["message"])
		t.expect("what both see", mine.data, theirs.data)
	}},
}

// concurrentJoins has peers come into one room at the same time.
func concurrentJoins(t *trial) {
	const count = 12
	room := t.room()
	peers := make([]*peer, count)
	for i := range peers {
		peers[i] = t.connect()
	}
	var joining sync.WaitGroup
	for i, p := range peers {
		joining.Go(func() { // what it fails to do is seen below
			_, _ = t.do(http.MethodPost, "/events", p.bearer("Content-Type", "application/json"), fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":"user-%d"}`, room, i))
		})
	}
	joining.Wait()
	// Everybody sees one order, so all that a peer will hear is there once it has
	// heard of every other.
	type pair struct{ earlier, later string }
	told, found := make(map[pair]int), make(map[pair]int)
	for _, p := range peers {
		p.send(`{"type":"ping"}`)
		for over := false; !over; {
			switch f := p.next("room-joined", "user-connected", "pong"); f.event {
			case "user-connected":
				told[pair{p.socketID, fmt.Sprint(f.json["socketId"])}]++
			case "room-joined":
				users, _ := f.json["users"].([]any)
				for _, each := range users {
					if other := fmt.Sprint(each.(map[string]any)["socketId"]); other != p.socketID {
						found[pair{other, p.socketID}]++
					}
				}
			case "pong":
				over = true
			}
		}
	}
	for i, one := range peers {
		for _, other := range peers[i+1:] {
			forth, back := pair{one.socketID, other.socketID}, pair{other.socketID, one.socketID}
			if !(told[forth] == 1 && found[forth] == 1 && told[back] == 0 && found[back] == 0) &&
				!(told[back] == 1 && found[back] == 1 && told[forth] == 0 && found[forth] == 0) {
				t.fail("two of %d peers that joined at once\nexpected: one is told of the other once, who finds it once\nseen:     told %d and %d times, found %d and %d times",
					count, told[forth], told[back], found[forth], found[back])
			}
		}
	}
}

var sendingRules = []rule{
	{sending, "accepted-is-202", "Answer: 202 Accepted with no body once the event is accepted.", func(t *trial) {
		p := t.connect()
		p.send(`{"type":"ping"}`)
		p.next("pong")
	}},
	{sending, "signals-reach-their-target-alone", "offer, answer: what the sender posted, with from set by the server.", func(t *trial) {
		a, b := t.pair()
		c := t.connect()
		a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"callId":{"a":[1]}}`, b.socketID))
		f := b.next("offer")
		t.expect("from, and what travels along", fmt.Sprint(a.socketID, map[string]any{"a": []any{1}}), fmt.Sprint(f.json["from"], f.json["callId"]))
		for _, kind := range []string{"pranswer", "answer"} {
			b.send(fmt.Sprintf(`{"type":"answer","target":%q,"answer":{"type":%q,"sdp":"v=0"}}`, a.socketID, kind))
			t.expect("the answer's type", kind, a.next("answer").json["answer"].(map[string]any)["type"])
		}
		for _, candidate := range []string{`{"candidate":"candidate:1","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"x"}`, `null`, `{}`} {
			a.send(fmt.Sprintf(`{"type":"ice-candidate","target":%q,"candidate":%s}`, b.socketID, candidate))
			if f := b.next("ice-candidate"); !strings.Contains(f.data, `"candidate":`+candidate) {
				t.fail("ice-candidate\nexpected: %s\nseen:     %s", candidate, f.data)
			}
		}
		a.quiet()
		c.quiet()
	}},
	{sending, "payloads-are-relayed-as-written", "The payload objects are relayed as they were written (numbers, escapes, order and repeated members included).", func(t *trial) {
		a, b := t.pair()
		for _, data := range []string{`1.50e+02`, `"\u0041\/\ud83d\ude00"`, `{"z":1,"a":2,"z":3}`, `12345678901234567890123`, `[[],{},null,true,"  "]`, `-0.0`} {
			a.send(fmt.Sprintf(`{"type":"signal","data":%s}`, data))
			if f := b.next("signal"); !strings.Contains(f.data, `"data":`+data) {
				t.fail("signal\nexpected: %s\nseen:     %s", data, f.data)
			}
		}
	}},
	{sending, "from-cannot-be-forged", "with from set by the server", func(t *trial) {
		a, b := t.pair()
		a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"from":%q}`, b.socketID, unknownSocket))
		f := b.next("offer")
		t.expect("from", a.socketID, f.json["from"])
		t.expect("how many times it stands there", 1, strings.Count(f.data, `"from"`))
	}},
	{sending, "signal-goes-to-one-or-all-others", "signal: any JSON. Without target, to everyone else in the room.", func(t *trial) {
		room := t.room()
		a, b, c := t.connect(), t.connect(), t.connect()
		for i, p := range []*peer{a, b, c} {
			p.join(room, fmt.Sprint("user-", i))
		}
		a.next("user-connected")
		a.next("user-connected")
		b.next("user-connected")
		a.send(`{"type":"signal","data":1}`)
		a.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":2}`, c.socketID))
		t.expect("data", 1, b.next("signal").json["data"])
		t.expect("data", 1, c.next("signal").json["data"])
		t.expect("data", 2, c.next("signal").json["data"])
		a.quiet()
		b.quiet()
	}},
	{sending, "unknown-members-are-refused-by-name", "Members that the table does not name are refused by name (422), except in offer, answer and ice-candidate.", func(t *trial) {
		p := t.connect()
		a := p.refused(http.StatusUnprocessableEntity, "validation-failed", `{"type":"ping","extra":1}`)
		if !strings.Contains(a.text, `"extra"`) {
			t.fail("an unknown member\nexpected: its name in errors\nseen:     %s", a.text)
		}
	}},
	{sending, "joining-another-room-leaves-the-first", "A socket is in at most one room; joining another leaves the first.", func(t *trial) {
		a, b := t.pair()
		b.join(t.room(), "Bob")
		t.expect("who is gone", b.socketID, a.next("user-disconnected").json["socketId"])
		a.send(`{"type":"signal","data":1}`)
		b.quiet()
	}},
	{sending, "batches-are-answered-one-by-one", `It handles them in order, and answers 200 with {"results": [...]}, one per event: {"status": 202} or a problem. One bad event stops no other.`, func(t *trial) {
		a, b := t.pair()
		answer := a.batch(fmt.Sprintf(`{"events":[{"type":"signal","data":1},{"type":"signal","target":%q,"data":0},{"type":"nonsense"},{"type":"signal","data":2}]}`, unknownSocket))
		results, _ := answer.json["results"].([]any)
		var statuses []any
		for _, each := range results {
			statuses = append(statuses, each.(map[string]any)["status"])
		}
		t.expect("the statuses in "+answer.String(), []any{202, 404, 422, 202}, statuses)
		t.expect("data", 1, b.next("signal").json["data"])
		t.expect("data", 2, b.next("signal").json["data"])
		for _, body := range []string{`{"events":[]}`, `{"events":[` + strings.Repeat(`{"type":"nonsense"},`, 10000) + `{"type":"ping"}]}`, `{}`} {
			if refused := a.batch(body); refused.status != http.StatusUnprocessableEntity && refused.status != http.StatusRequestEntityTooLarge {
				t.fail("a batch of none, or of far too many\nexpected: 422 or 413\nseen:     %s", shortened(refused.String()))
			}
		}
	}},
	{sending, "a-repeated-key-does-nothing-again", "A repeat of a key that this socket used is answered as the first was, and delivers nothing again; with another body it is 422.", func(t *trial) {
		a, b := t.pair()
		const body = `{"type":"signal","data":1}`
		for range 3 {
			t.expect("the status, with one key", http.StatusAccepted, a.post(body, "Idempotency-Key", "one").status)
		}
		t.expectProblem("another body with the same key", http.StatusUnprocessableEntity, "validation-failed", a.post(`{"type":"signal","data":2}`, "Idempotency-Key", "one"))
		const batch = `{"events":[{"type":"signal","data":3},{"type":"nonsense"}]}`
		first := a.batch(batch, "Idempotency-Key", "two")
		t.expect("a repeated batch", first.String(), a.batch(batch, "Idempotency-Key", "two").String())
		t.expect("data", 1, b.next("signal").json["data"])
		t.expect("data", 3, b.next("signal").json["data"])
		b.quiet()
	}},
	{sending, "a-page-that-unloads-may-send-a-beacon", `navigator.sendBeacon("/events", …): Content-Type: text/plain, the JSON of one event with a further member token in place of the header.`, func(t *trial) {
		a, b := t.pair()
		answer := t.ask(http.MethodPost, "/events", map[string]string{"Content-Type": "text/plain;charset=UTF-8"}, fmt.Sprintf(`{"type":"disconnect","token":%q}`, b.token))
		t.expect("the status", http.StatusAccepted, answer.status)
		t.expect("the reason", "client disconnect", a.next("user-disconnected").json["reason"])
	}},
	{sending, "disconnect-ends-at-once", "disconnect ends the socket now, with no resume window.", func(t *trial) {
		a, b := t.pair()
		b.send(`{"type":"disconnect"}`)
		t.expect("the reason", "client disconnect", a.next("user-disconnected").json["reason"])
		b.ended()
		b.refused(http.StatusUnauthorized, "unknown-session", `{"type":"ping"}`)
		again := t.meet(t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": b.lastID}))
		t.expect("resumed", false, again.hello["resumed"])
	}},
	{sending, "members-signal-their-own-room-alone", "A member may signal only other sockets in its own room.", func(t *trial) {
		a, _ := t.pair()
		b, _ := t.pair()
		offer := `{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"}}`
		elsewhere := a.refused(http.StatusNotFound, "target-not-found", fmt.Sprintf(offer, b.socketID))
		nowhere := a.refused(http.StatusNotFound, "target-not-found", fmt.Sprintf(offer, unknownSocket))
		t.expect("a socket elsewhere is answered as one that is not there", nowhere.text, elsewhere.text)
		b.quiet()
	}},
}
