package e2e

import (
	"fmt"
	"testing"
)

// pressButton clicks the first visible button whose text begins with this.
func (p *tab) pressButton(text string) {
	p.t.Helper()
	p.until("a button "+text, fmt.Sprintf(`{
		const button = [...document.querySelectorAll("button")].find((each) => each.innerText.trim().startsWith(%q) && each.checkVisibility());
		button?.click();
		return Boolean(button);
	}`, text))
}

// openReference opens a part of the reference, and waits until it is drawn.
func openReference(t *testing.T, url, part string) *tab {
	t.Helper()
	return openReferenceIn(chromium, t, url, part)
}

func openReferenceIn(e engine, t *testing.T, url, part string) *tab {
	t.Helper()
	p := openTabIn(e, t, "the reference", url+"/docs/"+part)
	p.until("drawn", `document.body.innerText.includes("/events/batch")`)
	return p
}

// The reference is a program of other authors. Only this test shows that it runs under
// the page's policy, knows what is in the contract, and sends the requests that people
// try.
func TestTheReferenceShowsTheContractAndSendsRequests(t *testing.T) {
	takesTurns(t)
	p := openReference(t, startServer(t), "#tag/monitoring/GET/health")
	p.until("telling of an operation", `document.body.innerText.includes("Health and load")`)
	p.pressButton("Test Request")
	p.pressButton("Send")
	p.until("telling the answer", `document.body.innerText.includes("200 OK")`)
}
