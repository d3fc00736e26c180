package e2e

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// press clicks the first button in sight that bears a text.
func (p *tab) pressButton(text string) {
	p.t.Helper()
	p.until("a button "+text, `{
		const button = [...document.querySelectorAll("button")].find((each) => each.innerText.trim().startsWith("`+text+`") && each.checkVisibility());
		button?.click();
		return Boolean(button);
	}`)
}

// The reference is a program of others: that it runs under the page's policy, knows
// all that the contract has, and sends what is tried, is seen here alone.
func TestTheReferenceShowsTheContractAndSendsRequests(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	p := openTab(t, "the reference", url+"/docs/")
	p.until("drawn", `document.body.innerText.includes("Open or resume a stream")`)
	if dir := os.Getenv("SHOTS_DIR"); dir != "" {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		p.shoot(dir, "docs")
	}

	p = openTab(t, "an operation in the reference", url+"/docs/#tag/monitoring/GET/health")
	p.pressButton("Test Request")
	p.pressButton("Send")
	p.until("telling the answer", `document.body.innerText.includes("200 OK")`)
	if dir := os.Getenv("SHOTS_DIR"); dir != "" {
		p.shoot(dir, "docs-tried")
	}
}
