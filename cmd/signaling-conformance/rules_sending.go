package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const unknownSocket = "AAAAAAAAAAAAAAAAAAAAAA"

var sendingRules = []rule{
	{sending, "accepted-is-202", "The answer is 202 Accepted with the body {} once the event is accepted.", func(t *trial) {
		p := t.connect()
		p.send(`{"type":"ping"}`)
		p.next("pong")
	}},
	{sending, "unknown-members-are-refused-by-name", "An event with a member that the table does not list is refused, and the problem names the member; in offer, answer and ice-candidate the member is relayed instead.", func(t *trial) {
		p := t.connect()
		a := p.refused(http.StatusUnprocessableEntity, "validation-failed", `{"type":"ping","extra":1}`)
		if !strings.Contains(a.text, `"extra"`) {
			t.fail("an unknown member\nexpected: its name in errors\nseen:     %s", a.text)
		}
	}},
	{sending, "payloads-are-relayed-as-written", "Payloads are relayed as they were written: numbers, escapes, order and repeated members included.", func(t *trial) {
		a, b := t.pair()
		for _, data := range []string{`1.50e+02`, `"\u0041\/\ud83d\ude00"`, `{"z":1,"a":2,"z":3}`, `12345678901234567890123`, `[[],{},null,true,"  "]`, `-0.0`} {
			a.send(fmt.Sprintf(`{"type":"signal","data":%s}`, data))
			if f := b.next("signal"); !strings.Contains(f.data, `"data":`+data) {
				t.fail("signal\nexpected: %s\nseen:     %s", data, f.data)
			}
		}
	}},
	{sending, "half-a-pair-is-replaced", `In any string, the escape of half a surrogate pair, such as \ud83d, counts as \ufffd and is relayed so.`, func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"signal","data":{"\ud83d":["\ud83d\ud83d\ude00","\uDE00"]}}`)
		const data = `"data":{"\ufffd":["\ufffd\ud83d\ude00","\ufffd"]}`
		if f := b.next("signal"); !strings.Contains(f.data, data) {
			t.fail("signal\nexpected: %s\nseen:     %s", data, f.data)
		}
		a.batch(`{"events":[{"type":"signal","data":1},{"type":"send-message","message":"\ud83d"}]}`)
		t.expect("data", 1, b.next("signal").json["data"])
		t.expect("message", "\ufffd", b.next("new-message").json["message"])
	}},
	{sending, "from-cannot-be-forged", "from is set by the server, and a from that the sender wrote in an offer, answer or ice-candidate is dropped.", func(t *trial) {
		a, b := t.pair()
		a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"from":%q}`, b.socketID, unknownSocket))
		f := b.next("offer")
		t.expect("from", a.socketID, f.json["from"])
		t.expect("how often from is there", 1, strings.Count(f.data, `"from"`))
	}},
	{sending, "batches-are-answered-one-by-one", `A batch is handled in its order and answered 200 {"results": […]}, one result for each event: {"status": 202} or a problem, and one bad event stops no other.`, func(t *trial) {
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
				t.fail("a batch of no events, or of far too many\nexpected: 422 or 413\nseen:     %s", shortened(refused.String()))
			}
		}
	}},
	{sending, "a-repeated-key-does-nothing-again", "A request that repeats a key is answered as the first request was, and does nothing again; with another body it is answered 422 validation-failed.", func(t *trial) {
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
	{sending, "a-post-may-confirm", "A POST with Last-Event-ID confirms everything up to that id, so a stream or poll from before it gets a new socket.", func(t *trial) {
		p := t.connect()
		p.quiet()
		before := p.lastID
		for _, post := range []func(confirmed string) answer{
			func(confirmed string) answer { return p.post(`{"type":"ping"}`, "Last-Event-ID", confirmed) },
			func(confirmed string) answer {
				return p.batch(`{"events":[{"type":"ping"}]}`, "Last-Event-ID", confirmed)
			},
		} {
			p.quiet()
			confirmed := p.lastID
			if a := post(confirmed); a.status != http.StatusAccepted && a.status != http.StatusOK {
				t.fail("a POST that confirms\nexpected: 202 or 200\nseen:     %s", shortened(a.String()))
			}
			p.next("pong")
			early := t.meet(t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": before}))
			t.expect("resumed, from before what was confirmed", false, early.hello["resumed"])
			p.lastID = confirmed
			p.resume()
			p.next("pong")
			before = confirmed
		}
	}},
	{sending, "a-wrong-confirmation-does-no-harm", "A Last-Event-ID that is malformed, of another token or from the future confirms nothing, and the POST is answered as without it.", func(t *trial) {
		p, other := t.connect(), t.connect()
		beginning, othersBeginning := p.lastID, other.lastID
		other.quiet()
		for _, wrong := range []string{"nonsense", p.token, p.token + ".-1", p.token + ".01", p.token + ".9007199254740991", other.lastID, unknownSocket + ".1"} {
			t.expect("the status of a POST with a wrong Last-Event-ID", http.StatusAccepted, p.post(`{"type":"ping"}`, "Last-Event-ID", wrong).status)
			p.next("pong")
		}
		p.lastID, other.lastID = beginning, othersBeginning
		for _, each := range []*peer{p, other} {
			each.resume()
			each.next("pong")
		}
	}},
	{sending, "a-page-that-unloads-may-send-a-beacon", `navigator.sendBeacon("/events", …) works as well: the JSON of one event as text/plain, with a further member token in place of the header.`, func(t *trial) {
		a, b := t.pair()
		answer := t.ask(http.MethodPost, "/events", map[string]string{"Content-Type": "text/plain;charset=UTF-8"}, fmt.Sprintf(`{"type":"disconnect","token":%q}`, b.token))
		t.expect("the status", http.StatusAccepted, answer.status)
		t.expect("the reason", "client disconnect", a.next("user-disconnected").json["reason"])
	}},
}

var clientEventRules = []rule{
	{clientEvents, "signals-reach-only-their-target", "An offer, answer or ice-candidate reaches its target and nobody else, as its sender wrote it, with from added.", func(t *trial) {
		a, b := t.pair()
		c := t.connect()
		a.send(fmt.Sprintf(`{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"callId":{"a":[1]}}`, b.socketID))
		f := b.next("offer")
		t.expect("from, and the further member callId", fmt.Sprint(a.socketID, map[string]any{"a": []any{1}}), fmt.Sprint(f.json["from"], f.json["callId"]))
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
	{clientEvents, "signal-goes-to-one-or-all-others", "A signal goes to its target or, without one, to everyone else in the room.", func(t *trial) {
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
	{clientEvents, "a-client-that-falls-silent-is-missed", "Once a socket has sent a heartbeat, its stream or poll ends after heartbeatInterval + 8 s without a request of its client, and the resume window begins.", func(t *trial) {
		silent, alive := t.connect(), t.connect()
		patience := silent.patience()
		silent.send(`{"type":"heartbeat"}`)
		alive.send(`{"type":"heartbeat"}`)
		began := time.Now()
		for isOpen := true; isOpen; {
			var f frame
			select {
			case f, isOpen = <-silent.stream.frames:
				if isOpen {
					t.expect("what a client that falls silent receives", "heartbeat", f.event)
				}
			case f, stays := <-alive.stream.frames:
				t.expect("the stream of a client that answers each heartbeat, open", true, stays)
				t.expect("what a client that answers each heartbeat receives", "heartbeat", f.event)
				alive.send(`{"type":"heartbeat"}`)
			case <-time.After(2 * patience):
				t.fail("the stream of a client that falls silent\nexpected: its end after %v\nseen:     nothing", patience)
			}
		}
		if took := time.Since(began); took < patience-time.Second || took > patience+2*time.Second {
			t.fail("the stream of a client that falls silent\nexpected: its end after %v\nseen:     its end after %v", patience, took)
		}
		silent.resume()
		alive.quiet()
	}},
	{clientEvents, "without-heartbeats-nobody-is-judged", "A socket that has never sent a heartbeat is not judged by it, however long it says nothing.", func(t *trial) {
		p := t.connect()
		wait := time.After(p.patience() + 2*time.Second)
		for {
			select {
			case f, isOpen := <-p.stream.frames:
				t.expect("a stream whose client says nothing, open", true, isOpen)
				t.expect("what a client that says nothing receives", "heartbeat", f.event)
				continue
			case <-wait:
			}
			break
		}
		p.quiet()
	}},
	{clientEvents, "a-busy-stream-asks-too", "A stream that is busy brings a heartbeat too, when the server has heard nothing of a client that sends heartbeats for heartbeatInterval.", func(t *trial) {
		a, b := t.pair()
		interval := a.interval("heartbeatInterval")
		if interval > t.settings.timeout/3 {
			t.skip("a heartbeat takes %v, and the rule may take %v", interval, t.settings.timeout)
		}
		a.send(`{"type":"heartbeat"}`)
		for began := time.Now(); ; {
			b.send(`{"type":"signal","data":1}`)
			took := time.Since(began)
			for f := a.next("signal", "heartbeat"); f.event == "heartbeat"; f = a.next("signal", "heartbeat") {
				if took >= interval/2 { // an earlier one is what the stream begins with
					return
				}
			}
			if took > interval*3/2+time.Second {
				t.fail("a busy stream\nexpected: a heartbeat after %v\nseen:     none after %v", interval, took)
			}
			select {
			case <-time.After(interval / 4):
			case <-t.ctx.Done():
			}
		}
	}},
	{clientEvents, "disconnect-ends-at-once", "disconnect ends the socket at once, and its token and ids are not valid afterwards.", func(t *trial) {
		a, b := t.pair()
		b.send(`{"type":"disconnect"}`)
		t.expect("the reason", "client disconnect", a.next("user-disconnected").json["reason"])
		b.ended()
		b.refused(http.StatusUnauthorized, "unknown-session", `{"type":"ping"}`)
		again := t.meet(t.listen(http.MethodGet, "/events", map[string]string{"Last-Event-ID": b.lastID}))
		t.expect("resumed", false, again.hello["resumed"])
	}},
	{clientEvents, "null-is-absent", "null for an optional member of an event means that the member is absent, also for the others.", func(t *trial) {
		a, b := t.connect(), t.connect()
		room := t.room()
		a.join(room, "Ada")
		b.send(fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":"Bob","metadata":null,"accessToken":null,"requestId":null}`, room))
		joined, arrived := b.next("room-joined"), a.next("user-connected")
		b.send(`{"type":"signal","target":null,"data":null}`)
		signal := a.next("signal")
		b.send(`{"type":"leave-room","requestId":null}`)
		left := b.next("room-left")
		for _, f := range []frame{joined, arrived, signal, left} {
			for _, name := range []string{"metadata", "requestId", "target"} {
				if _, has := f.json[name]; has {
					t.fail("%s\nexpected: no %s\nseen:     %s", f.event, name, f.data)
				}
			}
		}
	}},
}

// patience returns after which silence the server misses a client that sends heartbeats.
func (p *peer) patience() time.Duration {
	patience := p.interval("heartbeatInterval") + 8*time.Second
	if patience > p.t.settings.timeout/2 {
		p.t.skip("the server waits for %v, and the rule may take %v", patience, p.t.settings.timeout)
	}
	return patience
}
