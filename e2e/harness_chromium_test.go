package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// chromiumEngine is one Chromium process. Each page has a context of its own in it.
type chromiumEngine struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

func (e *chromiumEngine) name() string { return "Chromium" }

func (e *chromiumEngine) start() {
	path := findChromium()
	if path == "" {
		e.err = fmt.Errorf("Chromium is %w: install the package chromium-headless-shell", errNotInstalled)
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // the browser's sandbox does not work in a container
		chromedp.Flag("allow-loopback-in-peer-connection", true),
		// Few frames a second: six videos at a time are a lot for two processors.
		chromedp.Flag("use-fake-device-for-media-stream", "fps=10"),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.WindowSize(1280, 800),
	)
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	e.ctx = ctx
	e.end = func() {
		closeBrowser()
		closeAllocator()
	}
	// Not a deadline: the browser lives as long as the context of this call.
	tooLate := time.AfterFunc(time.Minute, closeBrowser)
	e.err = chromedp.Do(ctx)
	tooLate.Stop()
}

func (e *chromiumEngine) stop() {
	if e.end != nil {
		e.end()
	}
}

func findChromium() string {
	for _, name := range []string{
		"chromium-headless-shell", "chrome-headless-shell", "headless-shell",
		"chromium", "chromium-browser", "google-chrome",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// chromiumPage is a page in a browser context. Its context is chromedp's.
type chromiumPage struct {
	ctx    context.Context
	cancel func()
}

func (e *chromiumEngine) newPage(p *tab) (page, error) {
	e.once.Do(e.start)
	if e.err != nil {
		return nil, e.err
	}
	c, err := newChromiumPage(e.ctx, p, chromedp.WithNewBrowserContext())
	if err != nil {
		return nil, err
	}
	for _, device := range []string{"camera", "microphone"} {
		_, err := chromedp.CallBrowser(c.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission:       &browser.PermissionDescriptor{Name: device},
			Setting:          browser.PermissionSettingGranted,
			BrowserContextID: chromedp.FromContext(c.ctx).BrowserContextID,
		})
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// newChromiumPage opens a blank page in the browser of a context.
func newChromiumPage(in context.Context, p *tab, options ...chromedp.ContextOption) (*chromiumPage, error) {
	ctx, cancel := chromedp.NewContext(in, append(options, chromedp.WithListener(p.listen))...)
	p.ctx = ctx
	// Not a deadline: the page lives as long as the context of this call.
	tooLate := time.AfterFunc(within, cancel)
	defer tooLate.Stop()
	return &chromiumPage{ctx, cancel}, chromedp.Do(ctx)
}

// listen collects the lines of the page's console. It is called before the command that
// follows an event returns, so no line is missed.
func (p *tab) listen(e any) {
	switch e := e.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, argument := range e.Args {
			words = append(words, strings.Trim(string(argument.Value)+" "+argument.Description, ` "`))
		}
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
		line := fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source == log.EntrySourceNetwork {
			p.noteFailedRequest(line)
		} else {
			p.note(e.Entry.Level == log.EntryLevelError, "%s", line)
		}
	}
}

func (c *chromiumPage) navigate(ctx context.Context, url string) error {
	return chromedp.Do(ctx, chromedp.Navigate(url))
}

func (c *chromiumPage) back(ctx context.Context) error {
	return chromedp.Do(ctx, chromedp.NavigateBack())
}

func (c *chromiumPage) prepare(ctx context.Context, script string) error {
	return chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdppage.AddScriptToEvaluateOnNewDocument,
			cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}

func (c *chromiumPage) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if len(value) == 0 {
		value = []byte("null")
	}
	return value, err
}

func (c *chromiumPage) click(ctx context.Context, selector string) error {
	return chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
}

// write writes all of the text at once, as pasting does. Typed key by key, it would take a
// busy browser too long.
func (c *chromiumPage) write(ctx context.Context, selector, text string) error {
	return chromedp.Do(ctx,
		chromedp.Focus(chromedp.CSS(selector)),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: text})
			return err
		}),
	)
}

func (c *chromiumPage) types(ctx context.Context, text string) error {
	return chromedp.Do(ctx, chromedp.KeyEvent(text))
}

func (c *chromiumPage) wear(ctx context.Context, l look) error {
	return chromedp.Do(ctx, l.put())
}

func (c *chromiumPage) screenshot(ctx context.Context) ([]byte, error) {
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

func (c *chromiumPage) close(ctx context.Context) error {
	return chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdppage.Close, cdp.Empty{})
		return err
	}))
}

func (c *chromiumPage) release() { c.cancel() }

// do does in Chromium what other browsers cannot do.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...), p.name)
}

// replMode evaluates an expression as if a person typed it into the console: await may
// be anywhere.
func replMode(e *runtime.EvaluateParams) {
	yes := true
	e.ReplMode = &yes
	e.AwaitPromise = &yes
}
