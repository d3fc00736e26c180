package main

import (
	"fmt"
	"net/http"
)

var pollingRules = []rule{
	{polling, "a-poll-opens-a-socket", "A poll without a token opens a socket: the first of its events is connected, which holds the token.", func(t *trial) {
		p := &peer{t: t}
		t.open(p)
		p.send(`{"type":"ping"}`)
		found, _ := p.polled("?after=0&wait=10")
		t.expect("the next event", "pong", found[0]["type"])
	}},
	{polling, "an-empty-poll-has-no-events", "A poll is answered as soon as there is an event, or with none when wait seconds have passed.", func(t *trial) {
		p := &peer{t: t}
		id := t.open(p)
		found, lastID := p.polled("?wait=1&after=" + sequence(id))
		t.expect("events, and lastEventId", fmt.Sprint(0, id), fmt.Sprint(len(found), lastID))
	}},
	{polling, "a-poll-asks-for-what-comes-after", "Asking for what comes after it also says that everything up to it has arrived.", func(t *trial) {
		p := &peer{t: t}
		t.open(p)
		for range 3 {
			p.send(`{"type":"ping"}`)
		}
		first, _ := p.polled("?after=0&wait=0")
		again, lastID := p.polled("?after=0&wait=0")
		t.expect("events, when the same after is asked again", len(first), len(again))
		none, _ := p.polled("?wait=0&after=" + sequence(lastID))
		t.expect("events after the last", 0, len(none))
	}},
	{polling, "stream-and-poll-are-one-queue", "Streams and polls read the same outbox: a client may change between them at any moment, and neither loses nor repeats an event.", func(t *trial) {
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
	{polling, "wrong-polls-are-refused", "A wait or after that is not valid is answered 422 validation-failed.", func(t *trial) {
		for _, query := range []string{"?wait=soon", "?wait=-1", "?after=x", "?after=-1"} {
			t.expectProblem("GET /events/poll"+query, http.StatusUnprocessableEntity, "validation-failed", t.ask(http.MethodGet, "/events/poll"+query, nil, ""))
		}
	}},
}

// open opens the peer's socket by a poll, and returns lastEventId.
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
