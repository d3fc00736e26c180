package e2e

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// ownAddress returns an address of this machine at which a browser trusts http as little as
// elsewhere in the network. It trusts http on the loopback interface.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("NOT TESTED: this machine has no address but loopback")
	return ""
}

// A page from another device of a home network hears that a camera needs https. The command
// of the documents gives it https.
func TestACameraInAHomeNetwork(t *testing.T) {
	takesTurns(t)
	address := ownAddress(t)
	const open = `import("/peers.js").then(({ openCamera }) => openCamera()).then((stream) => "opened " + stream.getTracks().length, (error) => error.name + ": " + error.message)`

	plain := openFailingTab(t, "by http", startServer(t, "HOST="+address)+"/demo/")
	require.Equal(t, "SecurityError: A camera needs https: open this page by an https address, or on this computer by http://localhost.", evaluate[string](plain, open))
	plain.forgive("") // the browser complains of headers that are for https

	folder := t.TempDir()
	command := strings.NewReplacer("192.168.1.20", address, "PORT=3443", "PORT=0", "signaling-server\n", "exec \"$0\"\n").Replace(codeBlock(t, "home-https"))
	url := startServerBy(t, []string{"bash", "-ec", "cd " + folder + "\n" + command}, "HOST="+address, "PATH=/usr/bin:/bin")
	require.True(t, strings.HasPrefix(url, "https://"), url)
	secure := newBlankTab(t, "by https")
	secure.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error { // as a person accepts the warning
		_, err := cdp.Call(ctx, target, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
		return err
	}), chromedp.Navigate(url+"/demo/"))
	require.Equal(t, "opened 2", evaluate[string](secure, open))
	require.Equal(t, "in", evaluate[string](secure, `import("/client.js").then(({ io }) => import("/peers.js").then(({ joinRoom }) => joinRoom(io(), "home", { userId: "Ada" }))).then(() => "in")`))
}

// What a browser says of a camera that it does not open becomes a sentence that says what to
// do.
func TestACameraThatDoesNotOpenSaysWhy(t *testing.T) {
	takesTurns(t)
	p := openTab(t, "page", servePage(t, startServer(t), blankPage)+"/page.html")
	says := func(constraints string) string {
		return evaluate[string](p, `import("/peers.js").then(({ openCamera }) => openCamera(`+constraints+`)).then(() => "opened", (error) => error.message)`)
	}
	require.Equal(t, "opened", says(``))
	require.Equal(t, "opened", says(`{ audio: true }`))
	require.Contains(t, says(`{ video: { width: { exact: 1_000_000 } } }`), "use ideal instead of exact")
	require.Contains(t, says(`{}`), "Ask for video, audio or both")
	require.Contains(t, evaluate[string](p, `new Promise((resolve) => {
		const frame = Object.assign(document.createElement("iframe"), { allow: "camera 'none'; microphone 'none'", src: "/page.html" });
		frame.onload = () => resolve(frame.contentWindow.eval("import('/peers.js').then(({ openCamera }) => openCamera()).then(() => 'opened', (error) => error.message)"));
		document.body.append(frame);
	})`), `its <iframe> needs allow="camera; microphone"`)
	p.forgive("") // the browser complains of the frame
}
