package sse_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// linkOfStreams says over which link the streams of the tests go: "parked" or "held".
var linkOfStreams = "parked"

// hasLog says that the hubs of the tests get their commands through a log.
var hasLog bool

func init() {
	switch os.Getenv("STREAM_LINK") {
	case "held":
		linkOfStreams = "held"
	case "log":
		hasLog = true
	}
}

// TestMain runs all tests three times: over connections that their handlers hold, over parked connections, and over
// these with a log.
func TestMain(m *testing.M) {
	if os.Getenv("STREAM_LINK") != "" {
		goleak.VerifyTestMain(m)
	}
	for _, link := range []string{"held", "parked", "log"} {
		again := exec.Command(os.Args[0], os.Args[1:]...)
		again.Env = append(os.Environ(), "STREAM_LINK="+link)
		again.Stdout, again.Stderr = os.Stdout, os.Stderr
		fmt.Printf("streams over the link %q\n", link)
		if err := again.Run(); err != nil {
			fmt.Printf("FAIL: streams over the link %q: %v\n", link, err)
			os.Exit(1)
		}
	}
}
