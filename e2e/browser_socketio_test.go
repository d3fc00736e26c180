package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// socketIOPage is a page that was written for the earlier server, which used Socket.IO.
// Only the address of its script has changed.
const socketIOPage = `<!doctype html>
<title>A page of before</title>
<ul id="users"></ul>
<pre id="chat"></pre>
<script src="/io.js"></script>
<script>
	const name = new URLSearchParams(location.search).get("name");
	const room = "before";
	const users = new Map();
	const log = [];
	let latency;

	const socket = io({ transports: ["websocket", "polling"], upgrade: true, withCredentials: true });

	function show() {
		document.getElementById("users").textContent = [...users.values()].sort().join(", ");
	}
	socket.on("connect", function () {
		log.push("connect");
		socket.emit("join-room", room, name);
	});
	socket.on("connect_error", function (error) { log.push("connect_error " + error.message); });
	socket.on("disconnect", function (reason) { log.push("disconnect " + reason); users.clear(); show(); });
	socket.on("error", function (error) { log.push("error " + error.message); });
	socket.io.on("reconnect_attempt", function (attempt) { log.push("reconnect_attempt " + attempt); });

	socket.on("room-joined", function (data) {
		users.clear();
		data.users.forEach(function (user) { users.set(user.socketId, user.userId); });
		show();
	});
	socket.on("user-connected", function (data) { users.set(data.socketId, data.userId); show(); });
	socket.on("user-disconnected", function (data) { users.delete(data.socketId); show(); });
	socket.on("new-message", function (data) { document.getElementById("chat").textContent += data.userId + ": " + data.message + "\n"; });
	socket.on("user-typing", function (data) { log.push("typing " + data.isTyping); });

	const signals = [];
	socket.on("offer", function (data) {
		signals.push(data.offer.sdp);
		socket.emit("answer", { target: data.from, answer: { type: "answer", sdp: "v=0 answer" } });
	});
	socket.on("answer", function (data) { signals.push(data.answer.sdp); });
	socket.on("ice-candidate", function (data) { signals.push(data.candidate.candidate); });

	function measure() {
		const begin = Date.now();
		socket.once("pong", function (data) { latency = Date.now() - begin; if (!data.timestamp) log.push("no timestamp"); });
		socket.emit("ping");
	}
	function call() {
		const target = [...users.keys()].find(function (id) { return id !== socket.id; });
		socket.emit("offer", { target: target, offer: { type: "offer", sdp: "v=0 offer" } });
		socket.emit("ice-candidate", { target: target, candidate: { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 } });
	}
	function leave() {
		socket.disconnect();
		socket.connect();
	}
</script>`

func TestAPageWrittenForSocketIOWorksUnchanged(t *testing.T) {
	inEachBrowser(t, aPageWrittenForSocketIOWorksUnchanged)
}

func aPageWrittenForSocketIOWorksUnchanged(t *testing.T, e engine) {
	url := servePage(t, startServer(t), socketIOPage)
	ada := openTabIn(e, t, "Ada", url+"/page.html?name=Ada")
	bob := openTab(t, "Bob", url+"/page.html?name=Bob")
	both := []*tab{ada, bob}
	for _, p := range both {
		p.until("listing both", `document.getElementById("users").textContent === "Ada, Bob"`)
	}

	evaluate[any](ada, `void socket.emit("send-message", { message: "Hello" })`)
	for _, p := range both {
		p.until("reading it", `document.getElementById("chat").textContent === "Ada: Hello\n"`)
	}
	evaluate[any](ada, `void socket.emit("typing-start").emit("typing-stop")`)
	bob.until("told of the typing", `log.slice(-2).join() === "typing true,typing false"`)
	evaluate[any](ada, `measure()`)
	ada.until("told the latency", `latency >= 0 && latency < 30_000`)
	evaluate[any](ada, `call()`)
	bob.until("called", `signals.join() === "v=0 offer,candidate:1"`)
	ada.until("answered", `signals.join() === "v=0 answer"`)

	// Each form of acknowledgement.
	ada.until("acknowledged", `new Promise((resolve) => socket.emit("typing-start", ({ status }) => resolve(status === 202)))`)
	ada.until("acknowledged in time", `new Promise((resolve) => socket.timeout(5000).emit("typing-stop", (error) => resolve(error === null)))`)
	require.Equal(t, "operation has timed out", evaluate[string](ada,
		`new Promise((resolve) => io({ autoConnect: false }).timeout(10).emit("ping", (error) => resolve(error.message)))`))

	// Bob sees Ada go and come back as any other member.
	before := evaluate[string](ada, `socket.id`)
	evaluate[any](ada, `leave()`)
	bob.until("without Ada's old socket", `!users.has("`+before+`") && users.size === 2`)
	ada.until("listing both again", `document.getElementById("users").textContent === "Ada, Bob"`)
	require.Equal(t, []string{"connect", "disconnect io client disconnect", "connect"}, evaluate[[]string](ada, `log`))

	ada.expectFailedRequests()
	evaluate[any](ada, `void socket.emit("offer", { target: "nobody", offer: { type: "offer", sdp: "v=0" } })`)
	ada.until("told of the mistake", `log.at(-1).startsWith("error ")`)
	require.Contains(t, evaluate[string](ada, `log.at(-1)`), "socket ID")
	require.Contains(t, evaluate[string](ada, `(() => { try { socket.emit("disconnect"); } catch (error) { return error.message; } })()`), "reserved")

	evaluate[any](bob, `void socket.disconnect()`)
	ada.until("alone", `document.getElementById("users").textContent === "Ada"`)
	require.True(t, evaluate[bool](bob, `socket.disconnected && !socket.active && socket.id === undefined`))
}
