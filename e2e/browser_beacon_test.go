package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// leavesByBeacon is a page of an application at another origin. It joins a room, and
// says that it leaves when it unloads. At that time it is too late to ask the server
// whether a header is allowed.
const leavesByBeacon = `
	const server = %q;
	new EventSource(server + "/events").addEventListener("connected", async (e) => {
		const { token } = JSON.parse(e.data);
		addEventListener("pagehide", () => navigator.sendBeacon(server + "/events", JSON.stringify({ type: "disconnect", token })));
		const answer = await fetch(server + "/events", {
			method: "POST",
			headers: { "Authorization": "Bearer " + token, "Content-Type": "application/json" },
			body: JSON.stringify({ type: "join-room", roomId: "room", userId: "page" }),
		});
		window.joined = answer.status === 202;
	});`

func TestAPageOfAnotherOriginLeavesByBeacon(t *testing.T) {
	takesTurns(t)
	url, elsewhere := startServer(t), serveElsewhere(t, blankPage)
	member := connect(t, url)
	member.join("room", "member")
	p := openTab(t, "page", elsewhere)
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(leavesByBeacon, url), replMode))
	p.until("joined", `window.joined === true`)
	p.do(chromedp.Navigate(elsewhere + "/other"))
	var gone struct{ UserID, Reason string }
	member.await("user-disconnected", &gone)
	require.Equal(t, "page", gone.UserID)
	require.Equal(t, "client disconnect", gone.Reason)
}
