package main

import (
	"fmt"
	"strings"
	"time"
)

var promiseRules = []rule{
	{promises, "accepted-means-delivered-once-and-in-order", "An accepted event reaches the target's client exactly once, in the order in which its sender was answered, across any number of dropped streams within the resume window.", func(t *trial) {
		a, b := t.pair()
		const count = 300
		sent := make(chan string, 1)
		t.background.Go(func() {
			for i := range count {
				answer, err := t.do("POST", "/events", a.bearer("Content-Type", "application/json"), fmt.Sprintf(`{"type":"signal","target":%q,"data":%d}`, b.socketID, i))
				if err != nil || answer.status != 202 {
					sent <- fmt.Sprint("of ", i, ": ", answer, err)
					return
				}
			}
			sent <- ""
		})
		for i := range count {
			if i%25 == 0 {
				b.resume()
			}
			t.expect("the next of 300 signals, while the stream is cut twelve times", i, b.next("signal").json["data"])
		}
		if wrong := <-sent; wrong != "" {
			t.fail("a signal was not accepted: %s", wrong)
		}
		b.quiet()
	}},
	{promises, "nothing-leaves-a-room", "Nothing is delivered to a socket outside the sender's room.", func(t *trial) {
		a, b := t.pair()
		outside, elsewhere := t.connect(), t.connect()
		elsewhere.join(t.room(), "Eve")
		a.send(`{"type":"signal","data":1}`)
		a.send(`{"type":"send-message","message":"Hello"}`)
		a.send(`{"type":"typing-start"}`)
		b.next("signal")
		b.next("new-message")
		b.next("user-typing")
		a.next("new-message")
		outside.quiet()
		elsewhere.quiet()
	}},
	{promises, "a-silent-peer-is-reported", "A peer that goes silently is reported to its room within the resume window plus the time to detect a dead link.", func(t *trial) {
		a, b := t.pair()
		window := b.interval("resumeWindow")
		if window > t.settings.timeout/2 || window > 15*time.Second {
			t.skip("the resume window is %v", window)
		}
		b.hangUp()
		t.expect("the reason", "transport close", a.gone().json["reason"])
	}},
	{promises, "a-disconnect-is-reported-at-once", "A peer that sends disconnect is reported at once.", func(t *trial) {
		a, b := t.pair()
		b.send(`{"type":"disconnect"}`)
		began := time.Now()
		a.next("user-disconnected")
		if took := time.Since(began); took > 2*time.Second {
			t.fail("user-disconnected\nexpected: at once\nseen:     after %v", took)
		}
	}},
	{promises, "no-input-brings-a-server-error", "No input, however malformed, causes a 5xx or harms another socket.", func(t *trial) {
		a, b := t.pair()
		for _, body := range []string{
			`null`, `[]`, `7`, `"x"`, `{"type":null}`, `{"type":{}}`, `{"type":"join-room","roomId":{},"userId":[]}`, `{"type":"offer","target":{},"offer":null}`,
			`{"type":"signal","data":` + nested(90) + `}`, `{"type":"signal","data":` + nested(5000) + `}`, `{"type":"ping","type":"ping"}`, "\x00", "\ufeff{\"type\":\"ping\"}",
			`{"type":"signal","target":"../../etc/passwd","data":1}`, `{"type":"send-message","message":"\ud800"}`,
		} {
			a.post(body)
			a.batch(body)
			a.batch(`{"events":[` + body + `]}`)
		}
		for _, path := range []string{"/events/poll?wait=%00", "/rooms/%2e%2e%2f", "/rooms/%00", "/problems/%ff", "//", "/%2f%2f"} {
			t.ask("GET", path, nil, "")
		}
		b.send(`{"type":"leave-room"}`)
		for {
			if f := b.next("room-left", "signal", "new-message"); f.event == "room-left" {
				return
			}
		}
	}},
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
