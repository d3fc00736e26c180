package check

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"signaling-server/deploy/check/manifests"
)

// render returns what the chart makes of an operator's values. Helm sorts and installs
// that, but changes nothing in it.
func render(t *testing.T, values string) (manifests.Objects, error) {
	t.Helper()
	chart, err := loader.LoadDir("../helm")
	require.NoError(t, err)
	require.NoError(t, chart.Validate())
	set := map[string]any{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(values), &set))
	release := chartutil.ReleaseOptions{Name: "signaling", Namespace: "signaling"}
	all, err := chartutil.ToRenderValues(chart, set, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return nil, err
	}
	objects := manifests.Objects{}
	for name, text := range rendered {
		for _, manifest := range strings.SplitAfter(text, "\n---\n") {
			require.NoError(t, objects.Decode([]byte(manifest)), name)
		}
	}
	return objects, nil
}

func inYAML(t *testing.T, objects manifests.Objects) string {
	t.Helper()
	text, err := yaml.Marshal(objects)
	require.NoError(t, err)
	return string(text)
}

func TestTheChartRendersWhatKustomizeBuilds(t *testing.T) {
	for values, way := range map[string][]string{
		"{}":                        {"alone", "ingress-nginx"},
		"cluster: {enabled: true}":  {"cluster", "ingress-nginx"},
		"gateway: {enabled: true}":  {"alone", "ingress-nginx", "gateway"},
		"ingress: {enabled: false}": {"alone"},
		"{cluster: {enabled: true}, monitoring: {enabled: true}, autoscaling: {enabled: true}}": {"cluster", "ingress-nginx", "monitoring", "autoscaling"},
	} {
		t.Run(strings.Join(way, " "), func(t *testing.T) {
			rendered, err := render(t, values)
			require.NoError(t, err)
			require.Equal(t, inYAML(t, built(t, way...)), inYAML(t, rendered))
		})
	}
}

func TestTheValuesOfAnOperatorAreUsed(t *testing.T) {
	plain, err := render(t, "{}")
	require.NoError(t, err)
	rendered, err := render(t, `
image: registry.example.org/other:2
secret: other-secret
settings: {LOG_LEVEL: warn, MAX_ROOMS: '7'}
gracePeriodSeconds: 90
host: other.example.org
tls: other-tls
ingress: {className: other-class}
gateway: {enabled: true, className: other-gateway}
allowedNamespaces: [other-namespace]
egressPorts: [443, 4318]
cluster: {enabled: true, nodes: 5, storage: 20Gi}
monitoring: {enabled: true, labels: {release: other-prometheus}}
`)
	require.NoError(t, err)
	require.Greater(t, len(rendered), len(plain))
	all := inYAML(t, rendered)
	for _, value := range []string{
		"image: registry.example.org/other:2", "name: other-secret", "name: MAX_ROOMS\n            value: \"7\"",
		"terminationGracePeriodSeconds: 90", "host: other.example.org", "secretName: other-tls", "ingressClassName: other-class",
		"gatewayClassName: other-gateway", "- other-namespace", "- port: 4318", "replicas: 5", "storage: 20Gi", "release: other-prometheus",
	} {
		require.Contains(t, all, value)
	}
	require.NotContains(t, all, "example.com/signaling-server")
	require.NotContains(t, all, "signaling.example.com")
}

// The documents set values that the chart has, and the namespace that their other commands use.
func TestTheCommandOfTheDocumentsInstalls(t *testing.T) {
	command := block(t, "helm")
	require.Contains(t, command, "helm install signaling deploy/helm --namespace signaling ")
	set := map[string]any{}
	for _, value := range regexp.MustCompile(`--set (\S+)`).FindAllStringSubmatch(command, -1) {
		require.NoError(t, strvals.ParseInto(value[1], set))
	}
	values, err := yaml.Marshal(set)
	require.NoError(t, err)
	rendered, err := render(t, string(values))
	require.NoError(t, err)
	container := get[*apps.Deployment](t, rendered, "Deployment", "signaling").Spec.Template.Spec.Containers[0]
	require.Equal(t, "registry.example.org/signaling-server:1", container.Image)
	require.Contains(t, container.Env, core.EnvVar{Name: "CORS_ORIGIN", Value: "https://app.example.org"})
	require.Contains(t, container.Env, core.EnvVar{Name: "SHUTDOWN_TIMEOUT", Value: "10s"}, "what is not set keeps its value")
	require.Contains(t, rendered, "StatefulSet nats")
}

// An operator learns of a slip before anything is installed.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, message := range map[string]string{
		"cors: https://app.example.com":       "cors",
		"settings: {cors_origin: '*'}":        "cors_origin",
		"settings: {TRUSTED_PROXIES: [a, b]}": "TRUSTED_PROXIES",
		"settings: {OUTBOX_BYTES: 8388608}":   "OUTBOX_BYTES", // would become 8.388608e+06
		"cluster: {enabled: yes please}":      "enabled",
		"cluster: {replicas: 3}":              "replicas",
		"egressPorts: [0]":                    "egressPorts",
		"autoscaling: {enabled: true}":        "autoscaling needs cluster.enabled",
	} {
		_, err := render(t, values)
		require.ErrorContains(t, err, message, values)
	}
}
