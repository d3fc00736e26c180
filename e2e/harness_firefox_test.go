package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// firefoxEngine is one Firefox process. Each page has a user context of its own in it,
// which Firefox calls a container.
type firefoxEngine struct {
	once    sync.Once
	folder  string // the browser's profile and home
	command *exec.Cmd
	ended   <-chan struct{} // closed when the command has ended
	bidi    *bidi
	err     error
}

// firefoxPreferences are beside those that Firefox sets itself when a program drives
// it. Those switch off updates, telemetry and the like.
const firefoxPreferences = `
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.autoplay.default", 0);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
`

func (e *firefoxEngine) name() string { return "Firefox" }

func (e *firefoxEngine) start() {
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		e.err = fmt.Errorf("Firefox is %w: install the package firefox-esr", errNotInstalled)
		return
	}
	if e.folder, e.err = os.MkdirTemp("", "signaling-firefox-"); e.err != nil {
		return
	}
	if e.err = os.WriteFile(filepath.Join(e.folder, "user.js"), []byte(firefoxPreferences), 0o600); e.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// With access to the system a test can choose the color scheme of a page.
	e.command = exec.Command(path, "--headless", "--new-instance", "--profile", e.folder,
		"--remote-debugging-port", "0", "--remote-allow-system-access")
	e.command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.folder, "MOZ_HEADLESS_WIDTH=1280", "MOZ_HEADLESS_HEIGHT=800"}
	var address string
	if address, e.ended, e.err = startAndFind(ctx, e.command, "WebDriver BiDi listening on "); e.err != nil {
		return
	}
	if e.bidi, e.err = dialBidi(ctx, address+"/session"); e.err != nil {
		return
	}
	e.err = errors.Join(
		e.bidi.call(ctx, "session.new", fields{"capabilities": fields{}}, nil),
		e.bidi.call(ctx, "session.subscribe", fields{"events": []string{"log.entryAdded", "network.responseCompleted", "network.fetchError"}}, nil),
	)
}

// startAndFind starts a command, and returns what follows a text in a line of its
// standard error. What the command writes later is dropped.
func startAndFind(ctx context.Context, command *exec.Cmd, text string) (rest string, ended <-chan struct{}, err error) {
	stderr, err := command.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	if ended, err = startOwned(command); err != nil {
		return "", nil, err
	}
	found := make(chan string, 1)
	go func() { // ends with the command
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if _, rest, ok := strings.Cut(lines.Text(), text); ok {
				select {
				case found <- rest:
				default: // only the first line counts
				}
			}
		}
	}()
	select {
	case rest = <-found:
		return rest, ended, nil
	case <-ctx.Done():
		return "", ended, fmt.Errorf("%s does not say %q: %w", command.Path, text, ctx.Err())
	}
}

func (e *firefoxEngine) stop() {
	if e.bidi != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		e.bidi.call(ctx, "browser.close", fields{}, nil) // if it does not end by itself, it is killed
		cancel()
		e.bidi.close()
	}
	if e.ended != nil {
		late := time.AfterFunc(10*time.Second, func() { e.command.Process.Kill() })
		<-e.ended
		late.Stop()
	}
	if e.folder != "" {
		os.RemoveAll(e.folder)
	}
}

// firefoxPage is the only window of a user context.
type firefoxPage struct {
	*bidi
	browsingContext string
	userContext     string
}

func (e *firefoxEngine) newPage(p *tab) (page, error) {
	e.once.Do(e.start)
	if e.err != nil {
		return nil, e.err
	}
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	var made struct{ UserContext, Context string }
	if err := e.bidi.call(ctx, "browser.createUserContext", fields{}, &made); err != nil {
		return nil, err
	}
	f := &firefoxPage{bidi: e.bidi, userContext: made.UserContext}
	// A window, since Firefox slows down the timers of a tab that is not shown.
	if err := f.call(ctx, "browsingContext.create", fields{"type": "window", "userContext": f.userContext}, &made); err != nil {
		return f, err
	}
	f.browsingContext = made.Context
	f.listen(f.browsingContext, func(m bidiMessage) { noteOfFirefox(p, m) })
	return f, nil
}

// noteOfFirefox collects the lines of a page's console, and the requests that failed.
func noteOfFirefox(p *tab, m bidiMessage) {
	var event struct {
		Level, Text, Type, Method, ErrorText string
		Request                              struct{ URL string }
		Response                             struct{ Status int }
	}
	if err := json.Unmarshal(m.Params, &event); err != nil {
		p.note(true, "%s: %v", m.Method, err)
		return
	}
	switch {
	case m.Method == "log.entryAdded":
		p.note(event.Level == "error" || event.Level == "warn", "%s.%s: %s", event.Type, event.Level, event.Text)
	case m.Method == "network.responseCompleted" && event.Response.Status >= 400:
		p.noteFailedRequest(fmt.Sprintf("network: status %d of %s", event.Response.Status, event.Request.URL))
	}
}

func (f *firefoxPage) navigate(ctx context.Context, url string) error {
	return f.call(ctx, "browsingContext.navigate", fields{"context": f.browsingContext, "url": url, "wait": "complete"}, nil)
}

func (f *firefoxPage) back(ctx context.Context) error {
	return f.call(ctx, "browsingContext.traverseHistory", fields{"context": f.browsingContext, "delta": -1}, nil)
}

func (f *firefoxPage) prepare(ctx context.Context, script string) error {
	return f.call(ctx, "script.addPreloadScript", fields{
		"functionDeclaration": "() => {" + script + "}", "userContexts": []string{f.userContext},
	}, nil)
}

func (f *firefoxPage) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	value, err := f.value(ctx, expression)
	if err != nil {
		return nil, err
	}
	return value.inJSON()
}

func (f *firefoxPage) value(ctx context.Context, expression string) (bidiValue, error) {
	return f.valueIn(ctx, f.browsingContext, expression)
}

func (f *firefoxPage) valueIn(ctx context.Context, browsingContext, expression string) (bidiValue, error) {
	var evaluated struct {
		Result           bidiValue
		ExceptionDetails *struct{ Text string }
	}
	err := f.call(ctx, "script.evaluate", fields{
		"expression": expression, "target": fields{"context": browsingContext}, "awaitPromise": true,
	}, &evaluated)
	if err == nil && evaluated.ExceptionDetails != nil {
		err = errors.New(evaluated.ExceptionDetails.Text)
	}
	return evaluated.Result, err
}

func (f *firefoxPage) click(ctx context.Context, selector string) error {
	element, err := f.value(ctx, `new Promise((visible) => {
		const look = () => {
			const element = document.querySelector(`+inJSON(selector)+`);
			if (!element?.checkVisibility()) return setTimeout(look, 50);
			element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
			visible(element);
		};
		look();
	})`)
	if err != nil {
		return err
	}
	return f.perform(ctx, fields{"type": "pointer", "id": "mouse", "actions": []fields{
		{"type": "pointerMove", "x": 0, "y": 0, "origin": fields{"type": "element", "element": fields{"sharedId": element.SharedID}}},
		{"type": "pointerDown", "button": 0},
		{"type": "pointerUp", "button": 0},
	}})
}

func (f *firefoxPage) write(ctx context.Context, selector, text string) error {
	_, err := f.value(ctx, `document.querySelector(`+inJSON(selector)+`).focus(); document.execCommand("insertText", false, `+inJSON(text)+`)`)
	return err
}

func (f *firefoxPage) perform(ctx context.Context, actions fields) error {
	return f.call(ctx, "input.performActions", fields{"context": f.browsingContext, "actions": []fields{actions}}, nil)
}

// keys are those of WebDriver for characters that are not text.
var keys = strings.NewReplacer("\t", "\uE004", "\r", "\uE006")

func (f *firefoxPage) types(ctx context.Context, text string) error {
	var presses []fields
	for _, key := range keys.Replace(text) {
		presses = append(presses, fields{"type": "keyDown", "value": string(key)}, fields{"type": "keyUp", "value": string(key)})
	}
	return f.perform(ctx, fields{"type": "key", "id": "keyboard", "actions": presses})
}

// wear asks the browser itself for the color scheme: WebDriver BiDi has no command for
// that.
func (f *firefoxPage) wear(ctx context.Context, l look) error {
	err := f.call(ctx, "browsingContext.setViewport", fields{
		"context": f.browsingContext, "viewport": fields{"width": l.width, "height": l.height},
	}, nil)
	if err != nil {
		return err
	}
	var system struct{ Contexts []struct{ Context string } }
	if err := f.call(ctx, "browsingContext.getTree", fields{"moz:scope": "chrome", "maxDepth": 0}, &system); err != nil {
		return err
	}
	_, err = f.valueIn(ctx, system.Contexts[0].Context, `
		ChromeUtils.importESModule("chrome://remote/content/shared/NavigableManager.sys.mjs").NavigableManager
			.getBrowsingContextById(`+inJSON(f.browsingContext)+`).prefersColorSchemeOverride = `+inJSON(l.scheme))
	return err
}

func (f *firefoxPage) screenshot(ctx context.Context) ([]byte, error) {
	var picture struct{ Data []byte }
	err := f.call(ctx, "browsingContext.captureScreenshot", fields{"context": f.browsingContext}, &picture)
	return picture.Data, err
}

func (f *firefoxPage) close(ctx context.Context) error {
	return f.call(ctx, "browsingContext.close", fields{"context": f.browsingContext}, nil)
}

func (f *firefoxPage) release() {
	f.listen(f.browsingContext, nil)
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	f.call(ctx, "browser.removeUserContext", fields{"userContext": f.userContext}, nil) // a browser that has ended has none
}
