package e2e

import (
	"os"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var connectTwoPeers = regexp.MustCompile("(?s)<!-- test:connect-two-peers -->\\s*```js\n(.*?)```")

// The first thing that newcomers copy from the README must work as it stands
// there, in two browsers that know nothing but the server's address.
func TestATenLineBrowserStart(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	match := connectTwoPeers.FindSubmatch(readme)
	if match == nil {
		t.Skip("NOT TESTED: README.md has no js block behind <!-- test:connect-two-peers -->")
	}
	url := startServer(t)
	tabs := []*tab{openTab(t, "the first", url+"/livez"), openTab(t, "the second", url+"/livez")}
	for _, p := range tabs {
		p.do(chromedp.Evaluate[chromedp.Void](string(match[1]), replMode))
	}
	for _, p := range tabs {
		p.until("connected", `window.connected === true`)
	}
}
