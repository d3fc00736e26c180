package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// within is how long anything that is awaited may take. It only ends a test that
// hangs: a claim about time compares clocks of the same run.
const within = 2 * time.Minute

func TestMain(m *testing.M) {
	// Parallel tests take turns: see takesTurns. A test that waits for its turn counts as
	// running, so the bound is above the number of all tests.
	flag.Parse()
	flag.Set("test.parallel", "1000")
	code := m.Run()
	for _, e := range append(engines, webkitInTheDark) {
		e.stop()
	}
	builtServer.remove()
	leanServer.remove()
	builtNATS.remove()
	builtLoad.remove()
	builtConformance.remove()
	builtBot.remove()
	builtReceiver.remove()
	webTools.remove()
	nodes.remove()
	reactExample.remove()
	oldReact.remove()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
