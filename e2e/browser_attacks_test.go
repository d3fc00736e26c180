package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Attacks on browsers, and attacks by browsers. Each test is one attack. SECURITY.md
// lists them.

// payloads would run in a page that takes text for markup. The last two would run in a
// page that opens an address, or fills in a template, without a check.
var payloads = []string{
	`<img src=x onerror="window.pwned=1">`,
	`<details open ontoggle="window.pwned=1">x</details>`,
	`"><script>window.pwned=1</script>`,
	`<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
	`javascript:window.pwned=1`,
	`{{constructor.constructor("window.pwned=1")()}}`,
}

// isUnharmed makes sure that no text that the page received has become markup.
// It is not enough that nothing ran: the policy would have stopped that, and the policy
// is the second line of defence.
func (p *tab) isUnharmed(shown string) {
	p.t.Helper()
	p.until("showing what it was given", fmt.Sprintf(`document.body.textContent.includes(%q)`, shown))
	require.Zero(p.t, evaluate[int](p, `document.querySelectorAll('img[src="x"], details[ontoggle], iframe, [onerror], a[href^="javascript:"]').length`))
	require.False(p.t, evaluate[bool](p, `"pwned" in window`))
}

// The payloads are real attacks: a page that takes them for markup runs them.
func TestThePayloadsRunWhereTheyCan(t *testing.T) {
	takesTurns(t)
	p := openTab(t, "a careless page", serveElsewhere(t, blankPage))
	p.expectFailedRequests() // for the picture x
	for _, payload := range payloads[:2] {
		encoded, err := json.Marshal(payload)
		require.NoError(t, err)
		p.until("overrun by "+payload, fmt.Sprintf(`{ if (!window.tried) { window.tried = true; document.body.innerHTML = %s; } return "pwned" in window; }`, encoded))
		evaluate[any](p, `delete window.pwned, delete window.tried, null`)
	}
}

// The demo shows the names, chat and descriptions of a member to all others.
func TestAttackScriptsThroughNamesChatAndSDPInTheDemo(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "ward", "Ada", withoutCamera)
	for _, payload := range payloads {
		eve := connect(t, url)
		require.NoError(t, eve.send(bounded(t), fields{"type": "join-room", "roomId": "ward", "userId": payload, "metadata": fields{"displayName": payload, payload: payload}}))
		require.NoError(t, eve.send(bounded(t), fields{"type": "send-message", "message": payload}))
		require.NoError(t, eve.send(bounded(t), fields{"type": "typing-start"}))
		require.NoError(t, eve.send(bounded(t), fields{"type": "signal", "data": fields{"name": payload, "html": payload}}))
		ada.isUnharmed(payload)
	}
	eve := connect(t, url)
	eve.join("ward", "Eve")
	for _, description := range []string{payloads[0], "v=0\r\ns=" + payloads[0] + "\r\n"} {
		require.NoError(t, eve.send(bounded(t), fields{"type": "offer", "target": ada.socketID, "offer": fields{"type": "offer", "sdp": description}}))
	}
	require.NoError(t, eve.send(bounded(t), fields{"type": "ice-candidate", "target": ada.socketID, "candidate": fields{"candidate": payloads[0], "sdpMid": payloads[1]}}))
	eve.join("ward", "the last")
	ada.isUnharmed("the last")
	ada.forgive("Content Security Policy") // the browser may complain of such descriptions
}

// People send each other links that contain a room or a name.
func TestAttackScriptsThroughTheDemosAddress(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	for _, payload := range payloads {
		p := openTab(t, "a victim of a link", url+"/demo/?room="+escaped(payload)+"&name="+escaped(payload))
		p.until("filled in", fmt.Sprintf(`document.querySelector("#room").value === %q`, payload))
		require.False(t, evaluate[bool](p, `"pwned" in window`))
	}
}

func escaped(text string) string {
	return strings.NewReplacer(`<`, "%3C", `>`, "%3E", `"`, "%22", " ", "%20", "=", "%3D", "{", "%7B", "}", "%7D").Replace(text)
}

// The dashboard shows operators what strangers call themselves and their programs. A
// script that runs there has the operators' token.
func TestAttackScriptsThroughNamesAndProgramsInTheDashboard(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	for _, payload := range payloads {
		eve := connectBy(t, named(payload), url)
		require.NoError(t, eve.send(bounded(t), fields{"type": "join-room", "roomId": payload, "userId": payload}))
	}
	p := openDashboard(t, url)
	for _, payload := range payloads {
		p.isUnharmed(payload)
	}
	p.until("showing the members", `{
		for (const row of document.querySelectorAll('#room-list [aria-expanded="false"]')) row.click();
		return document.querySelectorAll("#room-list .members:not([hidden])").length >= 6;
	}`)
	p.write("#room-search", payloads[0])
	p.until("finding one", `document.querySelectorAll("#room-list tbody").length === 1`)
	p.isUnharmed(payloads[0])
}

// named is a way to the server for a program of this name.
type named string

// RoundTrip implements http.RoundTripper.
func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", string(n))
	return http.DefaultTransport.RoundTrip(r)
}

// A hostile page sends requests to a server that its visitor's browser can reach, as
// that visitor: forms, beacons, and requests for which a browser asks no permission.
// The server has no cookies, so these requests bear no token. If an operation needs no
// token, the server must not obey them either.
func TestAttackFromAHostilePage(t *testing.T) {
	takesTurns(t)
	for name, settings := range map[string][]string{
		"a developer's server, open to all": nil,
		"one for pages of some origins":     {"CORS_ORIGIN=https://app.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			url := startServer(t, settings...)
			victim := connect(t, url)
			victim.join("ward", "Ada")
			p := openTab(t, "a hostile page", serveElsewhere(t, blankPage))
			defer p.forgive("") // the page's console is full of refusals
			evaluate[any](p, fmt.Sprintf(`(async () => {
				const url = %q, tries = [];
				const send = (path, options) => tries.push(fetch(url + path, options).catch(() => null));
				for (const mode of ["cors", "no-cors"]) {
					send("/rooms/ward/lock", { method: "POST", mode });
					send("/rooms/ward/events", { method: "POST", mode, body: '{"type":"announcement","data":"evil"}', headers: { "Content-Type": "text/plain" } });
					send("/events/batch", { method: "POST", mode, body: '{"events":[]}' });
				}
				send("/rooms/ward", { method: "DELETE" });
				send("/connections/%s", { method: "DELETE" });
				send("/rooms/ward/events", { method: "POST", body: '{"type":"announcement","data":"evil"}', headers: { "Content-Type": "application/json" } });
				navigator.sendBeacon(url + "/rooms/ward/lock");
				navigator.sendBeacon(url + "/events", JSON.stringify({ type: "disconnect", token: "%s" }));
				for (const path of ["/rooms/ward/lock", "/rooms/ward/events", "/events"]) {
					const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: "f" + Math.random() }));
					const form = document.body.appendChild(Object.assign(document.createElement("form"), { method: "post", action: url + path, target: frame.name, enctype: "text/plain" }));
					form.append(Object.assign(document.createElement("input"), { name: '{"type":"announcement","data":"', value: '"}' }));
					form.submit();
				}
				await Promise.all(tries);
				return null;
			})()`, url, victim.id(), victim.id()))

			bob := connect(t, url)
			bob.join("ward", "Bob") // the room is not locked, and the victim hears nothing before this
			victim.await("user-connected", &struct{}{})
			for _, path := range []string{"/connections", "/rooms", "/rooms/ward", "/stats", "/metrics"} {
				require.Equal(t, "nothing", evaluate[string](p, fmt.Sprintf(`fetch(%q).then((answer) => answer.ok ? answer.text() : "nothing", () => "nothing")`, url+path)), path)
			}
		})
	}
}

// Data of others becomes objects of the page. A member "__proto__" in them must not
// become the prototype of all objects, through the client or through what the client
// hands on.
func TestAttackPollutingPrototypesThroughTheClient(t *testing.T) {
	takesTurns(t)
	server := startServer(t)
	url := servePage(t, server, `<!doctype html><title>x</title><link rel="icon" href="data:,"><script type="module">
		import { io } from "/client.js";
		import { joinRoom } from "/peers.js";
		window.heard = [];
		window.socket = io();
		for (const type of ["signal", "user-connected", "new-message", "offer", "ice-candidate"]) socket.on(type, (...args) => heard.push([type, ...args]));
		window.room = await joinRoom(socket, "ward", { userId: "Ada", connect: false });
	</script>`)
	ada := openTab(t, "Ada", url+"/page.html")
	ada.until("in the room", `window.room?.members.size`)
	eve := connect(t, server)
	poison := json.RawMessage(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`)
	target := evaluate[string](ada, `socket.id`)
	for _, event := range []fields{
		{"type": "join-room", "roomId": "ward", "userId": "__proto__", "metadata": poison},
		{"type": "signal", "data": poison},
		{"type": "signal", "target": target, "data": poison},
		{"type": "send-message", "message": "__proto__"},
		{"type": "ice-candidate", "target": target, "candidate": fields{"candidate": "", "sdpMid": "__proto__"}, "__proto__": poison, "constructor": poison},
		{"type": "offer", "target": target, "offer": fields{"type": "offer", "sdp": "__proto__"}, "__proto__": poison, "callback": poison},
	} {
		require.NoError(t, eve.send(bounded(t), event))
	}
	ada.until("hearing all of it", `["user-connected", "signal", "new-message", "ice-candidate", "offer"].every((type) => heard.some(([one]) => one === type))`)
	require.True(t, evaluate[bool](ada, `({}).polluted === undefined && [].polluted === undefined && socket.polluted === undefined && room.polluted === undefined`))
	require.True(t, evaluate[bool](ada, `heard.every(([, ...args]) => args.every((arg) => arg?.polluted === undefined))`))
	ada.forgive("Content Security Policy") // the browser complains of such an offer
}
