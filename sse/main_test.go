package sse_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// linkOfStreams says over which link the streams of the tests go: "parked" or "engine".
var linkOfStreams = cmp.Or(os.Getenv("STREAM_LINK"), "parked")

// TestMain runs all tests twice: over parked connections, and over the engine.
func TestMain(m *testing.M) {
	if os.Getenv("STREAM_LINK") != "" {
		goleak.VerifyTestMain(m)
	}
	for _, link := range []string{"engine", "parked"} {
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
