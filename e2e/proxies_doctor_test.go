package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// diagnosed is what the command doctor reports.
type diagnosed struct {
	Results []struct {
		Findings []struct {
			ID, Level, Title string
			Lines            []struct{ Proxy, Text string }
		}
	}
}

// lines returns the levels of all findings, and the lines for a proxy.
func (d diagnosed) lines(proxy string) (levels map[string]string, lines []string) {
	levels = make(map[string]string)
	for _, result := range d.Results {
		for _, finding := range result.Findings {
			levels[finding.ID] = finding.Level
			for _, line := range finding.Lines {
				if line.Proxy == proxy {
					lines = append(lines, line.Text)
				}
			}
		}
	}
	return levels, lines
}

// diagnose runs the command doctor, and returns its exit code and its report.
func diagnose(t *testing.T, url string) (exitCode int, report diagnosed) {
	t.Helper()
	path, err := builtServer.build()
	require.NoError(t, err)
	command := exec.CommandContext(bounded(t), path, "doctor", "-json", "-wait", "4s", url)
	var stderr bytes.Buffer
	command.Env, command.Stderr = []string{}, &stderr
	output, _ := command.Output() // the exit code is a result
	require.NoError(t, json.Unmarshal(output, &report), "%s", stderr.String())
	return command.ProcessState.ExitCode(), report
}

// nginx holds streams back, and cuts idle ones. The doctor finds both, and its lines for
// nginx mend both.
func TestTheDoctorsLinesMendNginx(t *testing.T) {
	t.Parallel()
	wrong := nginx
	wrong.lines = "nginx-buffering.conf"
	wrong.installed(t)
	server := startServer(t)

	code, report := diagnose(t, wrong.start(t, server, false).url)
	require.Equal(t, 1, code)
	levels, lines := report.lines("nginx")
	require.Equal(t, "bad", levels["eventSource"])
	require.Equal(t, "bad", levels["fetchStream"])
	require.Equal(t, "good", levels["poll"])
	require.Contains(t, lines, "proxy_buffering off;")
	code, report = diagnose(t, wrong.start(t, server, true).url)
	levels, _ = report.lines("nginx")
	require.Equal(t, 0, code, "%+v", report)
	require.Equal(t, "good", levels["eventSource"])

	document, err := os.ReadFile("../docs/deployment.md")
	require.NoError(t, err)
	for _, mended := range regexp.MustCompile(`(?m)^\t+#mend (.*)$`).FindAllStringSubmatch(wrong.readLines(t), -1) {
		require.Contains(t, string(document), "| nginx | `location` | `"+mended[1]+"` |", "the doctor prints what the document lists")
	}
}
