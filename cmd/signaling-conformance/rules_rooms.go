package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

var roomRules = []rule{
	{rooms, "joining-another-room-leaves-the-first", "A socket is in at most one room, and joining another leaves the first.", func(t *trial) {
		a, b := t.pair()
		b.join(t.room(), "Bob")
		t.expect("the socket that is gone", b.socketID, a.next("user-disconnected").json["socketId"])
		a.send(`{"type":"signal","data":1}`)
		b.quiet()
	}},
	{rooms, "signals-stay-in-the-room", "A member may signal the other members of its own room, and no other socket; a target elsewhere is answered as if it did not exist.", func(t *trial) {
		a, _ := t.pair()
		b, _ := t.pair()
		offer := `{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"}}`
		elsewhere := a.refused(http.StatusNotFound, "target-not-found", fmt.Sprintf(offer, b.socketID))
		nowhere := a.refused(http.StatusNotFound, "target-not-found", fmt.Sprintf(offer, unknownSocket))
		t.expect("the answer for a socket in another room, compared with that for one that does not exist", nowhere.text, elsewhere.text)
		b.quiet()
	}},
	{rooms, "room-joined-holds-everyone", "users holds everyone in the room in order of joining, the joiner included.", func(t *trial) {
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
	{rooms, "earlier-and-later-find-each-other-once", "Of any two members, the earlier receives user-connected for the later exactly once, and the later finds the earlier in users exactly once, so each learns of the other once.", concurrentJoins},
	{rooms, "leaving-is-reported", "A member that leaves receives room-left, and the others receive user-disconnected, both with the reason left.", func(t *trial) {
		a, b := t.pair()
		b.send(`{"type":"leave-room"}`)
		t.expect("the reason of room-left", "left", b.next("room-left").json["reason"])
		t.expect("the reason of user-disconnected", "left", a.next("user-disconnected").json["reason"])
	}},
	{rooms, "an-answer-bears-its-requests-id", "The requestId of a join-room returns in the room-joined that answers it, and the requestId of a leave-room in its room-left; without one in the request there is none in the answer.", func(t *trial) {
		a, b := t.connect(), t.connect()
		room := t.room()
		b.join(room, "Bob")
		a.batch(fmt.Sprintf(`{"events":[{"type":"join-room","roomId":%[1]q,"userId":"Ada","requestId":"!"},{"type":"leave-room","requestId":"\"~"},`+
			`{"type":"join-room","roomId":%[1]q,"userId":"Ada"},{"type":"leave-room"},{"type":"join-room","roomId":%[1]q,"userId":"Ada","requestId":%[2]q}]}`,
			room, strings.Repeat("x", 64)))
		answered := func(kind string, id any) { t.expect("requestId in "+kind, id, a.next(kind).json["requestId"]) }
		answered("room-joined", "!")
		answered("room-left", `"~`)
		answered("room-joined", nil)
		answered("room-left", nil)
		answered("room-joined", strings.Repeat("x", 64))
		t.expect("requestId in user-connected", nil, b.next("user-connected").json["requestId"])
		for _, id := range []string{`""`, `" "`, `"é"`, `7`, `"` + strings.Repeat("x", 65) + `"`} {
			a.refused(http.StatusUnprocessableEntity, "validation-failed", `{"type":"leave-room","requestId":`+id+`}`)
		}
	}},
	{rooms, "away-and-back-are-reported", "A member that has had neither stream nor poll for 3 s is reported to the others by user-away, and by user-back when it has resumed.", func(t *trial) {
		a, b := t.pair()
		if b.interval("resumeWindow") < 4*time.Second {
			t.skip("the resume window is %v, so sockets are gone before they are away", b.interval("resumeWindow"))
		}
		b.hangUp()
		t.expect("the socket that is away", b.socketID, a.next("user-away").json["socketId"])
		b.resume()
		t.expect("the socket that is back", b.socketID, a.next("user-back").json["socketId"])
		b.quiet()
	}},
	{rooms, "users-show-who-is-away", "A socket that joins finds in users who is away, by away: true, and no event repeats it.", func(t *trial) {
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
		t.expect("away, of the member that is away", true, away[b.socketID])
		t.expect("away, of the member that is there", nil, away[a.socketID])
		joiner.quiet() // no event repeats it
	}},
}

// concurrentJoins lets peers join one room at the same time.
func concurrentJoins(t *trial) {
	const count = 12
	room := t.room()
	peers := make([]*peer, count)
	for i := range peers {
		peers[i] = t.connect()
	}
	var joining sync.WaitGroup
	for i, p := range peers {
		joining.Go(func() { // if a join fails, the checks below notice it
			_, _ = t.do(http.MethodPost, "/events", p.bearer("Content-Type", "application/json"), fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":"user-%d"}`, room, i))
		})
	}
	joining.Wait()
	// All members see one order, and a pong comes after all events that were accepted
	// before the ping. So a peer that has its pong has received the names of all
	// other peers.
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
				t.fail("two of %d peers that joined at once\nexpected: user-connected once for the later, and the earlier once in users\nseen:     user-connected %d and %d times, in users %d and %d times",
					count, told[forth], told[back], found[forth], found[back])
			}
		}
	}
}
