package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// callsPage joins no room by itself. Its functions change the call as a person does.
const callsPage = `<!doctype html>
<title>Calls that last</title>
<link rel="icon" href="data:,">
<script>
	// The server refuses the events of these types, or with the status 202 loses them.
	window.refused = { types: /^$/, status: 0, problem: "" };
	const { fetch: ask } = window;
	window.fetch = (address, init) => {
		const { types, status, problem } = refused;
		const { type, events = [{ type }] } = JSON.parse(init?.body ?? "{}");
		if (!events.some(({ type }) => types.test(type))) return ask(address, init);
		if (status === 202) {
			const kept = JSON.stringify({ events: events.map(() => ({ status })) });
			return Promise.resolve(new Response(kept, { status: /batch/.test(address) ? 200 : 202, headers: { "Content-Type": "application/json" } }));
		}
		const document = JSON.stringify({ type: "/problems/" + problem, title: problem, status, detail: problem });
		return Promise.resolve(new Response(document, { status, headers: { "Content-Type": "application/problem+json" } }));
	};
</script>
<script type="module">
	import { io } from "/client.js";
	import * as peers from "/peers.js";

	const camera = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
	const draw = () => {
		const canvas = document.createElement("canvas");
		const context = canvas.getContext("2d");
		setInterval(() => context.fillRect(Math.random() * 16, 0, 16, 16), 100);
		return canvas.captureStream(10);
	};
	const screen = draw();
	const both = new MediaStream([...camera.getTracks(), ...screen.getTracks()]);
	const voice = new MediaStream(camera.getAudioTracks());
	const other = new MediaStream([...draw().getTracks(), ...camera.getAudioTracks()]);
	Object.assign(window, { io, ...peers, socket: io(), streams: { camera, screen, both, voice, other, none: null }, log: [] });

	window.enter = async (name, options) => {
		window.room = await joinRoom(socket, "calls", { userId: name, ...options });
		room.on("error", (error, peer) => log.push(["error", error.message, peer?.userId]));
		room.on("stream", (srcObject, peer) => {
			log.push(["stream", peer.userId]);
			document.body.append(Object.assign(document.createElement("video"), { srcObject, autoplay: true, muted: true }));
		});
		room.on("leave", (peer, reason) => log.push(["leave", peer.userId, reason]));
		room.on("data", (data, peer) => log.push(["data", peer.userId, typeof data === "string" ? data : data.byteLength]));
		return room.members.size;
	};
	// What a page that shows video by track.muted shows of the only peer, such as "audio video".
	window.peer = () => [...room.peers.values()][0];
	window.shown = () => (peer()?.stream?.getTracks() ?? []).filter((track) => !track.muted && track.readyState === "live")
		.map((track) => track.kind).sort().join(" ");
	window.at = (time, act) => new Promise((resolve) => setTimeout(() => resolve(act()), time - Date.now()));
	window.frames = async () => [...(await peer().connection.getStats()).values()]
		.filter(({ type, kind }) => type === "inbound-rtp" && kind === "video").reduce((sum, { framesDecoded = 0 }) => sum + framesDecoded, 0);
	window.offerBytes = () => peer().connection.localDescription.sdp.length;
	window.collisions = 0;
	socket.on("offer", () => collisions += peer()?.connection.signalingState === "have-local-offer");
	window.ready = true;
</script>`

// soon is how long a change of a call may take on a busy machine.
const soon = 30 * time.Second

func openCalls(t *testing.T, url, name string) *tab {
	t.Helper()
	return openCallsIn(chromium, t, url, name)
}

func openCallsIn(e engine, t *testing.T, url, name string) *tab {
	t.Helper()
	p := openTabIn(e, t, name, url+"/page.html")
	p.until("ready", `window.ready && socket.connected`)
	return p
}

// withEachBrowser runs a test in which Ada calls Bob, who has another browser than she has, or
// the same.
func withEachBrowser(t *testing.T, test func(t *testing.T, ada, bob *tab)) {
	t.Parallel()
	for _, e := range []engine{chromium, firefox} {
		t.Run(e.name(), func(t *testing.T) {
			takesTurns(t)
			ada, bob := inCallWith(e, t, servePage(t, startServer(t, noLimits...), callsPage))
			test(t, ada, bob)
		})
	}
}

// inCallWith opens two pages, which are connected by data channel.
func inCallWith(e engine, t *testing.T, url string) (ada, bob *tab) {
	t.Helper()
	ada, bob = openCalls(t, url, "Ada"), openCallsIn(e, t, url, "Bob")
	for _, p := range []*tab{ada, bob} {
		evaluate[int](p, `enter("`+p.name+`")`)
	}
	for _, p := range []*tab{ada, bob} {
		p.until("connected", connected(1))
	}
	return ada, bob
}

// atOnce does something in several pages at the same moment.
func atOnce(act string, tabs ...*tab) {
	moment := time.Now().Add(100 * time.Millisecond).UnixMilli()
	for _, p := range tabs {
		evaluate[any](p, fmt.Sprintf(`void at(%d, () => %s)`, moment, act))
	}
}

// A call may change its media all day: descriptions do not grow, and both sides see what
// the other sends.
func TestACallChangesItsMediaAllDay(t *testing.T) {
	withEachBrowser(t, changesItsMedia)
}

func changesItsMedia(t *testing.T, ada, bob *tab) {
	kinds := map[string]string{
		"camera": "audio video", "screen": "video", "both": "audio video video", "voice": "audio", "other": "audio video", "none": "",
	}
	order := []string{"camera", "none", "screen", "voice", "both", "other", "camera", "screen", "none", "both"}
	var largest int
	for n := range 100 {
		actor, watcher := ada, bob
		if n%3 == 2 {
			actor, watcher = bob, ada
		}
		name := order[n%len(order)]
		evaluate[any](actor, fmt.Sprintf(`room.setStream(streams[%q]), null`, name))
		watcher.untilIn(soon, fmt.Sprintf("seeing %s in change %d", name, n), fmt.Sprintf(`shown() === %q`, kinds[name]))
		if n == 50 {
			largest = max(evaluate[int](ada, `offerBytes()`), evaluate[int](bob, `offerBytes()`))
		}
	}
	for _, p := range []*tab{ada, bob} {
		require.LessOrEqual(t, evaluate[int](p, `offerBytes()`), largest*5/4, "the descriptions of %s grow", p.name)
		require.LessOrEqual(t, evaluate[int](p, `peer().connection.getTransceivers().length`), 3)
	}
	require.Equal(t, 1, evaluate[int](ada, `room.send("still here")`))
	bob.until("hearing Ada", `log.some(([, , text]) => text === "still here")`)

	// A page that shows the stream once shows it all day.
	for _, p := range []*tab{ada, bob} {
		evaluate[any](p, `room.setStream(streams.camera), null`)
	}
	for _, p := range []*tab{ada, bob} {
		p.untilIn(soon, "seeing the other again", `shown() === "audio video"`)
		require.Equal(t, 1, evaluate[int](p, `document.querySelectorAll("video").length`))
		const playing = `(async (video) => { const { currentTime } = video; await new Promise((resolve) => setTimeout(resolve, 300)); return video.videoWidth > 2 && video.currentTime > currentTime; })(document.querySelector("video"))`
		p.untilIn(soon, "showing a picture that moves", playing)
	}
}

// Both sides begin and end their media at the same moment, so their offers collide.
func TestMediaOfBothSidesAtOnceIsSeenOnBothSides(t *testing.T) {
	withEachBrowser(t, changesMediaAtOnce)
}

func changesMediaAtOnce(t *testing.T, ada, bob *tab) {
	for n := range 12 {
		atOnce(`room.setStream(streams.camera)`, ada, bob)
		for _, p := range []*tab{ada, bob} {
			p.untilIn(soon, fmt.Sprint("seeing the other in try ", n), `shown() === "audio video"`)
		}
		atOnce(`room.setStream(null)`, ada, bob)
		for _, p := range []*tab{ada, bob} {
			p.untilIn(soon, fmt.Sprint("without the other in try ", n), `shown() === ""`)
		}
	}
	require.Zero(t, evaluate[int](ada, `collisions`)+evaluate[int](bob, `collisions`))
}

// What the server refuses does not stop the call: it goes on as it was, the page hears of
// it, and what was refused is sent anew.
func TestACallOutlivesRefusedDescriptions(t *testing.T) {
	withEachBrowser(t, outlivesRefusals)
}

func outlivesRefusals(t *testing.T, ada, bob *tab) {
	if evaluate[string](ada, `socket.id`) < evaluate[string](bob, `socket.id`) {
		ada, bob = bob, ada // the impolite side offers, and the polite side asks for offers
	}
	refusals := []struct {
		refuser, actor *tab
		types, problem string
		status         int
	}{
		{ada, ada, "offer", "payload-too-large", 413},
		{ada, ada, "offer", "validation-failed", 422},
		{ada, ada, "offer", "target-overflow", 429},
		{ada, ada, "offer", "target-not-found", 404},
		{ada, bob, "offer", "payload-too-large", 413},
		{bob, ada, "answer", "payload-too-large", 413},
		{bob, ada, "answer", "target-overflow", 429},
		{bob, bob, "signal", "target-overflow", 429},
	}
	for _, refusal := range refusals {
		what := fmt.Sprintf("%s %d", refusal.types, refusal.status)
		refuser, actor, watcher := refusal.refuser, refusal.actor, ada
		if actor == ada {
			watcher = bob
		}
		evaluate[any](refuser, fmt.Sprintf(`(log.length = 0, refused = { types: /^%s$/, status: %d, problem: %q }, null)`, refusal.types, refusal.status, refusal.problem))
		evaluate[any](actor, `room.setStream(streams.camera), null`)
		refuser.untilIn(soon, "told of "+what, fmt.Sprintf(`log.some(([type, message]) => type === "error" && message === %q)`, refusal.problem))
		require.Equal(t, 1, evaluate[int](actor, fmt.Sprintf(`room.send(%q)`, what)))
		watcher.untilIn(soon, "hearing the other", fmt.Sprintf(`log.some(([, , text]) => text === %q)`, what))
		if refuser == actor { // the call changes while the server refuses
			evaluate[any](actor, `room.setStream(streams.voice), null`)
			evaluate[any](actor, `new Promise((resolve) => setTimeout(resolve, 200)).then(() => null)`)
			evaluate[any](actor, `room.setStream(streams.camera), null`)
		}
		evaluate[any](refuser, `(refused.types = /^$/, null)`)
		watcher.untilIn(soon, "seeing the other after "+what, `shown() === "audio video"`)
		evaluate[any](watcher, `room.setStream(streams.camera), null`)
		actor.untilIn(soon, "seeing the watcher after "+what, `shown() === "audio video"`)
		for _, p := range []*tab{ada, bob} {
			evaluate[any](p, `room.setStream(null), null`)
		}
		for _, p := range []*tab{ada, bob} {
			p.untilIn(soon, "without the other after "+what, `shown() === ""`)
		}
	}
}

// The first descriptions of a call may be refused or lost, too.
func TestACallBeginsInSpiteOfRefusedDescriptions(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{
		`{ types: /^offer$/, status: 413, problem: "payload-too-large" }`,
		`{ types: /^answer$/, status: 429, problem: "target-overflow" }`,
		`{ types: /^(offer|answer)$/, status: 202 }`,
	} {
		t.Run(refusal, func(t *testing.T) {
			takesTurns(t)
			url := servePage(t, startServer(t, noLimits...), callsPage)
			ada, bob := openCalls(t, url, "Ada"), openCalls(t, url, "Bob")
			for _, p := range []*tab{ada, bob} {
				evaluate[any](p, `(refused = `+refusal+`, null)`)
				evaluate[int](p, `enter("`+p.name+`", { stream: streams.camera })`)
			}
			time.Sleep(4 * time.Second) // each side has called the other, and has called anew
			for _, p := range []*tab{ada, bob} {
				evaluate[any](p, `(refused.types = /^$/, null)`)
			}
			for _, p := range []*tab{ada, bob} {
				p.untilIn(2*soon, "seeing the other", `shown() === "audio video"`)
			}
		})
	}
}

// Each connection and each restart has a credential that is good, also if the clock of a
// device is wrong. The connections use nothing but the relay.
func TestCallsHaveCredentialsThatAreGood(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t, "TURN_URLS="+startTURN(t), "TURN_SECRET="+turnSecret, "TURN_TTL=5s"), callsPage)
	relayOnly := `(RTCPeerConnection = class extends RTCPeerConnection {
		constructor(settings) { super({ ...settings, iceTransportPolicy: "relay" }); }
	}, null)`
	const goodFor = `Math.min(...peer().connection.getConfiguration().iceServers.map(({ username }) => username.split(":")[0])) - trueNow() / 1000`
	open := func(name, clock string) *tab {
		p := openCalls(t, url, name)
		evaluate[any](p, relayOnly)
		evaluate[any](p, `(window.trueNow = Date.now, Date.now = () => trueNow() + `+clock+`, null)`)
		return p
	}
	ada := open("Ada", "-5 * 3_600_000")
	evaluate[int](ada, `enter("Ada")`)
	time.Sleep(9 * time.Second) // the credentials that came with the socket have ended
	bob := open("Bob", "5 * 3_600_000")
	evaluate[int](bob, `enter("Bob")`)
	for _, p := range []*tab{ada, bob} {
		p.untilIn(soon, "connected through the relay", connected(1))
		require.Greater(t, evaluate[float64](p, goodFor), 0.0)
	}
	const fragment = `peer().connection.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]`
	for _, p := range []*tab{ada, bob} {
		time.Sleep(6 * time.Second)
		before := evaluate[string](p, fragment)
		evaluate[any](p, `peer().restartIce(), null`)
		p.untilIn(soon, "restarted", fragment+` !== `+fmt.Sprintf("%q", before))
		require.Greater(t, evaluate[float64](p, goodFor), 0.0)
		p.untilIn(soon, "connected still", `peer().state === "connected"`)
		require.Equal(t, 1, evaluate[int](p, `room.send("still here")`))
	}
	for _, p := range []*tab{ada, bob} { // otherwise a candidate may come when the other tab is closed already
		p.untilIn(soon, "all candidates are there", `peer().connection.iceGatheringState === "complete"`)
		require.Equal(t, 1, evaluate[int](p, `room.send("and sent")`)) // behind the candidates
	}
}

// An app's own ICE servers stay as they are.
func TestTheICEServersOfAnAppStay(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t, "TURN_URLS="+startTURN(t), "TURN_SECRET="+turnSecret, "TURN_TTL=5s"), callsPage)
	ada, bob := openCalls(t, url, "Ada"), openCalls(t, url, "Bob")
	evaluate[int](ada, `enter("Ada", { iceServers: [] })`)
	time.Sleep(4 * time.Second)
	evaluate[int](bob, `enter("Bob")`)
	ada.untilIn(soon, "connected", connected(1))
	evaluate[any](ada, `peer().restartIce(), null`)
	time.Sleep(time.Second)
	require.Zero(t, evaluate[int](ada, `peer().connection.getConfiguration().iceServers.length`))
}

// The calls of the documents work as they stand.
func TestTheCallsOfTheDocuments(t *testing.T) {
	takesTurns(t)
	code := codeBlock(t, "calls")
	server := startServer(t, noLimits...)
	code = strings.ReplaceAll(code, "http://localhost:3002", server)
	url := servePage(t, server, `<!doctype html><title>x</title><link rel="icon" href="data:,"><script type="module">
		const canvas = document.createElement("canvas");
		canvas.getContext("2d").fillRect(0, 0, 16, 16);
		navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(5);
		window.shown = [];
		const show = (name, stream) => shown.push(stream?.getTracks().map(({ kind }) => kind).sort().join(" ") ?? "nothing");
		const hide = (name) => shown.push(name + " has left");
		`+strings.Replace(code, "room.setStream(null);", `
		window.setNull = () => room.setStream(null);`, 1)+`
		window.ready = true;
		</script>`)
	ada, bob := openTab(t, "Ada", url+"/page.html"), openTab(t, "Bob", url+"/page.html")
	for _, p := range []*tab{ada, bob} {
		p.until("seeing a screen", `window.ready && shown.at(-1) === "video"`)
	}
	evaluate[any](ada, `setNull(), null`)
	bob.until("seeing nothing", `shown.at(-1) === "nothing"`)
	ada.close()
	bob.until("without Ada", `shown.at(-1) === "Ada has left"`)
}
