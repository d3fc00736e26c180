package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tab is a page of a person of its own, in one of the browsers. An error in its console
// fails the test, and so does a violation of the content security policy.
type tab struct {
	t    *testing.T
	name string
	page page
	ctx  context.Context // lives as long as the page

	mu       sync.Mutex // guards what follows
	console  []string   // all of the console's lines
	problems []string   // the lines that are errors
	offline  bool       // failed requests are expected
	closed   bool
}

// rememberConnections lets tests ask the page's peer connections for their statistics.
// A page that consists of modules gives no other access to them.
const rememberConnections = `
	window.peerConnections = [];
	if (window.RTCPeerConnection) window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...settings) {
			super(...settings);
			window.peerConnections.push(this);
		}
	};`

// openTab opens a page in Chromium.
func openTab(t *testing.T, name, url string) *tab {
	t.Helper()
	p := newBlankTab(t, name)
	p.visit(url)
	return p
}

// openTabIn opens a page in a browser.
func openTabIn(e engine, t *testing.T, name, url string) *tab {
	t.Helper()
	p := newBlankTabIn(e, t, name)
	p.visit(url)
	return p
}

// openFailingTab opens a page whose requests fail from the beginning.
func openFailingTab(t *testing.T, name, url string) *tab {
	t.Helper()
	return openFailingTabIn(chromium, t, name, url)
}

func openFailingTabIn(e engine, t *testing.T, name, url string) *tab {
	t.Helper()
	p := newBlankTabIn(e, t, name)
	p.expectFailedRequests()
	p.visit(url)
	return p
}

func newBlankTab(t *testing.T, name string) *tab {
	t.Helper()
	return newBlankTabIn(chromium, t, name)
}

func newBlankTabIn(e engine, t *testing.T, name string) *tab {
	t.Helper()
	p := newTab(t, name, e.newPage)
	p.prepare(rememberConnections)
	return p
}

// newTab makes a tab of the page that a function opens.
func newTab(t *testing.T, name string, open func(*tab) (page, error)) *tab {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &tab{t: t, name: name, ctx: ctx}
	var err error
	p.page, err = open(p)
	t.Cleanup(func() {
		p.finish()
		if p.page != nil {
			p.page.release()
		}
		cancel()
	})
	requireBrowser(t, err)
	require.NoError(t, err, "opening "+name)
	return p
}

// note keeps a line of the console.
func (p *tab) note(bad bool, format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf(format, values...)
	p.console = append(p.console, line)
	// The page did not ask for it: a browser looks for an icon by itself.
	if bad && !strings.Contains(line, "/favicon.ico") {
		p.problems = append(p.problems, line)
	}
}

// noteFailedRequest keeps the line of a request that failed. It is an error unless the
// test expects it, or is over: then its tabs are closed one after the other, and what one
// says to another that has gone is refused.
func (p *tab) noteFailedRequest(line string) {
	p.mu.Lock()
	expected := p.offline || p.t.Context().Err() != nil
	p.mu.Unlock()
	p.note(!expected, "%s", line)
}

// expectFailedRequests lets requests fail from now on, for tests that cut the page's
// connections.
func (p *tab) expectFailedRequests() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offline = true
}

// forgive forgets the errors of the page's console. If exceptOf is not empty, the
// errors that contain it stay.
func (p *tab) forgive(exceptOf string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = slices.DeleteFunc(p.problems, func(line string) bool { return exceptOf == "" || !strings.Contains(line, exceptOf) })
}

// finish judges the page when its test is over. If the test has failed, it logs what
// the page shows.
func (p *tab) finish() {
	p.mu.Lock()
	problems, console, closed := slices.Clone(p.problems), slices.Clone(p.console), p.closed
	p.mu.Unlock()
	if len(problems) > 0 {
		p.t.Errorf("the console of %s has errors:\n%s", p.name, strings.Join(problems, "\n"))
	}
	if !p.t.Failed() || closed || p.page == nil {
		return
	}
	p.t.Logf("console of %s:\n%s", p.name, strings.Join(console, "\n"))
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	var text string
	value, err := p.page.evaluate(ctx, `document.body.innerText`)
	if err == nil {
		err = json.Unmarshal(value, &text)
	}
	p.t.Logf("text of %s (%v):\n%s", p.name, err, text)
}

// attempt does something with the page, and fails the test if it takes too long.
func (p *tab) attempt(what string, do func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	require.NoError(p.t, do(ctx), "%s: %s", p.name, what)
}

// prepare runs a script in each document that the tab opens from now on, before the
// document's own scripts.
func (p *tab) prepare(script string) {
	p.t.Helper()
	p.attempt("preparing", func(ctx context.Context) error { return p.page.prepare(ctx, script) })
}

// visit opens a page in the tab.
func (p *tab) visit(url string) {
	p.t.Helper()
	p.attempt("opening "+url, func(ctx context.Context) error { return p.page.navigate(ctx, url) })
}

// goBack goes to the page before, as the browser's button does.
func (p *tab) goBack() {
	p.t.Helper()
	p.attempt("going back", p.page.back)
}

// click clicks on an element that has come to rest: a click aims before it arrives.
func (p *tab) click(selector string) {
	p.t.Helper()
	place := `JSON.stringify(document.querySelector(` + inJSON(selector) + `)?.getBoundingClientRect())`
	p.until("resting "+selector, `{
		const before = `+place+`;
		if (!before) return false;
		await new Promise((resolve) => setTimeout(resolve, 20));
		return before === `+place+`;
	}`)
	p.attempt("clicking on "+selector, func(ctx context.Context) error { return p.page.click(ctx, selector) })
}

// flashes does something, and waits until an element has shown a text since, however short.
func (p *tab) flashes(selector, text string, do func()) {
	p.t.Helper()
	evaluate[any](p, `{
		const element = document.querySelector(`+inJSON(selector)+`);
		window.flashed = [];
		new MutationObserver(() => flashed.push(element.textContent.trim())).observe(element, { childList: true, subtree: true, characterData: true });
	}`)
	do()
	p.until("showing "+text, `flashed.includes(`+inJSON(text)+`)`)
}

// wear gives the page a size and a color scheme.
func (p *tab) wear(l look) {
	p.t.Helper()
	p.attempt("wearing "+l.name, func(ctx context.Context) error { return p.page.wear(ctx, l) })
}

// screenshot writes what the page shows into a file, as PNG.
func (p *tab) screenshot(path string) {
	p.t.Helper()
	p.attempt("taking a picture", func(ctx context.Context) error {
		picture, err := p.page.screenshot(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile(path, picture, 0o644)
	})
}

// types and press do what a person does with a keyboard.
func (p *tab) types(text string) {
	p.t.Helper()
	p.attempt("typing", func(ctx context.Context) error { return p.page.types(ctx, text) })
}

func (p *tab) press(key string) {
	p.t.Helper()
	p.types(key)
}

// tabTo presses the tabulator key until an element has the focus.
func (p *tab) tabTo(id string) {
	p.t.Helper()
	for range 60 {
		if evaluate[string](p, `document.activeElement.id`) == id {
			return
		}
		p.press("\t")
	}
	require.FailNow(p.t, "the tabulator key does not lead to "+id, p.name)
}

func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.until("showing the field "+selector, `document.querySelector(`+inJSON(selector)+`)?.checkVisibility()`)
	p.attempt("writing into "+selector, func(ctx context.Context) error { return p.page.write(ctx, selector, text) })
}

// inJSON returns a value as JavaScript reads it.
func inJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // tests pass only values that JSON has
	}
	return string(text)
}

// close closes the page as a person does, so the page may still say that it leaves.
func (p *tab) close() {
	p.t.Helper()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.attempt("closing", p.page.close)
}

// evaluate returns the value of an expression, or of the promise that it returns. The
// page's policy allows this, though it forbids eval.
func evaluate[T any](p *tab, expression string) (value T) {
	p.t.Helper()
	p.attempt(expression, func(ctx context.Context) error {
		text, err := p.page.evaluate(ctx, expression)
		if err != nil {
			return err
		}
		if string(text) == "null" && any(value) != nil {
			return fmt.Errorf("the value is null or undefined, not a %T", value)
		}
		return json.Unmarshal(text, &value)
	})
	return value
}

// until waits until a condition holds in the page. The condition is an expression, or a
// function's body in braces. Both may await promises.
func (p *tab) until(what, condition string) {
	p.t.Helper()
	p.untilIn(within, what, condition)
}

func (p *tab) untilIn(limit time.Duration, what, condition string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	for {
		value, err := p.page.evaluate(ctx, "(async () => Boolean(await (async () => "+condition+")()))()")
		if err == nil && string(value) == "true" {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNow(p.t, p.name+": not "+what, "waited %s for: %s (last error: %v)", limit, condition, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
