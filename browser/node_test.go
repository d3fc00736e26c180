package browser_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Runs the tests in JavaScript that need neither a server nor a browser.
func TestTheClientInNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil && os.Getenv("REQUIRE_NODE") != "1" {
		t.Skip("NOT TESTED: node is missing; install Node.js 20 or newer")
	}
	output, err := exec.CommandContext(t.Context(), "node", "--test", "--test-force-exit").CombinedOutput()
	require.NoError(t, err, string(output))
}
