package e2e

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// builtConformance is the tool that tries the rules of docs/protocol.md.
var builtConformance = binary{folder: "..", program: "./cmd/signaling-conformance", lean: true}

// Each rule of the protocol holds for several nodes, too, although each request of a client
// reaches another one of them.
func TestSeveralNodesKeepEachRuleOfTheProtocol(t *testing.T) {
	tool, err := builtConformance.build()
	require.NoError(t, err, "building the tool")
	f := startFleet(t, nil, append(noLimits, "HEARTBEAT_INTERVAL=2s", "AWAY_AFTER=1s", "RESUME_WINDOW=6s")...)
	awaitFleet(t, f)
	report, err := exec.CommandContext(bounded(t), tool, "-url", f.URL).CombinedOutput()
	require.NoError(t, err, "%s", report)
	t.Logf("%s", report)
}
