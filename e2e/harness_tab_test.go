package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// tab is a page in a browser context of its own. An error in its console fails the
// test, and so does a violation of the content security policy.
type tab struct {
	t    *testing.T
	name string
	ctx  context.Context

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
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...settings) {
			super(...settings);
			window.peerConnections.push(this);
		}
	};`

// newTab makes a tab without a page, in the browser of a context.
func newTab(t *testing.T, name string, in context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	p := &tab{t: t, name: name}
	ctx, cancel := chromedp.NewContext(in, append(options, chromedp.WithListener(p.listen))...)
	p.ctx = ctx
	t.Cleanup(func() {
		p.finish()
		cancel()
	})
	// Not a deadline: the page lives as long as the context of this call.
	tooLate := time.AfterFunc(within, cancel)
	require.NoError(t, chromedp.Do(ctx))
	tooLate.Stop()
	return p
}

// openTab opens a page in a new browser context. Camera and microphone are allowed:
// without them a browser hides the addresses that peers need.
func openTab(t *testing.T, name, url string) *tab {
	t.Helper()
	p := newBlankTab(t, name)
	p.do(chromedp.Navigate(url))
	return p
}

// openFailingTab opens a page whose requests fail from the beginning.
func openFailingTab(t *testing.T, name, url string) *tab {
	t.Helper()
	p := newBlankTab(t, name)
	p.expectFailedRequests()
	p.do(chromedp.Navigate(url))
	return p
}

// newBlankTab makes a tab that may use camera and microphone.
func newBlankTab(t *testing.T, name string) *tab {
	t.Helper()
	p := newTab(t, name, sharedBrowser.context(t), chromedp.WithNewBrowserContext())
	for _, device := range []string{"camera", "microphone"} {
		_, err := chromedp.CallBrowser(p.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission:       &browser.PermissionDescriptor{Name: device},
			Setting:          browser.PermissionSettingGranted,
			BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
		})
		require.NoError(t, err)
	}
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: rememberConnections})
		return err
	}))
	return p
}

// listen collects the lines of the page's console. It is called before the command that
// follows an event returns, so no line is missed.
func (p *tab) listen(e any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, argument := range e.Args {
			words = append(words, strings.Trim(string(argument.Value)+" "+argument.Description, ` "`))
		}
		// The demo warns when it recovers from something. In these tests there is
		// nothing to recover from.
		bad := e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning ||
			e.Type == runtime.ConsoleAPICalledTypeAssert
		p.note(bad, "console.%s: %s", e.Type, strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.note(true, "exception: %s", text)
	case *log.EventEntryAdded:
		bad := e.Entry.Level == log.EntryLevelError && !(p.offline && e.Entry.Source == log.EntrySourceNetwork)
		p.note(bad, "%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	}
}

func (p *tab) note(bad bool, format string, values ...any) {
	line := fmt.Sprintf(format, values...)
	p.console = append(p.console, line)
	if bad {
		p.problems = append(p.problems, line)
	}
}

// expectFailedRequests lets requests fail from now on, for tests that cut the page's
// connections.
func (p *tab) expectFailedRequests() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offline = true
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
	if !p.t.Failed() || closed {
		return
	}
	p.t.Logf("console of %s:\n%s", p.name, strings.Join(console, "\n"))
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	p.t.Logf("text of %s (%v):\n%s", p.name, err, text)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...), p.name)
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// write puts text into a field at once, as pasting does. Typed key by key, it would
// take a busy browser too long.
func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.do(
		chromedp.Focus(chromedp.CSS(selector)),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: text})
			return err
		}),
	)
}

// close closes the page as a person does, so the page may still say that it leaves.
func (p *tab) close() {
	p.t.Helper()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.Close, cdp.Empty{})
		return err
	}))
}

// evaluate returns the value of an expression, or of the promise that it returns. The
// page's policy allows this, though it forbids eval.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, "%s: %s", p.name, expression)
	return value
}

// until waits until a condition holds in the page.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	p.untilIn(within, what, expression)
}

func (p *tab) untilIn(limit time.Duration, what, expression string) {
	p.t.Helper()
	var last error
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	holds := func() bool {
		value, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean(await (async () => "+expression+")())", replMode))
		last = err
		return value
	}
	for !holds() {
		select {
		case <-ctx.Done():
			require.FailNow(p.t, p.name+": not "+what, "waited %s for: %s (last error: %v)", limit, expression, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// replMode evaluates an expression as if a person typed it into the console: await may
// be anywhere.
func replMode(e *runtime.EvaluateParams) {
	yes := true
	e.ReplMode = &yes
	e.AwaitPromise = &yes
}

// types and press do what a person does with a keyboard.
func (p *tab) types(text string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(text))
}

func (p *tab) press(key string) { p.types(key) }

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

// forgive forgets the errors of the page's console. If exceptOf is not empty, the
// errors that contain it stay.
func (p *tab) forgive(exceptOf string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = slices.DeleteFunc(p.problems, func(line string) bool { return exceptOf == "" || !strings.Contains(line, exceptOf) })
}
