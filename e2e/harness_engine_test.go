package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// engine is a browser that tests can use. The browser runs as long as the tests.
type engine interface {
	name() string
	// newPage opens a blank page for a tab, as if the page belonged to a person who uses
	// nothing else. Camera and microphone are allowed: without them a browser hides the
	// addresses that peers need. It returns errNotInstalled if the browser is missing.
	newPage(p *tab) (page, error)
	stop()
}

// page is a blank or loaded page in one of the browsers.
type page interface {
	// prepare lets a script run in each document that the page opens from now on, before
	// the document's own scripts.
	prepare(ctx context.Context, script string) error
	// navigate returns when the page is loaded.
	navigate(ctx context.Context, url string) error
	// back goes to the page before, as the browser's button does.
	back(ctx context.Context) error
	// evaluate returns the JSON of an expression's value, or of the value of the promise
	// that the expression returns. undefined is null. The policy of a page allows it.
	evaluate(ctx context.Context, expression string) (json.RawMessage, error)
	// click waits until an element is visible, and clicks on it as a mouse does.
	click(ctx context.Context, selector string) error
	// write puts text into a field.
	write(ctx context.Context, selector, text string) error
	// types presses the keys of a text. A tabulator and a carriage return are keys, too.
	types(ctx context.Context, text string) error
	// wear gives the page a size and a color scheme.
	wear(ctx context.Context, l look) error
	// screenshot returns what the page shows, as PNG.
	screenshot(ctx context.Context) ([]byte, error)
	// close closes the page as a person does, so the page may still say that it leaves.
	close(ctx context.Context) error
	// release frees what the page held. It is called once, also after close.
	release()
}

// The browsers. WebKit stands for Safari.
var (
	chromium engine = &chromiumEngine{}
	firefox  engine = &firefoxEngine{}
	webkit   engine = &webkitEngine{}
	engines         = []engine{chromium, firefox, webkit}

	// webkitInTheDark is for looks: only its pages can wear a dark one.
	webkitInTheDark engine = &webkitEngine{dark: true}
)

// errNotInstalled says that a test cannot run, because a browser is missing.
var errNotInstalled = errors.New("not installed")

// startOwned starts a command that ends with the tests, even if these are killed. The
// channel is closed when the command has ended.
func startOwned(command *exec.Cmd) (ended <-chan struct{}, err error) {
	started, over := make(chan error), make(chan struct{})
	go func() { // ends with the command
		// The kernel ends the command with the thread that started it. Other tests end
		// threads, so this thread belongs to the command alone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if command.SysProcAttr == nil {
			command.SysProcAttr = &syscall.SysProcAttr{}
		}
		command.SysProcAttr.Pdeathsig = syscall.SIGKILL
		err := command.Start()
		started <- err
		if err == nil {
			command.Wait() // browsers that are ended by a signal return an error, as they should
		}
		close(over)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return over, nil
}

// requireBrowser skips a test if a browser is not installed, or fails it if
// REQUIRE_BROWSER is set.
func requireBrowser(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errNotInstalled) && os.Getenv("REQUIRE_BROWSER") != "1" {
		t.Skip("NOT TESTED: " + err.Error())
	}
}

// Tests take turns, since all that are parallel begin at the same moment. If far more of
// them ran than there are processors, what they measure would be wrong, and time-outs too
// short. Four attacks at once need more files than a process may open.
var (
	pageTurns   = make(chan struct{}, 5)
	attackTurns = make(chan struct{}, 3)
	buildTurns  = make(chan struct{}, 2) // tests that install or compile a lot
	otherTurns  = make(chan struct{}, 6)
)

// takesTurns lets a test that uses a browser run beside other tests, but beside only a few
// of its kind.
func takesTurns(t *testing.T) { takesTurnsAt(t, pageTurns) }

// takesTurnsAttacking is takesTurns for an attack.
func takesTurnsAttacking(t *testing.T) { takesTurnsAt(t, attackTurns) }

// takesTurnsBuilding is takesTurns for a test that installs or compiles a lot.
func takesTurnsBuilding(t *testing.T) { takesTurnsAt(t, buildTurns) }

// runsBeside is takesTurns for any other test.
func runsBeside(t *testing.T) { takesTurnsAt(t, otherTurns) }

func takesTurnsAt(t *testing.T, turns chan struct{}) {
	t.Parallel()
	turns <- struct{}{}
	t.Cleanup(func() { <-turns })
}

// isChosen reports whether a row of a long table of faults is run. All rows take minutes of
// a browser, so without ALL_FAULTS only each third is: see make faults.
func isChosen(row int) bool { return row%3 == 0 || os.Getenv("ALL_FAULTS") == "1" }

// inEachBrowser runs a test in Chromium, and each third test in all browsers: see make faults. The
// test takes turns.
func inEachBrowser(t *testing.T, test func(t *testing.T, e engine)) {
	t.Parallel()
	name := fnv.New32a()
	name.Write([]byte(t.Name()))
	for i, e := range engines {
		if i > 0 && !isChosen(int(name.Sum32()%3)) {
			continue
		}
		t.Run(e.name(), func(t *testing.T) {
			takesTurns(t)
			test(t, e)
		})
	}
}
