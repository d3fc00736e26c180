package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// meshPage has all that a page needs for a call with everybody in a room.
const meshPage = `<!doctype html>
<title>A mesh</title>
<script type="module">
	import { io } from "/client.js";
	import { joinRoom } from "/peers.js";

	const query = new URLSearchParams(location.search);
	const canvas = document.createElement("canvas");
	canvas.getContext("2d").fillRect(0, 0, 16, 16);
	const stream = query.has("silent") ? null : canvas.captureStream(5);

	window.socket = io();
	window.heard = [];
	window.left = [];
	window.streams = new Map();
	window.offers = 0;
	socket.on("offer", () => offers++);
	if (query.has("name")) {
		window.room = await joinRoom(socket, "mesh", { userId: query.get("name"), stream });
		room.on("stream", (stream, peer) => streams.set(peer.userId, stream));
		room.on("data", (data, peer) => heard.push([peer.userId, typeof data === "string" ? data : data.byteLength]));
		room.on("leave", (peer, reason) => left.push([peer.userId, reason]));
	}
</script>`

// servePage serves a page of the test beside all that the server serves.
func servePage(t *testing.T, serverURL, page string) string {
	t.Helper()
	upstream, err := url.Parse(serverURL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // tests cut connections on purpose
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("/page.html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

// blankPage is a page in which a test runs its own script. The policy of the server's
// own pages forbids that.
const blankPage = `<!doctype html><title>x</title><link rel="icon" href="data:,"><body>`

// serveElsewhere serves a page at another origin than the server's.
func serveElsewhere(t *testing.T, page string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

func openMesh(t *testing.T, url, name, more string) *tab {
	p := openTab(t, name, url+"/page.html?name="+name+more)
	p.until("in the room", `window.room?.members.size`)
	return p
}

func connected(count int) string {
	return fmt.Sprintf(`[...room.peers.values()].filter((peer) => peer.channel.readyState === "open").length === %d`, count)
}

func TestAMeshConnectsAllMembersOfARoom(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t), meshPage)
	ada := openMesh(t, url, "Ada", "")
	bob := openMesh(t, url, "Bob", "")
	cleo := openMesh(t, url, "Cleo", "&silent")
	for _, p := range []*tab{ada, bob, cleo} {
		p.until("connected with two", connected(2))
	}
	ada.until("seeing Bob alone", `streams.size === 1 && streams.get("Bob").getVideoTracks().length === 1`)
	cleo.until("seeing both", `streams.has("Ada") && streams.has("Bob")`)
	// The earlier member calls the later one, so neither has to give way.
	require.Zero(t, evaluate[int](ada, `offers`))

	require.Equal(t, 2, evaluate[int](cleo, `room.send("hello")`))
	require.Equal(t, 2, evaluate[int](cleo, `room.send(new Uint8Array(3))`))
	for _, p := range []*tab{ada, bob} {
		p.until("hearing Cleo", `JSON.stringify(heard) === '[["Cleo","hello"],["Cleo",3]]'`)
	}

	bob.close()
	for _, p := range []*tab{ada, cleo} {
		p.until("told of Bob's leaving", `left.some(([name]) => name === "Bob") && room.members.size === 2`)
	}
	evaluate[any](cleo, `room.leave()`+`, null`)
	ada.until("alone", `room.members.size === 1 && room.peers.size === 0`)
	require.Zero(t, evaluate[int](cleo, `room.peers.size + room.members.size`))
}

// When the browser reports another network, the page restarts ICE, and the connection
// goes on.
func TestAMeshLooksForAnotherWayWhenTheNetworkChanges(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t), meshPage)
	ada := openMesh(t, url, "Ada", "")
	bob := openMesh(t, url, "Bob", "")
	ada.until("connected", connected(1))
	bob.until("connected", connected(1))
	const fragment = `[...room.peers.values()][0].connection.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]`
	before := evaluate[string](ada, fragment)
	evaluate[any](ada, `dispatchEvent(new Event("online"))`+`, null`)
	ada.until("restarted", fragment+` !== `+fmt.Sprintf("%q", before))
	ada.until("connected still", `[...room.peers.values()][0].state === "connected"`)
	require.Equal(t, 1, evaluate[int](ada, `room.send("still here")`))
	bob.until("hearing Ada", `heard.some(([, data]) => data === "still here")`)
}

func TestAMeshIsMadeAnewAfterASessionWasLost(t *testing.T) {
	takesTurns(t)
	network := startProxy(t, startServer(t, "RESUME_WINDOW=1s"))
	url := servePage(t, network.url, meshPage)
	ada := openMesh(t, url, "Ada", "")
	bob := openMesh(t, url, "Bob", "")
	for _, p := range []*tab{ada, bob} {
		p.expectFailedRequests()
		p.until("connected", connected(1))
	}
	first := evaluate[string](ada, `socket.id`)
	network.goDown()
	ada.until("without a session", `socket.disconnected`)
	// The call outlives the server's absence.
	require.Equal(t, 1, evaluate[int](ada, `room.send("nobody between us")`))
	bob.until("hearing Ada", `heard.some(([, data]) => data === "nobody between us")`)
	network.comeBack()
	ada.until("a new socket in the room", fmt.Sprintf(`socket.connected && socket.id !== %q && room.members.has(socket.id)`, first))
	for _, p := range []*tab{ada, bob} {
		p.until("connected anew", `room.members.size === 2 && `+connected(1))
	}
}

func TestARefusedJoinRejects(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t, "MAX_ROOM_MEMBERS=1"), meshPage)
	openMesh(t, url, "Ada", "")
	bob := openFailingTab(t, "Bob", url+"/page.html")
	bob.until("open", `window.socket?.connected`)
	answer := evaluate[string](bob, `import("/peers.js")
		.then(({ joinRoom }) => joinRoom(socket, "mesh", { userId: "Bob" }))
		.then(() => "let in", (problem) => problem.status + " " + problem.type)`)
	require.Equal(t, "409 /problems/room-full", answer)
}
