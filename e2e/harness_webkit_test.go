package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// webkitEngine starts a driver and a browser for each page: the browser of WebKitGTK has
// no contexts. All of them share one display.
type webkitEngine struct {
	dark bool // its pages have the dark color scheme, which cannot change later

	once    sync.Once
	folder  string // the browsers' home
	browser string // the path of MiniBrowser
	display string
	screen  *exec.Cmd       // the program that is the display
	ended   <-chan struct{} // closed when the display has ended
	err     error
}

func (e *webkitEngine) name() string {
	if e.dark {
		return "dark WebKit"
	}
	return "WebKit"
}

func (e *webkitEngine) start() {
	found, err := filepath.Glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")
	for _, program := range []string{"WebKitWebDriver", "Xvfb"} {
		_, missing := exec.LookPath(program)
		err = errors.Join(err, missing)
	}
	if err != nil || len(found) == 0 {
		e.err = fmt.Errorf("WebKit is %w: install the packages webkit2gtk-driver and xvfb", errNotInstalled)
		return
	}
	e.browser = found[0]
	if e.folder, e.err = os.MkdirTemp("", "signaling-webkit-"); e.err != nil {
		return
	}
	// Without this the bar of the browser keeps the window wider than a phone.
	style := filepath.Join(e.folder, ".config/gtk-3.0/gtk.css")
	e.err = errors.Join(os.MkdirAll(filepath.Dir(style), 0o700), os.WriteFile(style, []byte("* { min-width: 0; padding: 0; margin: 0; font-size: 1px; -gtk-icon-transform: scale(0); }"), 0o600))
	if e.err != nil {
		return
	}
	e.screen = exec.Command("Xvfb", "-displayfd", "1", "-screen", "0", "1600x1200x24", "-nolisten", "tcp")
	e.display, e.ended, e.err = firstLine(e.screen)
}

// firstLine starts a command, and returns the first line that it writes.
func firstLine(command *exec.Cmd) (line string, ended <-chan struct{}, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer out.Close()
	command.Stdout = in
	ended, err = startOwned(command)
	in.Close()
	if err != nil {
		return "", nil, err
	}
	out.SetReadDeadline(time.Now().Add(time.Minute))
	_, err = fmt.Fscanln(out, &line)
	return line, ended, err
}

func (e *webkitEngine) stop() {
	if e.ended != nil {
		e.screen.Process.Signal(syscall.SIGTERM)
		<-e.ended
	}
	if e.folder != "" {
		os.RemoveAll(e.folder)
	}
}

// webkitPage is the only window of a session of WebDriver (W3C).
type webkitPage struct {
	engine  *webkitEngine
	driver  *exec.Cmd
	ended   <-chan struct{} // closed when the driver has ended
	network *watchingProxy  // through which the browser reaches the server
	client  *http.Client
	session string // the address of the session
}

func (e *webkitEngine) newPage(p *tab) (page, error) {
	e.once.Do(e.start)
	if e.err != nil {
		return nil, e.err
	}
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	arguments := []string{"--automation", "--enable-mock-capture-devices=true", "--autoplay-policy=allow"}
	if e.dark {
		arguments = append(arguments, "--dark-mode")
	}
	w := &webkitPage{engine: e, client: &http.Client{Transport: &http.Transport{}}, network: startWatchingProxy(p)}
	address, err := w.startDriver(ctx, e)
	if err != nil {
		return w, err
	}
	var made struct{ SessionID string }
	w.session = address + "/session"
	err = w.call(ctx, http.MethodPost, "", fields{"capabilities": fields{"alwaysMatch": fields{
		"proxy":                    fields{"proxyType": "manual", "httpProxy": w.network.Listener.Addr().String()},
		"webkitgtk:browserOptions": fields{"binary": e.browser, "args": arguments},
	}}}, &made)
	w.session += "/" + made.SessionID
	return w, err
}

// startDriver starts a driver at a free port, and returns its address. The driver does
// not say which port it takes, and another program may be faster.
func (w *webkitPage) startDriver(ctx context.Context, e *webkitEngine) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	w.driver = exec.Command("WebKitWebDriver", "--port="+port)
	w.driver.Env = []string{
		"PATH=" + os.Getenv("PATH"), "DISPLAY=:" + e.display, "HOME=" + e.folder, "XDG_RUNTIME_DIR=" + e.folder,
		"DBUS_SESSION_BUS_ADDRESS=disabled:", "GSETTINGS_BACKEND=memory", "LIBGL_ALWAYS_SOFTWARE=1", "NO_AT_BRIDGE=1",
	}
	w.driver.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its browser ends with it
	if w.ended, err = startOwned(w.driver); err != nil {
		return "", err
	}
	w.session = "http://" + address
	for {
		err := w.call(ctx, http.MethodGet, "/status", nil, nil)
		if err == nil {
			return w.session, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("WebKitWebDriver does not answer: %w", err)
		}
	}
}

// call sends a command of the session, and decodes its value unless into is nil.
func (w *webkitPage) call(ctx context.Context, method, path string, params fields, into any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, w.session+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Value)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, into)
}

func (w *webkitPage) navigate(ctx context.Context, url string) error {
	return w.call(ctx, http.MethodPost, "/url", fields{"url": url}, nil)
}

func (w *webkitPage) back(ctx context.Context) error {
	return w.call(ctx, http.MethodPost, "/back", fields{}, nil)
}

func (w *webkitPage) prepare(_ context.Context, script string) error {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	w.network.script += "{" + script + "}\n"
	return nil
}

func (w *webkitPage) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	var evaluated struct {
		Value json.RawMessage
		Error string
	}
	err := w.call(ctx, http.MethodPost, "/execute/async", fields{"args": []any{}, "script": `
		const done = arguments[arguments.length - 1];
		(async () => (` + expression + `))().then(
			(value) => done({ value: value ?? null }),
			(error) => done({ error: String(error) }),
		);`}, &evaluated)
	if err == nil && evaluated.Error != "" {
		err = errors.New(evaluated.Error)
	}
	return evaluated.Value, err
}

func (w *webkitPage) click(ctx context.Context, selector string) error {
	_, err := w.evaluate(ctx, `new Promise((visible) => {
		const look = () => document.querySelector(`+inJSON(selector)+`)?.checkVisibility() ? visible() : setTimeout(look, 50);
		look();
	})`)
	if err != nil {
		return err
	}
	element, err := w.element(ctx, selector)
	if err != nil {
		return err
	}
	return w.call(ctx, http.MethodPost, element+"/click", fields{}, nil)
}

func (w *webkitPage) write(ctx context.Context, selector, text string) error {
	element, err := w.element(ctx, selector)
	if err != nil {
		return err
	}
	return w.call(ctx, http.MethodPost, element+"/value", fields{"text": text}, nil)
}

// element returns the path of an element's commands.
func (w *webkitPage) element(ctx context.Context, selector string) (string, error) {
	var reference map[string]string
	err := w.call(ctx, http.MethodPost, "/element", fields{"using": "css selector", "value": selector}, &reference)
	for _, id := range reference { // its only member has a name that means element
		return "/element/" + id, err
	}
	return "", err
}

func (w *webkitPage) types(ctx context.Context, text string) error {
	var presses []fields
	for _, key := range keys.Replace(text) {
		presses = append(presses, fields{"type": "keyDown", "value": string(key)}, fields{"type": "keyUp", "value": string(key)})
	}
	return w.call(ctx, http.MethodPost, "/actions", fields{"actions": []fields{{"type": "key", "id": "keyboard", "actions": presses}}}, nil)
}

// wear sizes the window, which is larger than the page by the browser's bar.
func (w *webkitPage) wear(ctx context.Context, l look) error {
	value, err := w.evaluate(ctx, `[outerWidth - innerWidth, outerHeight - innerHeight, matchMedia("(prefers-color-scheme: `+l.scheme+`)").matches]`)
	if err != nil {
		return err
	}
	var width, height int64
	var right bool
	if err := json.Unmarshal(value, &[]any{&width, &height, &right}); err != nil {
		return err
	}
	if !right {
		return errors.New("this page of WebKit is not " + l.scheme + ": open it in webkit, or in webkitInTheDark")
	}
	return w.call(ctx, http.MethodPost, "/window/rect", fields{"width": l.width + width, "height": l.height + height}, nil)
}

func (w *webkitPage) screenshot(ctx context.Context) ([]byte, error) {
	var picture []byte
	err := w.call(ctx, http.MethodGet, "/screenshot", nil, &picture)
	return picture, err
}

func (w *webkitPage) close(ctx context.Context) error {
	return w.call(ctx, http.MethodDelete, "/window", nil, nil)
}

func (w *webkitPage) release() {
	if w.ended != nil {
		syscall.Kill(-w.driver.Process.Pid, syscall.SIGKILL)
		<-w.ended
	}
	w.client.CloseIdleConnections()
	w.network.CloseClientConnections()
	w.network.Close()
}

// watchConsole tells the proxy what goes wrong in a page. WebKit's driver has no command
// for that.
const watchConsole = `{
	const beacon = navigator.sendBeacon.bind(navigator);
	const tell = (level, ...words) => beacon("/console", level + ": " + words.join(" "));
	for (const level of ["log", "info", "warn", "error"]) {
		const write = console[level];
		console[level] = (...words) => {
			tell(level, ...words);
			write.apply(console, words);
		};
	}
	addEventListener("error", ({ message, filename, lineno, target }) =>
		tell("error", message ?? "not loaded: " + (target.src || target.href), filename, lineno), true);
	addEventListener("unhandledrejection", ({ reason }) => tell("error", "unhandled", reason));
	addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => tell("error", violatedDirective, blockedURI));
}
`

// watchingProxy is the proxy through which a page reaches all servers. It puts a script
// into each document, and notes what the script tells.
type watchingProxy struct {
	*httptest.Server
	forward httputil.ReverseProxy
	tab     *tab

	mu     sync.Mutex // guards script
	script string
}

func startWatchingProxy(p *tab) *watchingProxy {
	w := &watchingProxy{tab: p, script: watchConsole}
	w.forward = httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if strings.Contains(r.In.Header.Get("Accept"), "text/html") {
				r.Out.Header.Del("Accept-Encoding")
			}
		},
		Transport:      &http.Transport{DisableKeepAlives: true},
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0), // tests cut connections on purpose
		ModifyResponse: w.look,
		// To the browser it looks as if the server had not answered.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	w.Server = httptest.NewServer(w)
	return w
}

func (w *watchingProxy) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/console" {
		w.forward.ServeHTTP(to, r)
		return
	}
	line, err := io.ReadAll(r.Body)
	level, _, _ := strings.Cut(string(line), ":")
	w.tab.note(err != nil || level == "error" || level == "warn", "console.%s", line)
}

// look notes a response that is a failure, and puts the script into a document.
func (w *watchingProxy) look(response *http.Response) error {
	if response.StatusCode >= http.StatusBadRequest {
		w.tab.noteFailedRequest(fmt.Sprintf("network: status %d of %s", response.StatusCode, response.Request.URL))
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "text/html" {
		return nil
	}
	document, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	response.Body.Close()
	w.mu.Lock()
	script := w.script
	w.mu.Unlock()
	begin := documentBegin.FindIndex(document)[1]
	document = slices.Insert(document, begin, []byte("<script>"+script+"</script>")...)
	response.Body = io.NopCloser(bytes.NewReader(document))
	response.ContentLength = -1
	response.Header.Del("Content-Length")
	allow(response.Header, script)
	return nil
}

// documentBegin is the place before which a document has no script.
var documentBegin = regexp.MustCompile(`(?i)^\s*(<!doctype html>)?(\s*<html[^>]*>)?(\s*<head>)?`)

// allow lets the content security policy of a document allow a script.
func allow(header http.Header, script string) {
	const policy = "Content-Security-Policy"
	if value := header.Get(policy); value != "" {
		hash := sha256.Sum256([]byte(script))
		allowed := "script-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
		header.Set(policy, strings.Replace(value, "script-src", allowed, 1))
	}
}
