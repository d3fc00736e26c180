package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openReleased opens a page twice. Ada's page has the client of version 1.0.0, and Bob's page
// has the client of today.
func openReleased(t *testing.T, page string) (proxy *shapingProxy, ada, bob *tab) {
	t.Helper()
	pages := map[string]string{
		"/page.html":     page,
		"/released.html": strings.NewReplacer(`"/client.js"`, `"/released/client.js"`, `"/peers.js"`, `"/released/peers.js"`).Replace(page),
	}
	for _, name := range []string{"client.js", "peers.js"} {
		script, err := os.ReadFile("testdata/client-1.0.0/" + name)
		require.NoError(t, err)
		pages["/released/"+name] = string(script)
	}
	proxy = startShapingProxy(t, startServer(t, noLimits...), pages)
	// The server refuses signals that meet a member that has just left.
	ada, bob = openFailingTab(t, "Ada", proxy.url+"/released.html"), openFailingTab(t, "Bob", proxy.url+"/page.html")
	for _, p := range []*tab{ada, bob} {
		p.until("ready", `window.ready && socket.connected`)
	}
	require.False(t, evaluate[bool](ada, `"fetchIceServers" in socket`), "Ada's client is that of today")
	return proxy, ada, bob
}

// Clients of version 1.0.0 and of today call each other. Either may be there first, and
// their calls change.
func TestTheReleasedClientAndTodaysCallEachOther(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"Ada", "Bob"} {
		t.Run(first+" is there first", func(t *testing.T) {
			takesTurns(t)
			_, ada, bob := openReleased(t, callsPage)
			order := []*tab{ada, bob}
			if first == "Bob" {
				order = []*tab{bob, ada}
			}
			for _, p := range order {
				evaluate[int](p, `enter("`+p.name+`")`)
			}
			for _, p := range order {
				p.until("connected", connected(1))
			}
			changeInTurns(t, ada, bob)

			evaluate[any](ada, `(room.hangUp(), null)`)
			bob.untilIn(soon, "alone", `room.peers.size === 0`)
			evaluate[any](bob, `(room.call(streams.camera), null)`)
			ada.untilIn(soon, "called again", `shown() === "audio video"`)
			evaluate[any](bob, `(room.hangUp(), null)`)
			ada.untilIn(soon, "alone", `room.peers.size === 0`)
			evaluate[any](ada, `(room.call(streams.camera), null)`)
			bob.untilIn(soon, "called again", `shown() === "audio video"`)
		})
	}
}

// changeInTurns lets each page begin and end its media, and send data. The offers of version
// 1.0.0 grow with each change, until the server refuses them: so there are few changes.
func changeInTurns(t *testing.T, ada, bob *tab) {
	t.Helper()
	for _, c := range []struct{ actor, watcher *tab }{{ada, bob}, {bob, ada}, {ada, bob}} {
		for _, change := range []struct{ name, kinds string }{{"camera", "audio video"}, {"screen", "video"}, {"none", ""}} {
			evaluate[any](c.actor, `(room.setStream(streams.`+change.name+`), null)`)
			c.watcher.untilIn(soon, "seeing "+change.name+" of "+c.actor.name, `shown() === "`+change.kinds+`"`)
		}
		evaluate[any](c.watcher, `(log.length = 0, null)`)
		require.Equal(t, 1, evaluate[int](c.actor, `room.send(new ArrayBuffer(200_000))`))
		c.watcher.untilIn(soon, "hearing "+c.actor.name, `log.some(([type, , data]) => type === "data" && data === 200_000)`)
	}
}

// Both call at the same moment, so their first offers collide.
func TestTheReleasedClientAndTodaysCallAtOnce(t *testing.T) {
	takesTurns(t)
	_, ada, bob := openReleased(t, callsPage)
	for _, p := range []*tab{ada, bob} {
		evaluate[int](p, `enter("`+p.name+`", { connect: false })`)
	}
	for range 5 {
		atOnce(`room.call(streams.camera)`, ada, bob)
		for _, p := range []*tab{ada, bob} {
			p.untilIn(soon, "seeing the other", `shown() === "audio video"`)
		}
		atOnce(`room.hangUp()`, ada, bob)
		for _, p := range []*tab{ada, bob} {
			p.untilIn(soon, "alone", `room.peers.size === 0`)
		}
	}
}

// chatPage shows what others write.
const chatPage = `<!doctype html>
<title>Chat</title>
<link rel="icon" href="data:,">
<script type="module">
	import { io } from "/client.js";
	Object.assign(window, { socket: io(), said: [], left: [], ready: true });
	socket.on("new-message", ({ message }) => said.push(message));
	socket.on("user-disconnected", ({ reason }) => left.push(reason));
</script>`

// A page with the client of version 1.0.0 chats, sends much at once, comes back after a
// dropped stream, polls if streams are held back, and leaves.
func TestTheReleasedClientChatsResumesAndPolls(t *testing.T) {
	takesTurns(t)
	proxy, ada, bob := openReleased(t, chatPage)
	for _, p := range []*tab{ada, bob} {
		evaluate[any](p, `socket.emitWithAck("join-room", { roomId: "chat", userId: "`+p.name+`" }).then(() => null)`)
	}
	evaluate[any](ada, `(Array.from({ length: 20 }, (_, n) => socket.emit("send-message", { message: String(n) })), null)`)
	bob.until("all in order", `said.join() === "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19"`)
	require.NotZero(t, proxy.asked("POST /events/batch"))

	id := evaluate[string](ada, `socket.id`)
	proxy.cut()
	evaluate[any](bob, `(socket.emit("send-message", { message: "while streams were cut" }), null)`)
	ada.until("resumed", `said.at(-1) === "while streams were cut" && socket.connected`)
	require.Equal(t, id, evaluate[string](ada, `socket.id`))

	proxy.become(bufferingAll)
	proxy.cut()
	ada.until("polling", `socket.io.engine.transport.name === "polling" && socket.connected`)
	evaluate[any](bob, `(socket.emit("send-message", { message: "by a poll" }), null)`)
	ada.until("told by a poll", `said.at(-1) === "by a poll"`)

	evaluate[any](ada, `(socket.disconnect(), null)`)
	bob.until("told that Ada left", `left.at(-1) === "client disconnect"`)
}
