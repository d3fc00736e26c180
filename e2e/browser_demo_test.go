package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// demo is the demo page, used as a person uses it.
type demo struct {
	*tab
	socketID string
}

// openDemo opens the demo and joins a room.
func openDemo(t *testing.T, url, room, name string, before ...func(*tab)) *demo {
	t.Helper()
	return joinDemo(openTab(t, name, url+"/demo/"), room, name, before...)
}

// joinDemo joins a room in a tab that shows the demo.
func joinDemo(p *tab, room, name string, before ...func(*tab)) *demo {
	p.t.Helper()
	d := &demo{tab: p}
	d.until("ready", `document.querySelector("#status").dataset.state === "open"`)
	for _, step := range before {
		step(d.tab)
	}
	d.write("#name", name)
	d.write("#room", room)
	d.click("#join")
	d.until("in the room", memberOf(name))
	d.socketID = evaluate[string](d.tab, memberOf(name)+`.dataset.socketId`)
	return d
}

func withoutCamera(p *tab) { p.click("#no-camera") }

func memberOf(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#members [data-socket-id]")].find((member) => member.textContent.includes(%q))`, name)
}

// say sends a chat message.
func (d *demo) say(text string) {
	d.t.Helper()
	d.write("#chat-input", text)
	d.press("\r")
}

func (d *demo) sees(others ...*demo) {
	d.t.Helper()
	for _, other := range others {
		d.until("aware of "+other.name, memberOf(other.name))
	}
}

func (d *demo) tileOf(other *demo) string {
	return fmt.Sprintf(`document.querySelector('.tile[data-socket-id="%s"]')`, other.socketID)
}

// plays waits until the other's video moves on this page: it has a size, its time
// advances, and frames are decoded.
func (d *demo) plays(other *demo) {
	d.t.Helper()
	d.moves(other.name, d.tileOf(other)+`?.querySelector("video")`)
	d.until("decoding the video of "+other.name, `{
		const track = `+d.tileOf(other)+`.querySelector("video").srcObject.getVideoTracks()[0].id;
		for (const connection of peerConnections) {
			for (const report of (await connection.getStats()).values()) {
				if (report.type === "inbound-rtp" && report.trackIdentifier === track && report.framesDecoded > 5) return true;
			}
		}
	}`)
}

func (d *demo) moves(name, video string) {
	d.t.Helper()
	d.until("playing the video of "+name, video+`?.videoWidth > 2 && `+video+`.currentTime > 0`)
	begin := evaluate[float64](d.tab, video+`.currentTime`)
	d.until("going on with the video of "+name, fmt.Sprintf(`%s.currentTime > %v`, video, begin+0.2))
}

func TestTheDemoCallsBetweenThreeBrowsers(t *testing.T) {
	takesTurns(t)
	url := startServer(t, "RESUME_WINDOW=10m")
	ada := openDemo(t, url, "three", "Ada")
	bob := openDemo(t, url, "three", "Bob")
	ada.sees(bob)
	bob.sees(ada)

	ada.click("#call")
	bob.plays(ada) // Bob is called, and sees Ada before any decision
	bob.click("#call")
	ada.plays(bob)
	ada.moves("Ada herself", `document.querySelector("#self-tile video")`)

	cleo := openDemo(t, url, "three", "Cleo")
	cleo.sees(ada, bob)
	cleo.click("#call")
	cleo.plays(ada)
	cleo.plays(bob)
	ada.plays(cleo)
	bob.plays(cleo)
	bob.plays(ada)

	cleo.close()
	// Cleo's page said that it leaves: without that, the server would notice much
	// later.
	for _, d := range []*demo{ada, bob} {
		d.until("rid of Cleo's tile", `!`+d.tileOf(cleo))
		d.until("rid of Cleo", `!`+memberOf("Cleo"))
	}
	ada.plays(bob)
}

// Both make an offer, and one of them must give way.
func TestTheDemoConnectsTwoPeersThatCallAtOnce(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "glare", "Ada")
	bob := openDemo(t, url, "glare", "Bob")
	ada.sees(bob)
	bob.sees(ada)

	clicked := make(chan error, 2)
	for _, d := range []*demo{ada, bob} {
		go func() { clicked <- d.page.click(d.ctx, "#call") }() // ends with the page at the latest
	}
	require.NoError(t, await(t, clicked, "click"))
	require.NoError(t, await(t, clicked, "click"))
	ada.plays(bob)
	bob.plays(ada)
}

func TestTheDemoWorksWithoutACamera(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "data", "Ada", withoutCamera)
	bob := openDemo(t, url, "data", "Bob", withoutCamera)
	ada.sees(bob)
	bob.sees(ada)

	ada.click("#call")
	for _, d := range []*demo{ada, bob} {
		d.until("connected by a data channel", `document.querySelector('.tile[data-data-channel="open"]')`)
		require.Zero(t, evaluate[int](d.tab, `[...document.querySelectorAll("video")].filter((video) => video.videoWidth > 2).length`))
	}
}

func TestTheDemoChats(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "chat", "Ada")
	bob := openDemo(t, url, "chat", "Bob")
	ada.sees(bob)

	const attack = `<img src=x onerror="window.attacked = true">&amp;`
	for _, text := range []string{"Hello Bob", attack} {
		ada.say(text)
		for _, d := range []*demo{ada, bob} {
			d.until("showing the message "+text, fmt.Sprintf(`document.querySelector("#chat-log").innerText.includes(%q)`, text))
		}
	}
	for _, d := range []*demo{ada, bob} {
		require.False(t, evaluate[bool](d.tab, `Boolean(window.attacked || document.querySelector("#chat-log img"))`))
	}
	bob.say("Hello Ada")
	ada.until("showing the answer", `document.querySelector("#chat-log").innerText.includes("Hello Ada")`)
}

func TestTheDemoComesBackAfterItsStreamDropped(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	network := startProxy(t, url)
	ada := openDemo(t, network.url, "drop", "Ada")
	ada.expectFailedRequests()
	bob := connect(t, url)
	bob.join("drop", "Bob")
	ada.until("aware of Bob", memberOf("Bob"))

	network.goDown()
	ada.until("reconnecting", `document.querySelector("#status").dataset.state === "reconnecting"`)
	require.NoError(t, bob.send(bounded(t), fields{"type": "send-message", "message": "Said meanwhile"}))
	network.comeBack()
	ada.until("connected again", `document.querySelector("#status").dataset.state === "open"`)

	ada.until("showing what was said meanwhile", `document.querySelector("#chat-log").innerText.includes("Said meanwhile")`)
	require.Equal(t, ada.socketID, evaluate[string](ada.tab, memberOf("Ada")+`.dataset.socketId`))
	ada.say("Back again")
	for {
		e := await(t, bob.events, "message of Ada")
		require.NotEqual(t, "user-disconnected", e.Type, "she never left the room")
		if e.Type == "new-message" && message(t, e) == "Back again" {
			return
		}
	}
}

func message(t *testing.T, e event) string {
	var m struct{ Message string }
	e.decode(t, &m)
	return m.Message
}

func TestAPionPeerAnswersTheDemo(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	// Ada comes first, because a pion peer calls every member that comes after it.
	ada := openDemo(t, url, "bot", "Ada")
	bot := newPeer(t, url, "bot", "Bot", (*peer).pong)
	ada.until("aware of the bot", memberOf("Bot"))

	ada.click("#call")
	tile := `document.querySelector(` + strconv.Quote(`.tile[data-socket-id="`+bot.signaling.id()+`"]`) + `)`
	ada.until("connected by a data channel", tile+`?.dataset.dataChannel === "open"`)
	ada.until("measuring the round trip", tile+`.textContent.includes(" ms")`)
	for range 2 { // sound and picture
		track := await(t, bot.tracks, "track")
		require.NoError(t, track.SetReadDeadline(time.Now().Add(within)))
		for range 20 {
			_, _, err := track.ReadRTP()
			require.NoError(t, err, track.Kind())
		}
	}
	await(t, bot.complete, "end of Ada's candidates")
	ada.click("#hangup")
	ada.until("without a call", `!`+tile)
}

func TestTheDemoShowsWhyAnOperatorDisconnectsSomebody(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	for reason, words := range map[string]string{
		"":                              "An operator disconnected you. You may join again.",
		"?reason=Mind+your+%3Cb%3E+%26": "An operator disconnected you: “Mind your <b> &”. You may join again.",
	} {
		ada := openDemo(t, url, "kicked", "Ada")
		ada.expectFailedRequests() // the page leaves its room after its socket has ended
		r, err := http.NewRequestWithContext(bounded(t), http.MethodDelete, url+"/connections/"+ada.socketID+reason, nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusNoContent, answer.StatusCode)
		ada.reads(words)
		ada.until("out of the room", `!document.querySelector("#join-view").hidden && document.querySelector("#room-view").hidden`)
	}
}

func TestTheDemoShowsWhoIsAwayAndBack(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "tea-time", "Ada")
	bob := connect(t, url)
	bob.join("tea-time", "Bob")
	bob.pause()
	ada.until("away", `document.querySelector("#members [data-away]")?.innerText.includes("connection lost, may return")`)
	bob.resume()
	ada.until("back", `document.querySelectorAll("#members li").length === 2 && !document.querySelector("#members [data-away]")`)
}
