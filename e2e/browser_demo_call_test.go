package e2e

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// fakeDevices gives a page two cameras, a screen and two microphones. Their pictures
// differ in width: 320 and 400 pixels, and 640 for the screen. As in a real browser the
// devices have no names before they were used.
const fakeDevices = `
	window.opened = [];
	const paint = (width) => {
		const canvas = Object.assign(document.createElement("canvas"), { width, height: 180 });
		const pen = canvas.getContext("2d");
		setInterval(() => {
			pen.fillStyle = "#" + Math.random().toString(16).slice(2, 5);
			pen.fillRect(0, 0, width, 180);
		}, 100);
		const [track] = canvas.captureStream(10).getVideoTracks();
		opened.push(track);
		return track;
	};
	window.cameras = ["front", "back"];
	const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
	MediaDevices.prototype.getUserMedia = async ({ audio, video }) => {
		const stream = audio ? await real({ audio: true }) : new MediaStream();
		if (video) {
			const camera = cameras.includes(video.deviceId?.ideal) ? video.deviceId.ideal : "front";
			const track = paint(camera === "front" ? 320 : 400);
			track.getSettings = () => ({ deviceId: camera });
			stream.addTrack(track);
		}
		return stream;
	};
	MediaDevices.prototype.getDisplayMedia = async () => new MediaStream([paint(640)]);
	MediaDevices.prototype.enumerateDevices = async () => [
		...cameras.map((id) => ({ kind: "videoinput", deviceId: id, label: "Camera at the " + id })),
		{ kind: "audioinput", deviceId: "one", label: "Headset" },
		{ kind: "audioinput", deviceId: "two", label: "Desk" },
	].map((device) => opened.length ? device : { ...device, deviceId: "", label: "" });
`

// shows waits until a tile shows a picture of a width.
func (d *demo) shows(tile string, width int) {
	d.t.Helper()
	d.until(fmt.Sprintf("showing a picture that is %d pixels wide", width),
		fmt.Sprintf(`%s.dataset.video === "on" && %[1]s.querySelector("video").videoWidth === %d`, tile, width))
}

const selfTile = `document.querySelector("#self-tile")`

func TestTheDemoSharesAScreen(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openFaultyDemo(t, url, "screen", "Ada", fakeDevices)
	bob := openDemo(t, url, "screen", "Bob", withoutCamera)
	ada.sees(bob)
	ada.click("#call")
	bob.shows(bob.tileOf(ada), 320)

	ada.click("#screen")
	bob.shows(bob.tileOf(ada), 640)
	ada.shows(selfTile, 640)
	require.Equal(t, "true", evaluate[string](ada.tab, `document.querySelector("#screen").ariaPressed`))
	require.Equal(t, "none", evaluate[string](ada.tab, `getComputedStyle(document.querySelector("#self-tile video")).transform`), "text is not mirrored")
	require.Equal(t, "contain", evaluate[string](bob.tab, `getComputedStyle(`+bob.tileOf(ada)+`.querySelector("video")).objectFit`), "nothing is cut off")
	ada.click("#screen")
	bob.shows(bob.tileOf(ada), 320)

	// The browser's own bar has a button, too.
	ada.click("#screen")
	bob.shows(bob.tileOf(ada), 640)
	evaluate[any](ada.tab, `opened.at(-1).stop(), opened.at(-1).dispatchEvent(new Event("ended")), null`)
	bob.shows(bob.tileOf(ada), 320)
	require.Equal(t, "false", evaluate[string](ada.tab, `document.querySelector("#screen").ariaPressed`))

	// A person who changes their mind has nothing to read, but a failure has a reason.
	evaluate[any](ada.tab, `MediaDevices.prototype.getDisplayMedia = () => Promise.reject(new DOMException("cancelled by the test", "NotAllowedError")), null`)
	ada.click("#screen")
	evaluate[any](ada.tab, `MediaDevices.prototype.getDisplayMedia = () => Promise.reject(new DOMException("failed by the test", "NotReadableError")), null`)
	require.True(t, evaluate[bool](ada.tab, `document.querySelector("#notice").hidden`))
	ada.click("#screen")
	ada.reads("This browser could not share the screen.")

	// Without a camera, too, and it ends with the call.
	cleo := openFaultyDemo(t, url, "screen", "Cleo", fakeDevices, withoutCamera)
	bob.sees(cleo)
	cleo.click("#call")
	cleo.until("in the call", `!document.querySelector("#screen").hidden`)
	cleo.click("#screen")
	bob.shows(bob.tileOf(cleo), 640)
	cleo.click("#hangup")
	cleo.until("not sharing any more", `opened.every((track) => track.readyState === "ended")`)
	bob.until("rid of the tile", `!`+bob.tileOf(cleo))
}

func TestTheDemoChoosesCameraAndMicrophone(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openFaultyDemo(t, url, "devices", "Ada", fakeDevices)
	bob := openDemo(t, url, "devices", "Bob", withoutCamera)
	ada.sees(bob)
	choose := func(list, value string) {
		t.Helper()
		ada.until("offering "+value, fmt.Sprintf(`[...document.querySelector(%q).options].some((option) => option.value === %q)`, list, value))
		evaluate[any](ada.tab, fmt.Sprintf(`Object.assign(document.querySelector(%q), { value: %q }).dispatchEvent(new Event("change"))`, list, value))
	}

	ada.click("#settings")
	ada.reads("Browsers name your devices only after you have allowed this page to use them.")
	require.True(t, evaluate[bool](ada.tab, `document.querySelector("#choose-camera").disabled`))
	const top = `document.querySelector("#settings-dialog").getBoundingClientRect().top`
	before := evaluate[float64](ada.tab, top)
	ada.click("#try")
	ada.until("showing itself", `document.querySelector("#preview").videoWidth === 320`)
	require.Equal(t, before, evaluate[float64](ada.tab, top), "a button that moves makes clicks miss it")
	require.Equal(t, []string{"Camera at the front", "Camera at the back"}, evaluate[[]string](ada.tab, `[...document.querySelector("#choose-camera").options].map((option) => option.text)`))
	ada.until("hearing itself", `document.querySelector("#level").value > 0.05`)
	choose("#choose-camera", "back")
	ada.until("showing the other camera", `document.querySelector("#preview").videoWidth === 400`)
	require.True(t, evaluate[bool](bob.tab, `!`+bob.tileOf(ada)), "nobody sees what is only tried")
	ada.click("#settings-close")
	ada.until("without an open camera", `opened.every((track) => track.readyState === "ended")`)

	ada.click("#call")
	bob.shows(bob.tileOf(ada), 400)
	ada.click("#settings")
	require.False(t, evaluate[bool](ada.tab, `document.querySelector("#preview").checkVisibility()`), "the self-view shows the camera already")
	choose("#choose-camera", "front")
	bob.shows(bob.tileOf(ada), 320)
	choose("#choose-microphone", "two")

	evaluate[any](ada.tab, `cameras.push("top"), navigator.mediaDevices.dispatchEvent(new Event("devicechange")), null`)
	ada.until("offering the new camera", `document.querySelector("#choose-camera").options.length === 3`)
	ada.click("#settings-close")

	// What was turned off stays off when the device changes.
	ada.click("#camera")
	bob.until("without Ada's picture", bob.tileOf(ada)+`.dataset.video === "off"`)
	ada.click("#settings")
	choose("#choose-camera", "back")
	ada.until("using the other camera", `opened.at(-1).getSettings().deviceId === "back"`)
	ada.click("#settings-close")
	require.Equal(t, "off", evaluate[string](bob.tab, bob.tileOf(ada)+`.dataset.video`))
	ada.click("#camera")
	bob.shows(bob.tileOf(ada), 400)

	// The camera is unplugged, and plugged in again.
	evaluate[any](ada.tab, `opened.at(-1).stop(), opened.at(-1).dispatchEvent(new Event("ended")), null`)
	ada.reads("The camera has stopped. If it is still plugged in, press its button to start it again.")
	bob.reads("Ada has no camera on.")
	ada.click("#camera")
	bob.shows(bob.tileOf(ada), 400)
}

// Without devices at first: they are added one by one, and who comes later sees them, too.
func TestTheDemoAddsDevicesDuringACall(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openFaultyDemo(t, url, "later", "Ada", fakeDevices, withoutCamera)
	bob := openDemo(t, url, "later", "Bob", withoutCamera)
	ada.sees(bob)
	ada.click("#call")
	bob.reads("Ada has no camera or microphone on.")
	ada.reads("The others do not see or hear you.")
	ada.click("#camera")
	bob.reads("Ada has no microphone on.")
	bob.shows(bob.tileOf(ada), 320)
	ada.click("#microphone")
	bob.until("hearing Ada", bob.tileOf(ada)+`.hasAttribute("data-speaking")`)
	ada.click("#screen")
	cleo := openDemo(t, url, "later", "Cleo", withoutCamera)
	cleo.shows(cleo.tileOf(ada), 640)
	require.True(t, evaluate[bool](cleo.tab, cleo.tileOf(ada)+`.hasAttribute("data-screen")`))

	// A question that nobody answers stops nothing else.
	evaluate[any](bob.tab, `MediaDevices.prototype.getUserMedia = () => new Promise(() => {}), null`)
	bob.click("#call")
	bob.until("in the call", `!document.querySelector("#camera").hidden`)
	bob.click("#camera")
	bob.reads("Your browser asks whether this page may use the camera. Answer it, or go on without it.")
	bob.click("#notice-action")
	require.True(t, evaluate[bool](bob.tab, `document.querySelector("#notice").hidden`))
	bob.chatsWith(ada)
}

func TestTheDemoShowsWhoSpeaksAndWhoIsMuted(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "voices", "Ada") // the microphone of the test's browser beeps
	bob := openDemo(t, url, "voices", "Bob", withoutCamera)
	ada.sees(bob)
	ada.click("#call")
	bob.plays(ada)
	for d, tile := range map[*demo]string{ada: selfTile, bob: bob.tileOf(ada)} {
		d.until("showing that Ada speaks", tile+`.hasAttribute("data-speaking") && `+tile+`.querySelector(".tile-speaking").checkVisibility()`)
	}
	ada.click("#microphone")
	require.Equal(t, "false", evaluate[string](ada.tab, `document.querySelector("#microphone").ariaPressed`))
	for d, tile := range map[*demo]string{ada: selfTile, bob: bob.tileOf(ada)} {
		d.until("showing that Ada is muted", tile+`.hasAttribute("data-muted") && !`+tile+`.hasAttribute("data-speaking")`)
	}
	ada.click("#microphone")
	bob.until("hearing Ada again", bob.tileOf(ada)+`.hasAttribute("data-speaking")`)
	require.True(t, evaluate[bool](ada.tab, `!`+ada.tileOf(bob)+`.hasAttribute("data-speaking")`), "Bob is silent")
}

func TestTheDemoFillsTheScreen(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "full", "Ada", withoutCamera)
	bob := openDemo(t, url, "full", "Bob", withoutCamera)
	ada.sees(bob)
	bob.click("#call")
	ada.until("called", `document.querySelector('.tile[data-data-channel="open"]')`)
	tile := ada.tileOf(bob)
	fills := func(what string) string {
		return fmt.Sprintf(`(() => { const { width, height } = %s.getBoundingClientRect(); return Math.abs(width - innerWidth) < 40 && Math.abs(height - innerHeight) < 200; })()`, what)
	}

	ada.click("#full")
	ada.until("full of the stage", fills(`document.querySelector("#stage")`))
	require.True(t, evaluate[bool](ada.tab, `document.querySelector("#call").checkVisibility()`), "a call can be answered there")
	ada.click("#full")
	ada.until("as before", `!`+fills(`document.querySelector("#stage")`))

	evaluate[any](ada.tab, tile+`.querySelector(".tile-full").click(), null`)
	ada.until("full of Bob", fills(tile))
	ada.press("\x1b")
	ada.until("as before", `!`+fills(tile))

	// The browser refuses its full screen, and only then tells that an earlier one has ended.
	evaluate[any](ada.tab, `Element.prototype.requestFullscreen = async () => { throw new Error("refused"); }, null`)
	evaluate[any](ada.tab, tile+`.querySelector(".tile-full").click(), null`)
	ada.until("full of Bob", fills(tile))
	require.True(t, evaluate[bool](ada.tab, `document.dispatchEvent(new Event("fullscreenchange"))`))
	require.True(t, evaluate[bool](ada.tab, fills(tile)), "what has ended was another full screen")
	ada.press("\x1b")
	ada.until("as before", `!`+fills(tile))

	// Bob leaves while only Bob fills the screen.
	evaluate[any](ada.tab, tile+`.querySelector(".tile-full").click(), null`)
	ada.until("full of Bob", fills(tile))
	bob.click("#hangup")
	ada.until("rid of the tile", `!`+tile)
	ada.until("as before", `!document.body.hasAttribute("data-full") && !document.fullscreenElement`)
}

func TestTheDemoCopiesTheLinkOfItsRoom(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openFaultyDemo(t, url, "tea & cake", "Ada", `window.copied = []; Clipboard.prototype.writeText = async (text) => void copied.push(text);`)
	link := url + "/demo/?room=tea%20%26%20cake"
	for _, button := range []string{"share", "copy-link"} {
		ada.flashes("#"+button, "Copied", func() { ada.click("#" + button) })
	}
	require.Equal(t, []string{link, link}, evaluate[[]string](ada.tab, `copied`))
	require.NotContains(t, evaluate[string](ada.tab, `location.href`), "Ada", "the address bar has no name that others would get")
	evaluate[any](ada.tab, `location.reload(), null`)
	ada.until("filled in again", `document.querySelector("#name")?.value === "Ada" && document.querySelector("#room").value === "tea & cake"`)

	bob := openFaultyDemo(t, url, "tea & cake", "Bob", `delete Navigator.prototype.clipboard; Document.prototype.execCommand = () => false;`)
	bob.click("#share")
	bob.reads("This browser does not let the page copy. Here is the link: " + link)
}

func TestTheDemoSaysWhenItsConnectionIsLostAndBack(t *testing.T) {
	takesTurns(t)
	url := startServer(t, "RESUME_WINDOW=10m")
	network := startProxy(t, url)
	ada := openDemo(t, network.url, "lost", "Ada", withoutCamera)
	bob := openDemo(t, url, "lost", "Bob", withoutCamera)
	ada.sees(bob)
	ada.click("#call")
	ada.until("connected with Bob", ada.tileOf(bob)+`?.dataset.dataChannel === "open"`)
	ada.expectFailedRequests()

	network.goDown()
	ada.reads("The server cannot be reached. Calls go on, and this page keeps trying to connect again.")
	bob.reads("connection lost, may return")
	require.Equal(t, "connected", evaluate[string](ada.tab, ada.tileOf(bob)+`.dataset.state`), "the call goes on")
	ada.flashes("#notice", "You are connected again.", network.comeBack)
	require.True(t, evaluate[bool](ada.tab, `document.querySelector("#outage").hidden`))
	bob.until("seeing Ada back", `!document.querySelector("#members [data-away]")`)

	ada.goOffline(true)
	ada.reads("You are offline. This page connects again by itself when your network is back.")
	ada.goOffline(false)
	ada.until("told that it is over", `document.querySelector("#outage").hidden && document.querySelector("#status").dataset.state === "open"`)
	ada.chatsWith(bob)
}

// The server is away when the page opens.
func TestTheDemoSaysWhenTheServerIsAwayFromTheBeginning(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	network := startProxy(t, url)
	ada := openFailingTab(t, "Ada", network.url+"/demo/")
	ada.until("connected", `document.querySelector("#status").dataset.state === "open"`)
	network.goDown()
	ada.write("#name", "Ada")
	ada.write("#room", "early")
	ada.click("#join")
	ada.reads("The server cannot be reached.")
	network.comeBack()
	ada.until("in the room", memberOf("Ada"))
	ada.until("told that it is over", `document.querySelector("#outage").hidden`)
}

// lossyConn loses everything while it is down.
type lossyConn struct {
	net.PacketConn
	isDown atomic.Bool
}

func (c *lossyConn) WriteTo(packet []byte, to net.Addr) (int, error) {
	if c.isDown.Load() {
		return len(packet), nil
	}
	return c.PacketConn.WriteTo(packet, to)
}

func (c *lossyConn) ReadFrom(packet []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(packet)
		if err != nil || !c.isDown.Load() {
			return n, from, err
		}
	}
}

func TestTheDemoShowsThatThePathToAPeerIsInterrupted(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	path := &lossyConn{PacketConn: udp}
	mux := webrtc.NewICEUDPMux(nil, path)
	t.Cleanup(func() { require.NoError(t, mux.Close()) })
	connection := newConnection(t, func(settings *webrtc.SettingEngine) {
		settings.SetICEUDPMux(mux)
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	})
	ada := openDemo(t, url, "path", "Ada", withoutCamera)
	bot := newPeerOver(t, connection, url, "path", "Bot", (*peer).pong)
	ada.until("aware of the bot", memberOf("Bot"))
	ada.click("#call")
	tile := fmt.Sprintf(`document.querySelector('.tile[data-socket-id="%s"]')`, bot.signaling.id())
	ada.until("connected", tile+`?.dataset.dataChannel === "open"`)

	path.isDown.Store(true)
	ada.reads("The connection to Bot is interrupted. It should come back by itself.")
	path.isDown.Store(false)
	ada.until("connected again", tile+`.dataset.state === "connected"`)
	require.NotContains(t, evaluate[string](ada.tab, visibleText), "interrupted")
}

// A member that has no page, or whose page hangs.
func TestTheDemoSaysThatSomebodyDoesNotAnswer(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openDemo(t, url, "silence", "Ada", withoutCamera)
	bob := connect(t, url)
	bob.join("silence", "Bob")
	ada.until("aware of Bob", memberOf("Bob"))
	ada.click("#call")
	ada.reads("Bob has not answered yet.")
}

// isAsItShouldBe checks that axe finds nothing, and that nothing is cut off.
func (d *demo) isAsItShouldBe(state string) {
	d.t.Helper()
	d.isAccessible("demo, " + state)
	d.fitsEveryLook("demo-" + strings.ReplaceAll(strings.ReplaceAll(state, ",", ""), " ", "-"))
}

// Each state of the page is as accessible as the others.
func TestTheDemoIsAccessibleInEachState(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	network := startProxy(t, url)
	ada := openFaultyDemo(t, network.url, "states", "Ada", fakeDevices)
	without := openFaultyDemo(t, url, "states", "Zoë", `delete window.RTCPeerConnection`)
	without.isAsItShouldBe("in a browser that cannot call")
	for _, name := range people[:4] {
		connect(t, url).join("states", name)
	}
	bob := openDemo(t, url, "states", "Bob")
	ada.sees(bob, without)
	ada.click("#settings")
	ada.isAsItShouldBe("its settings")
	ada.click("#try")
	ada.until("showing itself", `document.querySelector("#preview").videoWidth === 320`)
	ada.isAsItShouldBe("its settings with a preview")
	ada.press("\x1b")
	ada.until("without its settings", `!document.querySelector("#settings-dialog").open && document.activeElement.id === "settings"`)

	bob.click("#call")
	ada.plays(bob)
	ada.click("#call")
	bob.plays(ada)
	ada.click("#screen")
	ada.shows(selfTile, 640)
	ada.isAsItShouldBe("with a shared screen, people who do not answer, and somebody left out")
	evaluate[any](ada.tab, ada.tileOf(bob)+`.querySelector(".tile-full").click(), null`)
	ada.isAsItShouldBe("one tile full screen")
	ada.press("\x1b")
	ada.expectFailedRequests()
	network.goDown()
	ada.reads("The server cannot be reached.")
	ada.isAsItShouldBe("with a lost connection")
}
