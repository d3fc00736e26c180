package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	networking "k8s.io/api/networking/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"signaling-server/deploy/check/manifests"
)

// block returns the only block of code that docs/deployment.md marks with a name.
func block(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/deployment.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)<!-- test:"+name+" -->\\s*```\\w+\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, blocks, 1, name)
	return string(blocks[0][1])
}

// obey runs a block in a copy of deploy. The programs that would change the machine only
// write down how they were called. A path that begins with / is in the copy, too.
func obey(t *testing.T, name string, programs ...string) (copied, calls string) {
	t.Helper()
	copied = t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(copied, "deploy"), os.DirFS("..")))
	for _, folder := range []string{"bin", "usr/local/bin", "etc/systemd/system"} {
		require.NoError(t, os.MkdirAll(filepath.Join(copied, folder), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(copied, "signaling-server-linux-amd64"), nil, 0o644))
	noted := filepath.Join(copied, "calls")
	for _, program := range programs {
		script := "#!/bin/sh\n{ echo " + program + " \"$@\"; cat; } >>" + noted + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(copied, "bin", program), []byte(script), 0o755))
	}
	text := regexp.MustCompile(` /(usr|etc)/`).ReplaceAllString(block(t, name), " "+copied+"/$1/")
	shell := exec.Command("sh", "-e", "-c", text)
	shell.Dir = copied
	shell.Env = []string{"PATH=" + filepath.Join(copied, "bin") + ":" + os.Getenv("PATH")}
	output, err := shell.CombinedOutput()
	require.NoError(t, err, string(output))
	written, err := os.ReadFile(noted)
	require.NoError(t, err)
	return copied, string(written)
}

func TestOneMachineIsSetUpAsTheDocumentsSay(t *testing.T) {
	copied, calls := obey(t, "compose", "docker", "editor", "git")
	require.Equal(t, "editor .env\ngit rev-parse HEAD\ndocker compose up --build --detach --wait\n", calls)
	folder := filepath.Join(copied, "deploy/compose")
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose.yaml")}, cli.WithWorkingDirectory(folder), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles())
	require.NoError(t, err)
	p, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	start(t, settingsIn(t, p.Services["signaling"]))
}

func TestNodesOfOneMachineAreReplacedOneByOne(t *testing.T) {
	_, calls := obey(t, "compose-update", "git", "docker", "sleep")
	p, err := project(t, filledIn(t, "cluster"))
	require.NoError(t, err)
	var replaced []string
	pause, err := time.ParseDuration(regexp.MustCompile(`(?m)^sleep (\d+)`).FindStringSubmatch(calls)[1] + "s")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`(?m)^docker compose up .*--no-deps --wait (\S+)\nsleep `).FindAllStringSubmatch(calls, -1) {
		require.Greater(t, pause, duration(t, settingsIn(t, p.Services[match[1]]), "AWAY_AFTER"))
		replaced = append(replaced, match[1])
	}
	require.Equal(t, []string{"node-1", "node-2", "node-3"}, replaced)
}

func TestTheServiceIsSetUpAsTheDocumentsSay(t *testing.T) {
	copied, calls := obey(t, "systemd", "editor", "systemctl")
	require.Regexp(t, "enable --now signaling-server\n$", calls)
	settings, err := os.ReadFile(filepath.Join(copied, "etc/signaling-server.env"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^ADMIN_TOKEN=[0-9a-f]{64}$`, string(settings))
	info, err := os.Stat(filepath.Join(copied, "etc/signaling-server.env"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	_, value := unit(t)
	require.FileExists(t, filepath.Join(copied, value("ExecStart")))
	require.FileExists(t, filepath.Join(copied, "etc/systemd/system/signaling-server.service"))
}

// The Prometheus operator gets all alerts, and Grafana the dashboard.
func TestTheAlertsAreHandedToKubernetesAsTheDocumentsSay(t *testing.T) {
	_, calls := obey(t, "kubernetes-alerts", "kubectl")
	applied, calls, found := strings.Cut(strings.TrimPrefix(calls, "kubectl -n signaling apply -f -\n"), "kubectl ")
	require.True(t, found)
	objects := manifests.Objects{}
	require.NoError(t, objects.Decode([]byte(applied)))
	rule := get[*monitoring.PrometheusRule](t, objects, "PrometheusRule", "signaling")
	text, err := os.ReadFile("../prometheus/alerts.yaml")
	require.NoError(t, err)
	require.Len(t, rule.Spec.Groups[0].Rules, strings.Count(string(text), "- alert: "))
	dashboard := regexp.MustCompile(`--from-file=(\S+)\n`).FindStringSubmatch(calls)
	require.NotNil(t, dashboard)
	require.FileExists(t, filepath.Join(root, dashboard[1]))
	require.Contains(t, calls, "kubectl -n monitoring label configmap signaling-dashboard grafana_dashboard=1\n")
}

// An operator changes nothing in deploy: a folder beside the clone has what differs.
func TestAnOperatorsKustomizationIsBuilt(t *testing.T) {
	_, calls := obey(t, "kubernetes", "docker", "kubectl")
	mine := block(t, "kustomization")
	image := "registry.example.org/signaling-server:1"
	require.Contains(t, calls, "docker push "+image+"\n")
	withIngress, err := manifests.Kustomization("../kubernetes", "/signaling-server/deploy/kubernetes", mine)
	require.NoError(t, err)
	deployment := get[*apps.Deployment](t, withIngress, "Deployment", "signaling")
	pod := deployment.Spec.Template.Spec
	require.Equal(t, image, pod.Containers[0].Image)
	settings := settingsOf(t, pod)
	require.Equal(t, "https://app.example.org", settings["CORS_ORIGIN"])
	require.Equal(t, "10.244.0.0/16", settings["TRUSTED_PROXIES"])
	start(t, settings)
	ingress := get[*networking.Ingress](t, withIngress, "Ingress", "signaling").Spec
	require.Equal(t, []string{"signaling.example.org", "signaling.example.org"}, []string{ingress.Rules[0].Host, ingress.TLS[0].Hosts[0]})
	require.Contains(t, calls, "create secret generic "+pod.Containers[0].EnvFrom[0].SecretRef.Name+" --from-literal=ADMIN_TOKEN=")
	require.Contains(t, calls, "create secret tls "+ingress.TLS[0].SecretName+" ")

	lines := strings.SplitAfter(strings.TrimSuffix(mine, "\n"), "\n")
	mine = strings.ReplaceAll(strings.Join(lines[:len(lines)-4], ""), "/ingress-nginx", "/gateway") +
		block(t, "kustomization-gateway") + block(t, "kustomization-egress")
	withGateway, err := manifests.Kustomization("../kubernetes", "/signaling-server/deploy/kubernetes", mine)
	require.NoError(t, err)
	require.NotContains(t, withGateway, "Ingress signaling")
	for _, route := range []string{"signaling", "signaling-to-https"} {
		require.Equal(t, []gateway.Hostname{"signaling.example.org"}, get[*gateway.HTTPRoute](t, withGateway, "HTTPRoute", route).Spec.Hostnames)
	}
	var ports []string // that the server may reach anywhere
	for _, rule := range get[*networking.NetworkPolicy](t, withGateway, "NetworkPolicy", "signaling").Spec.Egress {
		for _, port := range rule.Ports {
			if rule.To == nil {
				ports = append(ports, port.Port.String())
			}
		}
	}
	require.Equal(t, []string{"53", "53", "443", "4318"}, ports)
	for _, listener := range get[*gateway.Gateway](t, withGateway, "Gateway", "signaling").Spec.Listeners {
		require.Equal(t, gateway.Hostname("signaling.example.org"), *listener.Hostname)
	}
}
