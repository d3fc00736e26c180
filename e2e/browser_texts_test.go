package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// textsScript has what the tests of this file share: a socket, and its next event of a type.
const textsScript = `
	const { io } = await import("/client.js");
	const socket = io();
	const next = (type) => new Promise((resolve) => socket.once(type, resolve));
	await next("connect");
	const failures = [];
	const expect = (what, want, got) => want === got || failures.push(JSON.stringify([what, want, got]));
`

// Whatever can be joined can be operated on by fetch, as a page for operators does. In a
// path, browsers would take "." and ".." for steps.
func TestOperatorsReachEachRoomFromABrowser(t *testing.T) {
	takesTurns(t)
	p := openDashboard(t, startServer(t, noLimits...))
	require.Empty(t, evaluate[[]string](p, `(async () => {`+textsScript+`
		const names = [".", "..", "...", "-", "a/b", "/", "//", "a%2Fb", "%2e%2E", "..%2f", "a\\b", "..\\..", "?x=1#y", "#", ";a=b", "a;b", "+", "%", "&id=x",
			" ends with a space ", "ünï cödé", "e\u0301", "*", ":", "@", "http://a/", "lock", "😀".repeat(128), "\u2066+49\u2069", "half \ud83d"];
		for (const name of names) {
			const joined = next("room-joined");
			await socket.emitWithAck("join-room", name, "Ada");
			const { roomId } = await joined;
			expect("join", name.toWellFormed(), roomId);
			const query = new URLSearchParams({ id: roomId });
			const ask = async (method, path, status, body) => {
				const response = await fetch("/rooms/-" + path + "?" + query, { method, body, headers: body ? { "Content-Type": "application/json" } : {} });
				expect(method + path + " of " + roomId, status, response.status);
				return status === 200 ? response.json() : undefined;
			};
			expect("look", roomId, (await ask("GET", "", 200)).roomId);
			await ask("POST", "/lock", 204);
			expect("locked", true, (await ask("GET", "", 200)).locked);
			await ask("DELETE", "/lock", 204);
			const announced = next("announcement");
			await ask("POST", "/events", 202, '{"type":"announcement","data":1}');
			expect("announcement", roomId, (await announced).roomId);
			if (roomId !== "." && roomId !== "..") {
				const response = await fetch("/rooms/" + encodeURIComponent(roomId));
				expect("path", roomId, (await response.json()).roomId);
			}
			const left = next("room-left");
			await ask("DELETE", "", 204);
			expect("closed", "room closed", (await left).reason);
		}
		await socket.emitWithAck("join-room", "..", "Ada");
		return failures;
	})()`))
	p.write("#room-search", "..")
	p.until("listing the room", `document.querySelector('#room-list [data-field="roomId"]')?.textContent === ".."`)
}

// The server reads half an emoji as browsers do. Null means that something is absent.
func TestTextsArriveAsABrowserReadsThem(t *testing.T) {
	takesTurns(t)
	p := openDashboard(t, startServer(t, noLimits...))
	require.Empty(t, evaluate[[]string](p, `(async () => {`+textsScript+`
		for (const join of [["texts", "Ada", null], ["texts", "Ada", { metadata: null, accessToken: null, requestId: null }], [{ roomId: "texts", userId: "Ada", metadata: null }]]) {
			const joined = next("room-joined");
			await socket.emitWithAck("join-room", ...join);
			const { users, requestId } = await joined;
			expect("metadata", false, "metadata" in users[0]);
			expect("requestId", undefined, requestId);
		}
		for (const text of ["\ud83d", "\ude00", "😀", "\ud83d😀", "😀\ude00", "\ude00\ud83d", "a\ud83db\ude00", "\ud83d\\ude00", "\\\ud83d\"", "\udbff\udfff\udbff", "\ufffd"]) {
			const [pong, message] = [next("pong"), next("new-message")];
			const answers = await Promise.all([socket.emitWithAck("ping"), socket.emitWithAck("send-message", text)]); // one batch
			expect("statuses", "202 202", answers.map(({ status }) => status).join(" "));
			await pong;
			expect("text", text.toWellFormed(), (await message).message);
		}
		return failures;
	})()`))
}

// A name that the server lets in does not turn the words around it, if a page isolates it.
func TestNamesDoNotTurnTheWordsAroundThem(t *testing.T) {
	takesTurns(t)
	p := openFailingTab(t, "the dashboard", startServer(t, noLimits...)+"/dashboard/")
	require.Empty(t, evaluate[[]string](p, `(async () => {`+textsScript+`
		const paragraph = document.body.appendChild(document.createElement("p"));
		paragraph.style.whiteSpace = "nowrap";
		const place = (from, to) => {
			const range = document.createRange();
			range.setStart(paragraph.firstChild, from);
			range.setEnd(paragraph.firstChild, to);
			return range.getBoundingClientRect();
		};
		const isPlain = (name) => {
			paragraph.textContent = "one \u2068" + name + "\u2069 two 34";
			const length = paragraph.textContent.length;
			return place(0, 3).right < place(length - 6, length - 3).left && place(length - 6, length - 3).right < place(length - 2, length).left;
		};
		for (const name of ["\u2066+49 30 1234\u2069", "אדה\u200f", "\u200fBob\u200f", "\u061c١٢٣", "\u2067\u2068אדה\u2069 \u2066Bob\u2069\u2069", "אדה (1)", "\u2067(\u2069"]) {
			const answer = await socket.emitWithAck("join-room", "room", name);
			expect("joined as " + name, 202, answer.status);
			expect("plain: " + name, true, isPlain(name));
		}
		for (const name of ["\u202eBob", "\u202b\u05d0Bob", "\u2069\u202eBob", "Bob\u2069\u2067\u05d0", "\u2067Bob"]) {
			const { errors } = await socket.emitWithAck("join-room", "room", name).catch((problem) => problem);
			expect("refused: " + name, "name", errors?.[0].rule);
		}
		expect("an override shows", false, isPlain("\u2069\u202eBob"));
		return failures;
	})()`))
}

// The server may read a room's ID in another way than the person has written it.
func TestTheDemoJoinsRoomsOfEachName(t *testing.T) {
	takesTurns(t)
	p := openTab(t, "the demo", startServer(t, noLimits...)+"/demo/")
	p.until("ready", `document.querySelector("#status").dataset.state === "open"`)
	for room, shown := range map[string]string{
		`half \ud83d`: `half \ufffd`, `..`: `..`, `\u2066+49\u2069`: `\u2066+49\u2069`, `a/b?c#d&e`: `a/b?c#d&e`,
	} {
		evaluate[any](p, `{ document.querySelector("#room").value = "`+room+`"; document.querySelector("#name").value = "\u2068Ada\u2069 \ud83d"; }`)
		p.click("#join")
		p.until("in the room "+room, `document.querySelector("#room-name").checkVisibility() && document.querySelector("#room-name").textContent === "`+shown+`"`)
		p.until("a member", memberOf("\u2068Ada\u2069 \ufffd"))
		require.True(t, evaluate[bool](p, `new URLSearchParams(location.search).get("room") === "`+shown+`"`), room)
		p.click("#leave")
		p.until("out of the room", `!document.querySelector("#room-name").checkVisibility()`)
	}
}
