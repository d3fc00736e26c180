package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// joiningPage joins and leaves in any order.
const joiningPage = `<!doctype html>
<title>Joining and leaving</title>
<link rel="icon" href="data:,">
<script type="module">
	import { io } from "/client.js";
	import { joinRoom } from "/peers.js";
	window.warnings = [];
	const { warn } = console;
	console.warn = (text) => warn(text, warnings.push(text));
	const connected = (socket) => new Promise((resolve) => socket.once("connect", resolve));
	Object.assign(window, {
		io, joinRoom,
		// Runs a scenario with a socket of its own. Returns what it says, and in which rooms the
		// server has the socket then.
		run: async (scenario) => {
			const socket = io();
			await connected(socket);
			const { id } = socket;
			const said = await scenario(socket);
			const rooms = await roomsOf(id);
			socket.disconnect();
			return said + ", in: " + rooms;
		},
		roomsOf: async (id) => {
			const { rooms } = await (await fetch("/rooms")).json();
			return rooms.filter(({ userList }) => userList.some(({ socketId }) => socketId === id)).map(({ roomId }) => roomId).join(" ");
		},
		// What became of a join: the members of the room, or why it failed.
		outcome: (joining) => joining.then(({ roomId, members }) => roomId + " with " + members.size, (error) => error.name + " " + (error.status ?? "")),
		ended: (room) => new Promise((resolve) => room.on("end", resolve)),
	});
	window.ready = true;
</script>`

// Whatever the order of joins and leaves, each settles, the last one wins, and the server
// and the page agree on it.
func TestAnyOrderOfJoinsAndLeavesSettles(t *testing.T) {
	takesTurns(t)
	server := startServer(t, append([]string{"MAX_ROOM_MEMBERS=2"}, noLimits...)...)
	for range 2 {
		connect(t, server).join("full", "somebody")
	}
	page := openFailingTab(t, "page", servePage(t, server, joiningPage)+"/page.html")
	page.until("ready", `window.ready`)
	as := `{ userId: "u", connect: false }`
	for _, c := range []struct{ what, scenario, want string }{
		{"leave, join again", `const room = await joinRoom(s, "a", U); room.leave(); return outcome(joinRoom(s, "a", U))`, "a with 1, in: a"},
		{"leave, join, leave", `const room = await joinRoom(s, "a", U); room.leave(); const again = await joinRoom(s, "a", U);
			const end = ended(again); again.leave(); again.leave(); return (await end) + " " + await outcome(joinRoom(s, "b", U))`, "left b with 1, in: b"},
		{"leave at once, join, as React's StrictMode does", `const stop = new AbortController(); const first = outcome(joinRoom(s, "a", { ...U, signal: stop.signal })); stop.abort();
			return await first + "/ " + await outcome(joinRoom(s, "a", U))`, "AbortError / a with 1, in: a"},
		{"many times", `const outcomes = []; for (let n = 0; n < 10; n++) { const stop = new AbortController();
			outcomes.push(outcome(joinRoom(s, "ab"[n % 2], { ...U, signal: stop.signal }))); if (n < 9) stop.abort(); if (n % 3 === 0) await 0; }
			return (await Promise.all(outcomes)).at(-1)`, "b with 1, in: b"},
		{"join twice", `const first = await outcome(joinRoom(s, "a", U)); return first + "/ " + await outcome(joinRoom(s, "a", U))`, "a with 1/ a with 1, in: a"},
		{"join the same room twice at once", `return (await Promise.all([outcome(joinRoom(s, "a", U)), outcome(joinRoom(s, "a", U))])).join("/ ")`, "AbortError / a with 1, in: a"},
		{"join another room at once", `return (await Promise.all([outcome(joinRoom(s, "a", U)), outcome(joinRoom(s, "b", U))])).join("/ ")`, "AbortError / b with 1, in: b"},
		{"join as somebody else at once", `return (await Promise.all([outcome(joinRoom(s, "a", U)), outcome(joinRoom(s, "a", { ...U, userId: "v" }))])).join("/ ")`, "AbortError / a with 1, in: a"},
		{"join another room later", `const room = await joinRoom(s, "a", U); const end = ended(room); const next = outcome(joinRoom(s, "b", U));
			return await end + " " + await next`, "replaced b with 1, in: b"},
		{"abort before the answer", `const stop = new AbortController(); const joining = outcome(joinRoom(s, "a", { ...U, signal: stop.signal })); stop.abort();
			await s.emitWithAck("ping"); return joining`, "AbortError , in: "},
		{"abort before joining", `return outcome(joinRoom(s, "a", { ...U, signal: AbortSignal.abort() }))`, "AbortError , in: "},
		{"abort after the answer", `const stop = new AbortController(); const room = await joinRoom(s, "a", { ...U, signal: stop.signal }); const end = ended(room);
			stop.abort(); await s.emitWithAck("ping"); return end`, "left, in: "},
		{"refused", `return outcome(joinRoom(s, "full", U))`, "Problem 409, in: "},
		{"refused after a leave", `(await joinRoom(s, "a", U)).leave(); return outcome(joinRoom(s, "full", U))`, "Problem 409, in: "},
		{"refused in place of another room", `const room = await joinRoom(s, "a", U); const end = ended(room); const next = await outcome(joinRoom(s, "full", U));
			await s.emitWithAck("ping"); return await end + " " + next`, "replaced Problem 409, in: "},
		{"refused, and joined elsewhere at once", `const next = outcome(joinRoom(s, "full", U)); return await outcome(joinRoom(s, "b", U)) + "/ " + await next`, "b with 1/ AbortError , in: b"},
		{"not valid", `return outcome(joinRoom(s, "", U))`, "Problem 422, in: "},
		{"a number", `const { roomId, userId } = await joinRoom(s, 101, { ...U, userId: 7 }); return JSON.stringify([roomId, userId])`, `["101","7"], in: 101`},
		{"metadata that is not JSON", `return outcome(joinRoom(s, "a", { ...U, metadata: { id: 1n } }))`, "TypeError , in: "},
		{"metadata that is not JSON, in place of another room", `await joinRoom(s, "a", U); const next = await outcome(joinRoom(s, "b", { ...U, metadata: { id: 1n } }));
			await s.emitWithAck("ping"); return next`, "TypeError , in: "},
		{"disconnect before the answer", `const joining = outcome(joinRoom(s, "a", U)); s.disconnect(); return joining`, "AbortError , in: "},
		{"disconnect, connect, join", `const first = outcome(joinRoom(s, "a", U)); s.disconnect(); await first; s.connect(); return await outcome(joinRoom(s, "b", U))  + " " + await roomsOf(s.id)`, "b with 1 b, in: "},
		{"the app leaves by itself", `const room = await joinRoom(s, "a", U); const end = ended(room); s.emit("leave-room"); return end`, "left, in: "},
		{"the app leaves by itself, and joins", `const room = await joinRoom(s, "a", U); s.emit("leave-room"); return outcome(joinRoom(s, "a", U))`, "a with 1, in: a"},
		{"the app joins another room by itself", `const room = await joinRoom(s, "a", U); const end = ended(room); s.emit("join-room", "b", "u"); return end`, "left, in: b"},
		{"the app joins the same room by itself", `const room = await joinRoom(s, "a", U); s.emit("join-room", "a", "v");
			await new Promise((resolve) => s.once("room-joined", resolve)); return [...room.members.values()].map(({ userId }) => userId)`, "v, in: a"},
		{"no server at the address, with a bound of attempts", `return outcome(joinRoom(io("http://127.0.0.1:1", { reconnectionAttempts: 1, reconnectionDelay: 10 }), "a", U))`, "Error , in: "},
		{"no server at the address, with a limit of time", `const wrong = io("http://127.0.0.1:1"); const said = await outcome(joinRoom(wrong, "a", { ...U, signal: AbortSignal.timeout(300) })); wrong.disconnect(); return said`, "TimeoutError , in: "},
	} {
		got := evaluate[string](page, fmt.Sprintf(`(async () => { const U = %s; return Promise.race([run(async (s) => { %s }), new Promise((resolve) => setTimeout(resolve, 15000, "it hangs"))]); })()`, as, c.scenario))
		require.Equal(t, c.want, got, c.what)
	}
	page.until("told why the joins waited", `warnings.every((text) => text.startsWith("joinRoom waits for the server: ")) && warnings.length === 2`)
	page.forgive("exception") // these warnings
}

// A join that is under way when the session is lost is made again in the next session. A
// room that may not be joined again ends, and says why.
func TestJoinsSurviveLostSessions(t *testing.T) {
	takesTurns(t)
	server := startServer(t, append([]string{"MAX_ROOM_MEMBERS=1", "RESUME_WINDOW=1s"}, noLimits...)...)
	network := startProxy(t, server)
	ada := openFailingTab(t, "Ada", servePage(t, network.url, joiningPage)+"/page.html")
	ada.until("ready", `window.ready`)
	evaluate[any](ada, `(window.socket = io(), null)`)
	ada.until("connected", `socket.connected`)

	network.goDown()
	evaluate[any](ada, `(window.joined = joinRoom(socket, "a", { userId: "Ada" }).then((room) => Object.assign(window, { room })), null)`)
	ada.until("without a session", `socket.disconnected`)
	network.comeBack()
	ada.until("in the room", `window.room?.members.has(socket.id) && (await roomsOf(socket.id)) === "a"`)

	evaluate[any](ada, `(room.on("end", (reason, problem) => Object.assign(window, { reason, problem })), null)`)
	network.goDown()
	ada.until("without a session again", `socket.disconnected`)
	bob := connect(t, server)
	require.Eventually(t, func() bool {
		return bob.send(bounded(t), fields{"type": "join-room", "roomId": "a", "userId": "Bob"}) == nil
	}, within, 100*time.Millisecond)
	network.comeBack()
	ada.until("refused", `window.reason === "refused" && problem.status === 409`)
	require.Equal(t, "0", evaluate[string](ada, `String(room.members.size)`))
	ada.forgive("exception") // the page says that the join waits for the server
}

// An operator's deeds end a room, and the page hears why.
func TestARoomSaysWhyItEnded(t *testing.T) {
	takesTurns(t)
	server := startServer(t, "ADMIN_TOKEN=the-token-of-the-operator")
	page := openTab(t, "page", servePage(t, server, joiningPage)+"/page.html")
	page.until("ready", `window.ready`)
	evaluate[any](page, `(async () => { window.socket = io(); window.room = await joinRoom(socket, "a", { userId: "u" }); room.on("end", (reason) => { window.reason = reason; }); })()`)
	request, err := http.NewRequestWithContext(bounded(t), http.MethodDelete, server+"/rooms/a", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer the-token-of-the-operator")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	page.until("told", `window.reason === "room closed"`)
}
