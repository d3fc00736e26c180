package main

import (
	"fmt"
	"time"
)

var serverEventRules = []rule{
	{serverEvents, "metadata-travels", "metadata reaches the others as the joiner gave it, in user-connected.", func(t *trial) {
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
	{serverEvents, "ping-has-a-pong", "A ping is answered by a pong, whose timestamp is the server's time in milliseconds since the epoch.", func(t *trial) {
		p := t.connect()
		p.send(`{"type":"ping"}`)
		ms, _ := p.next("pong").json["timestamp"].(float64)
		if off := time.Since(time.UnixMilli(int64(ms))).Abs(); off > 24*time.Hour {
			t.fail("pong\nexpected: the time in milliseconds\nseen:     %v", ms)
		}
	}},
	{serverEvents, "typing-reaches-the-others", "user-typing goes to all members but the member that types.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"typing-start"}`)
		t.expect("isTyping", true, b.next("user-typing").json["isTyping"])
		a.send(`{"type":"typing-stop"}`)
		f := b.next("user-typing")
		t.expect("isTyping, and who", fmt.Sprint(false, a.socketID, "Ada"), fmt.Sprint(f.json["isTyping"], f.json["socketId"], f.json["userId"]))
		a.quiet()
	}},
	{serverEvents, "chat-reaches-everyone", "new-message goes to every member, the sender included, with the same id.", func(t *trial) {
		a, b := t.pair()
		a.send(`{"type":"send-message","message":"  Hello \n"}`)
		mine, theirs := a.next("new-message"), b.next("new-message")
		t.expect("message, trimmed", "Hello", theirs.json["message"])
		t.expect("what both see", mine.data, theirs.data)
	}},
}
