package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A demoFault is something that a browser lacks, refuses or gets wrong. The person with
// that browser reads one sentence about it, and so does the other person if it concerns
// them. Everything else goes on.
type demoFault struct {
	name   string
	script string // runs before the scripts of the page
	own    string // what the person reads that has the fault
	others string // what the other person reads
}

// refusing makes a script that lets requests for devices fail. The request has the
// names of what is wanted.
func refusing(error, when string) string {
	return fmt.Sprintf(`{
		const devices = navigator.mediaDevices;
		const original = devices.getUserMedia.bind(devices);
		devices.getUserMedia = (wanted) => %s ? Promise.reject(new DOMException("refused by the test", %q)) : original(wanted);
	}`, when, error)
}

// faultsOfDevices concern the camera and the microphone. The call goes on without them.
var faultsOfDevices = []demoFault{
	{
		"a page without https", `Object.defineProperty(window, "isSecureContext", { value: false }); Object.defineProperty(Navigator.prototype, "mediaDevices", { value: undefined })`,
		"Browsers give camera and microphone only to pages whose address begins with https. You are in the call without them.", "Ada has no camera or microphone on.",
	}, {
		"a browser without getUserMedia", `MediaDevices.prototype.getUserMedia = undefined`,
		"This browser cannot open camera and microphone. You are in the call without them.", "Ada has no camera or microphone on.",
	}, {
		"camera and microphone refused", refusing("NotAllowedError", "true"),
		"Camera and microphone are blocked. Allow them in your browser’s address bar, then press their buttons. You are in the call without them.", "Ada has no camera or microphone on.",
	}, {
		"a policy that forbids devices", refusing("SecurityError", "true"),
		"Camera and microphone are blocked.", "Ada has no camera or microphone on.",
	}, {
		"no devices", refusing("NotFoundError", "true"),
		"No camera or microphone was found. You are in the call without them.", "Ada has no camera or microphone on.",
	}, {
		"no camera", refusing("NotFoundError", "wanted.video"),
		"No camera was found. The others hear you, but do not see you.", "Ada has no camera on.",
	}, {
		"no microphone", refusing("NotFoundError", "wanted.audio"),
		"No microphone was found. The others see you, but do not hear you.", "Ada has no microphone on.",
	}, {
		"a busy camera", refusing("NotReadableError", "wanted.video"),
		"The camera did not start. Another program may be using it. The others hear you, but do not see you.", "Ada has no camera on.",
	}, {
		"busy devices", refusing("NotReadableError", "true"),
		"Camera and microphone did not start. Another program may be using them. You are in the call without them.", "Ada has no camera or microphone on.",
	}, {
		"devices that are aborted", refusing("AbortError", "true"),
		"Camera and microphone did not start.", "Ada has no camera or microphone on.",
	}, {
		"devices refused without a reason", `MediaDevices.prototype.getUserMedia = () => Promise.reject(undefined)`,
		"Camera and microphone did not start. Another program may be using them. You are in the call without them.", "Ada has no camera or microphone on.",
	}, {
		"a getUserMedia that throws at once", `MediaDevices.prototype.getUserMedia = () => { throw new TypeError("thrown by the test"); }`,
		"Camera and microphone did not start.", "Ada has no camera or microphone on.",
	},
}

// openFaultyDemo is openDemo in a browser that has a fault.
func openFaultyDemo(t *testing.T, url, room, name, script string, before ...func(*tab)) *demo {
	t.Helper()
	p := newBlankTab(t, name)
	p.prepare(script)
	p.visit(url + "/demo/")
	return joinDemo(p, room, name, before...)
}

// reads waits until the page shows a sentence.
func (p *tab) reads(sentence string) {
	p.t.Helper()
	p.until("told: "+sentence, fmt.Sprintf(`%s.includes(%q)`, visibleText, sentence))
}

// visibleText is the page's text without the marks that isolate the direction of names.
const visibleText = `document.body.innerText.replace(/[\u2066-\u2069]/g, "").replace(/\s+/g, " ")`

// chatsWith sends a message in each direction.
func (d *demo) chatsWith(other *demo) {
	d.t.Helper()
	for _, each := range [][2]*demo{{d, other}, {other, d}} {
		words := "Hello from " + each[0].name
		each[0].say(words)
		each[1].until("showing the message of "+each[0].name, fmt.Sprintf(`document.querySelector("#chat-log").innerText.includes(%q)`, words))
	}
}

func TestTheDemoSaysWhatIsTheMatterWithDevices(t *testing.T) {
	t.Parallel()
	for _, fault := range faultsOfDevices {
		t.Run(fault.name, func(t *testing.T) {
			takesTurns(t)
			url := startServer(t)
			ada := openFaultyDemo(t, url, "faults", "Ada", fault.script)
			bob := openDemo(t, url, "faults", "Bob", withoutCamera)
			ada.sees(bob)
			ada.click("#call")
			ada.reads(fault.own)
			ada.until("connected", `document.querySelector('.tile[data-data-channel="open"]')`)
			bob.reads(fault.others)
			ada.chatsWith(bob)
		})
	}
}

// On a slow network, a person begins to type before the page's scripts have loaded.
func TestTheDemoKeepsWhatWasTypedBeforeItsScripts(t *testing.T) {
	takesTurns(t)
	url := startServer(t) // it ends after the page, which would report a server that is gone
	ada := newBlankTab(t, "Ada")
	ada.prepare(`document.addEventListener("readystatechange", () => {
		if (document.readyState !== "interactive") return;
		const room = document.querySelector("#room");
		room.value = "typed";
		room.focus();
	})`)
	ada.visit(url + "/demo/?name=Ada")
	ada.until("filled in", `document.querySelector("#name").value === "Ada"`)
	require.Equal(t, "typed", evaluate[string](ada, `document.activeElement.value`))
}

// The person may overlook the browser's question, or the browser never asks.
func TestTheDemoDoesNotWaitForEverForTheCamera(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openFaultyDemo(t, url, "ignored", "Ada", `MediaDevices.prototype.getUserMedia = () => new Promise(() => {})`)
	bob := openDemo(t, url, "ignored", "Bob", withoutCamera)
	ada.sees(bob)
	ada.click("#call")
	ada.reads("Your browser asks whether this page may use camera and microphone. Answer it, or go on without them.")
	require.Equal(t, "Cancel", evaluate[string](ada.tab, `document.querySelector("#hangup").innerText.trim()`))
	ada.click("#hangup")
	ada.until("able to call again", `!document.querySelector("#call").disabled && document.querySelector("#call").innerText.trim() === "Call"`)
	require.True(t, evaluate[bool](ada.tab, `document.querySelector("#notice").hidden`), "the question is over")

	ada.click("#call")
	ada.reads("Answer it, or go on without them.")
	ada.click("#notice-action")
	ada.until("connected", `document.querySelector('.tile[data-data-channel="open"]')`)
	bob.reads("Ada has no camera or microphone on.")
	ada.chatsWith(bob)
}

// The call does not wait for devices that are never listed.
func TestTheDemosSettingsDoNotWaitForEverForTheDevices(t *testing.T) {
	takesTurns(t)
	ada := openFaultyDemo(t, startServer(t), "unlisted", "Ada", `MediaDevices.prototype.enumerateDevices = () => new Promise(() => {})`)
	ada.click("#settings")
	ada.reads("This browser does not say which cameras and microphones there are.")
}

// What was said about a call ends with the call.
func TestTheDemoTakesBackWhatItSaidAboutACall(t *testing.T) {
	takesTurns(t)
	url := startServer(t)
	ada := openFaultyDemo(t, url, "over", "Ada", refusing("NotFoundError", "true"))
	bob := openDemo(t, url, "over", "Bob", withoutCamera)
	ada.sees(bob)
	for _, end := range []string{"#hangup", "#leave"} {
		ada.click("#call")
		ada.reads("You are in the call without them.")
		ada.click(end)
		ada.until("silent about the call", `document.querySelector("#notice").hidden`)
	}
}

// A browser may offer WebRTC, and refuse to connect all the same.
func TestTheDemoSaysThatItsBrowserCannotConnect(t *testing.T) {
	t.Parallel()
	const broken = "This browser could not set up the call with Bob."
	for _, fault := range []demoFault{
		{"no more peers", fewPeers.script, "This browser could not connect with everybody.", "Ada’s browser cannot make calls."},
		{"no offers", noOffers.script, broken, "Ada has not answered yet."},
	} {
		t.Run(fault.name, func(t *testing.T) {
			takesTurns(t)
			url := startServer(t)
			ada := openFaultyDemo(t, url, "broken", "Ada", fault.script)
			bob := openDemo(t, url, "broken", "Bob", withoutCamera)
			ada.sees(bob)
			bob.click("#call")
			if fault.own == broken {
				ada.reads("Bob is calling. Nobody sees or hears you until you press Answer.")
				ada.click("#call")
			}
			ada.reads(fault.own)
			bob.reads(fault.others)
			ada.chatsWith(bob)
		})
	}
}

// A browser without WebRTC: WebKitGTK's, or any under some policies and extensions.
func TestTheDemoGoesOnInABrowserThatCannotCall(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"no RTCPeerConnection":           `delete window.RTCPeerConnection`,
		"an RTCPeerConnection by policy": `window.RTCPeerConnection = class { constructor() { throw new DOMException("forbidden by the test", "NotAllowedError"); } }`,
	} {
		t.Run(name, func(t *testing.T) {
			takesTurns(t)
			url := startServer(t)
			ada := openFaultyDemo(t, url, "without", "Ada", script)
			bob := openDemo(t, url, "without", "Bob")
			ada.sees(bob)
			ada.reads("This browser cannot make calls. You can still chat and see who is here.")
			require.True(t, evaluate[bool](ada.tab, `document.querySelector("#call").hidden`), "nothing that cannot work is offered")
			bob.reads("Ada’s browser cannot make calls.")
			ada.chatsWith(bob)

			// With a third person there is somebody to call. Ada is left out, and both know.
			cleo := openDemo(t, url, "without", "Cleo", withoutCamera)
			bob.sees(cleo)
			bob.click("#call")
			bob.until("connected with Cleo", bob.tileOf(cleo)+`?.dataset.dataChannel === "open"`)
			cleo.plays(bob)
			bob.reads("Ada’s browser cannot make calls.")
			cleo.reads("Ada’s browser cannot make calls.")
			require.True(t, evaluate[bool](bob.tab, `!`+bob.tileOf(ada)), "a call that never comes about is not shown")
			ada.reads("This browser cannot make calls.")
			ada.chatsWith(bob)
		})
	}
}

// These faults take away a convenience. Nothing is said about what nobody would miss.
func TestTheDemoGoesOnWithoutConveniences(t *testing.T) {
	t.Parallel()
	conveniences := map[string]string{
		"storage blocked": `for (const name of ["localStorage", "sessionStorage"]) {
			Object.defineProperty(window, name, { get() { throw new DOMException("blocked by the test", "SecurityError"); } });
		}`,
		"storage full":            `Storage.prototype.setItem = () => { throw new DOMException("full, says the test", "QuotaExceededError"); }`,
		"the language C":          `Object.defineProperty(Navigator.prototype, "language", { value: "C" }); Object.defineProperty(Navigator.prototype, "languages", { value: ["C"] })`,
		"no Intl.ListFormat":      `delete Intl.ListFormat; delete Intl.Segmenter`,
		"no randomUUID":           `delete Crypto.prototype.randomUUID`,
		"no AudioContext":         `delete window.AudioContext`,
		"AudioContext throws":     `window.AudioContext = class { constructor() { throw new DOMException("blocked by the test", "NotSupportedError"); } }`,
		"AudioContext suspended":  `AudioContext.prototype.resume = () => Promise.reject(new DOMException("blocked by the test", "NotAllowedError"))`,
		"no setSinkId":            `delete HTMLMediaElement.prototype.setSinkId`,
		"no enumerateDevices":     `delete MediaDevices.prototype.enumerateDevices`,
		"enumerateDevices throws": `MediaDevices.prototype.enumerateDevices = () => Promise.reject(new DOMException("blocked by the test", "NotAllowedError"))`,
		"no permissions":          `delete Navigator.prototype.permissions`,
		"permissions reject":      `Permissions.prototype.query = () => Promise.reject(new TypeError("unknown to the test"))`,
		"no getDisplayMedia":      `delete MediaDevices.prototype.getDisplayMedia`,
		"no full screen":          `delete Element.prototype.requestFullscreen; Object.defineProperty(Document.prototype, "fullscreenEnabled", { value: false })`,
		"always hidden":           `Object.defineProperty(Document.prototype, "hidden", { value: true }); Object.defineProperty(Document.prototype, "visibilityState", { value: "hidden" })`,
		"no audio levels":         `RTCRtpReceiver.prototype.getSynchronizationSources = undefined; RTCRtpReceiver.prototype.getStats = () => Promise.reject(new DOMException("refused by the test", "InvalidStateError"))`,
		"replaceState throws":     noHistory.script,
		"setSinkId throws":        `localStorage.setItem("demo-speaker", "the former one"); HTMLMediaElement.prototype.setSinkId = () => { throw new DOMException("blocked by the test", "NotAllowedError"); }`,
		"getSettings throws":      `MediaStreamTrack.prototype.getSettings = () => { throw new DOMException("blocked by the test", "NotSupportedError"); }`,
		"no network information":  `delete Navigator.prototype.connection`,
	}
	for row, name := range slices.Sorted(maps.Keys(conveniences)) {
		if !isChosen(row) {
			continue
		}
		script := conveniences[name]
		t.Run(name, func(t *testing.T) {
			takesTurns(t)
			url := startServer(t)
			ada := openFaultyDemo(t, url, "plain", "Ada", script)
			bob := openDemo(t, url, "plain", "Bob", withoutCamera)
			ada.sees(bob)
			ada.click("#call")
			bob.plays(ada)
			ada.chatsWith(bob)
			ada.click("#settings")
			ada.until("showing its settings", `document.querySelector("#settings-dialog").open`)
			ada.click("#settings-close")
			ada.until("without its settings", `!document.querySelector("#settings-dialog").open`)
			ada.click("#full")
			ada.until("filling the window", `Math.round(document.querySelector("#stage").getBoundingClientRect().height) === innerHeight`)
			ada.press("\x1b")
			ada.until("itself again", `document.querySelector("#stage").getBoundingClientRect().height < innerHeight`)
		})
	}
}
