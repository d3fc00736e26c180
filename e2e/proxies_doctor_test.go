package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
	runsBeside(t)
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

// HAProxy and Caddy understand the lines that the doctor prints, in the blocks that it names.
func TestTheDoctorsLinesAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proxy  product
		check  []string // the command, before the path of the configuration
		config string   // with the name of each block in place of its lines
	}{
		{haproxy, []string{"/usr/sbin/haproxy", "-c", "-f"},
			"defaults\n\tmode http\n\ttimeout connect 5s\n<defaults>\nfrontend web\n<frontend>\n\tdefault_backend signaling\nbackend signaling\n<backend>\n\tserver signaling 127.0.0.1:3002\n"},
		{caddy, []string{"/usr/bin/caddy", "adapt", "--adapter", "caddyfile", "--config"},
			"{\n\tservers {\n<servers>\n\t}\n}\nsignaling.example.com {\n<site>\n\treverse_proxy 127.0.0.1:3002 {\n<reverse_proxy>\n\t\ttransport http {\n<transport http>\n\t\t}\n\t}\n}\n"},
	} {
		t.Run(c.proxy.name, func(t *testing.T) {
			runsBeside(t)
			c.proxy.installed(t)
			folder := t.TempDir()
			config := strings.NewReplacer(listedLines(t, c.proxy.name)...).Replace(c.config)
			config = strings.ReplaceAll(config, "/etc/ssl/signaling", folder)
			writeCertificate(t, folder)
			path := filepath.Join(folder, "config")
			require.NoError(t, os.WriteFile(path, []byte(config), 0o644))
			output, err := exec.Command(c.check[0], append(c.check[1:], path)...).CombinedOutput()
			require.NoError(t, err, "%s\n%s", config, output)
		})
	}
}

// listedLines returns the lines of the document for a proxy, each block after its
// placeholder. It leaves out lines that are the same.
func listedLines(t *testing.T, proxy string) (blocks []string) {
	t.Helper()
	document, err := os.ReadFile("../docs/deployment.md")
	require.NoError(t, err)
	byBlock := make(map[string][]string)
	for _, row := range regexp.MustCompile("(?m)^\\| [^|]+ \\| "+proxy+" \\| `([^`]+)` \\| (?:remove )?`([^`]+)` \\|$").FindAllStringSubmatch(string(document), -1) {
		if !slices.Contains(byBlock[row[1]], row[2]) {
			byBlock[row[1]] = append(byBlock[row[1]], row[2])
		}
	}
	require.NotEmpty(t, byBlock, proxy)
	for block, lines := range byBlock {
		blocks = append(blocks, "<"+block+">", strings.Join(lines, "\n"))
	}
	return blocks
}
