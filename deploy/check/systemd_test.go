package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mostExposure is a bound for what systemd-analyze calls the exposure of a unit, times
// ten. From 0 to 20 it says OK.
const mostExposure = "15"

// unit returns the unit of systemd, and the values that it has for a key.
func unit(t *testing.T) (text string, values func(key string) string) {
	t.Helper()
	content, err := os.ReadFile("../systemd/signaling-server.service")
	require.NoError(t, err)
	text = string(content)
	return text, func(key string) string {
		match := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(text)
		require.NotNil(t, match, key)
		return match[1]
	}
}

func TestSystemdTakesTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("NOT TESTED: systemd-analyze is not installed: install the package systemd")
	}
	text, value := unit(t)
	binary, err := program()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "signaling-server.service")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, value("ExecStart"), binary)), 0o644))
	socket, err := os.ReadFile("../systemd/signaling-server.socket")
	require.NoError(t, err)
	socketPath := filepath.Join(filepath.Dir(path), "signaling-server.socket")
	require.NoError(t, os.WriteFile(socketPath, socket, 0o644))
	for _, arguments := range [][]string{{"verify", path, socketPath}, {"security", "--offline=true", "--threshold=" + mostExposure, path}} {
		output, err := exec.Command(analyze, arguments...).CombinedOutput()
		require.NoError(t, err, string(output))
		if arguments[0] == "verify" {
			require.Empty(t, string(output), "a key that systemd does not know is only a warning")
		}
	}
}

// The server starts with the settings of the unit, once an operator has filled in the
// secrets, and ends before systemd kills it.
func TestTheServerStartsAsItsUnitSays(t *testing.T) {
	_, value := unit(t)
	content, err := os.ReadFile("../systemd/signaling-server.env")
	require.NoError(t, err)
	settings := make(map[string]string)
	for _, line := range append(strings.Fields(value("Environment")), strings.Split(string(content), "\n")...) {
		if name, value, isSetting := strings.Cut(line, "="); isSetting && !strings.HasPrefix(line, "#") {
			settings[name] = value
		}
	}
	require.Contains(t, value("EnvironmentFile"), "/etc/signaling-server.env")
	require.Equal(t, "/var/lib/"+value("StateDirectory"), settings["ACME_CACHE"])
	require.Equal(t, "/var/lib/"+value("StateDirectory")+"/state", settings["STATE_FILE"])
	require.Empty(t, settings["ADMIN_TOKEN"])
	settings["ADMIN_TOKEN"] = adminToken
	start(t, settings)
	grace, err := time.ParseDuration(value("TimeoutStopSec"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, grace, duration(t, settings, "SHUTDOWN_TIMEOUT")+5*time.Second)
}
