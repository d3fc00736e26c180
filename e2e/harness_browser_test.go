package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// sharedBrowser is the browser process that all tests share. Each page has a context of
// its own in it, as if it belonged to another person.
var sharedBrowser browserProcess

type browserProcess struct {
	once  sync.Once
	ctx   context.Context
	close func()
	err   error
}

var errNoBrowser = errors.New("no Chromium is installed: install the package chromium-headless-shell")

// context returns the browser's context. It skips the test if no browser is installed,
// or fails it if REQUIRE_BROWSER is set.
func (b *browserProcess) context(t *testing.T) context.Context {
	t.Helper()
	b.once.Do(b.start)
	if errors.Is(b.err, errNoBrowser) && os.Getenv("REQUIRE_BROWSER") != "1" {
		t.Skip("NOT TESTED: " + b.err.Error())
	}
	require.NoError(t, b.err)
	return b.ctx
}

// turns bounds how many tests use the browser at the same time. Pages measure times, and
// have time-outs. If far more pages ran than there are processors, both would be wrong.
var turns = make(chan struct{}, 3)

// takesTurns lets a test that uses the browser run beside other tests, but beside only a
// few that use the browser.
func takesTurns(t *testing.T) {
	t.Parallel()
	turns <- struct{}{}
	t.Cleanup(func() { <-turns })
}

func (b *browserProcess) start() {
	path := findBrowser()
	if path == "" {
		b.err = errNoBrowser
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
	b.ctx = ctx
	b.close = func() {
		closeBrowser()
		closeAllocator()
	}
	// Not a deadline: the browser lives as long as the context of this call.
	tooLate := time.AfterFunc(time.Minute, closeBrowser)
	b.err = chromedp.Do(ctx)
	tooLate.Stop()
}

func (b *browserProcess) stop() {
	if b.close != nil {
		b.close()
	}
}

func findBrowser() string {
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
