package check

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/conf"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	security "k8s.io/pod-security-admission/api"
	securitypolicy "k8s.io/pod-security-admission/policy"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"signaling-server/deploy/check/manifests"
)

// ways are all that an operator may choose: a kustomization, and components added to it.
var ways = [][]string{{"alone", "ingress-nginx"}, {"alone", "ingress-nginx", "gateway"}, {"cluster", "ingress-nginx"}, {"cluster", "gateway", "monitoring", "autoscaling"}}

// forEachWay runs a test for what each way builds.
func forEachWay(t *testing.T, test func(t *testing.T, objects manifests.Objects)) {
	for _, way := range ways {
		t.Run(strings.Join(way, " "), func(t *testing.T) { test(t, built(t, way...)) })
	}
}

// built returns what kustomize builds. Nothing changes it, so all tests share it.
func built(t *testing.T, way ...string) manifests.Objects {
	t.Helper()
	name := strings.Join(way, " ")
	if objects, isBuilt := builds[name]; isBuilt {
		return objects
	}
	objects, err := manifests.Kustomize("../kubernetes", way[0], way[1:]...)
	require.NoError(t, err)
	builds[name] = objects
	return objects
}

var builds = make(map[string]manifests.Objects)

// get returns an object that must be there.
func get[T meta.Object](t *testing.T, o manifests.Objects, kind, name string) T {
	t.Helper()
	object, isThere := o[kind+" "+name].(T)
	require.True(t, isThere, "there is no %s %s", kind, name)
	return object
}

// pods returns what starts pods, by its name.
func pods(objects manifests.Objects) map[string]core.PodTemplateSpec {
	all := make(map[string]core.PodTemplateSpec)
	for _, object := range objects {
		switch o := object.(type) {
		case *apps.Deployment:
			all[o.Name] = o.Spec.Template
		case *apps.StatefulSet:
			all[o.Name] = o.Spec.Template
		}
	}
	return all
}

// Namespaces that enforce the strictest level of pod security take the pods.
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := securitypolicy.NewEvaluator(securitypolicy.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()}
	forEachWay(t, func(t *testing.T, objects manifests.Objects) {
		for name, pod := range pods(objects) {
			result := securitypolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
			assert.True(t, result.Allowed, "%s: %s", name, result.ForbiddenDetail())
			assert.False(t, *pod.Spec.AutomountServiceAccountToken, name)
			for _, container := range pod.Spec.Containers {
				assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, name)
				assert.False(t, container.Resources.Limits.Memory().IsZero(), name)
			}
		}
	})
}

// Whatever chooses or names another object finds it.
func TestObjectsFindEachOther(t *testing.T) {
	forEachWay(t, func(t *testing.T, objects manifests.Objects) {
		all := pods(objects)
		chosen := func(by string, selector *meta.LabelSelector) core.PodSpec {
			choice, err := meta.LabelSelectorAsSelector(selector)
			require.NoError(t, err)
			var found []core.PodSpec
			for _, pod := range all {
				if choice.Matches(labels.Set(pod.Labels)) {
					found = append(found, pod.Spec)
				}
			}
			require.Len(t, found, 1, "pods that %s chooses", by)
			return found[0]
		}
		service := func(by, name string, port intstr.IntOrString) {
			ports := get[*core.Service](t, objects, "Service", name).Spec.Ports
			require.True(t, slices.ContainsFunc(ports, func(p core.ServicePort) bool {
				return p.Name == port.StrVal && port.StrVal != "" || p.Port == port.IntVal
			}), "%s names port %s of %s", by, port.String(), name)
		}
		for by, object := range objects {
			switch o := object.(type) {
			case *apps.Deployment:
				chosen(by, o.Spec.Selector)
			case *apps.StatefulSet:
				chosen(by, o.Spec.Selector)
				service(by, o.Spec.ServiceName, intstr.FromString("client"))
			case *policy.PodDisruptionBudget:
				chosen(by, o.Spec.Selector)
			case *core.Service:
				pod := chosen(by, &meta.LabelSelector{MatchLabels: o.Spec.Selector})
				for _, port := range o.Spec.Ports {
					require.Contains(t, portNames(pod), port.TargetPort.StrVal, by)
				}
			case *networking.NetworkPolicy:
				pod := chosen(by, &o.Spec.PodSelector)
				require.Equal(t, []networking.PolicyType{"Ingress", "Egress"}, o.Spec.PolicyTypes)
				for _, rule := range o.Spec.Ingress {
					require.NotEmpty(t, rule.From, "%s is open to everybody", by)
					for _, port := range rule.Ports {
						require.Contains(t, portNames(pod), port.Port.StrVal, by)
					}
					for _, from := range rule.From {
						if from.PodSelector != nil {
							chosen(by, from.PodSelector)
						}
					}
				}
				for _, rule := range o.Spec.Egress {
					for _, to := range rule.To {
						chosen(by, to.PodSelector)
					}
				}
			case *networking.Ingress:
				require.Equal(t, []string{o.Spec.Rules[0].Host}, o.Spec.TLS[0].Hosts)
				to := o.Spec.Rules[0].HTTP.Paths[0].Backend.Service
				service(by, to.Name, intstr.FromString(to.Port.Name))
			case *gateway.HTTPRoute:
				from := o.Spec.ParentRefs[0]
				parent := get[*gateway.Gateway](t, objects, "Gateway", string(from.Name))
				require.True(t, slices.ContainsFunc(parent.Spec.Listeners, func(l gateway.Listener) bool {
					return l.Name == *from.SectionName && *l.Hostname == o.Spec.Hostnames[0]
				}), by)
				for _, to := range o.Spec.Rules[0].BackendRefs {
					service(by, string(to.Name), intstr.FromInt32(int32(*to.Port)))
				}
			case *monitoring.ServiceMonitor:
				choice, err := meta.LabelSelectorAsSelector(&o.Spec.Selector)
				require.NoError(t, err)
				require.True(t, choice.Matches(labels.Set(get[*core.Service](t, objects, "Service", "signaling").Labels)))
				service(by, "signaling", intstr.FromString(o.Spec.Endpoints[0].Port))
			case *autoscaling.HorizontalPodAutoscaler:
				get[*apps.Deployment](t, objects, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name)
			}
		}
	})
}

func portNames(pod core.PodSpec) (names []string) {
	for _, port := range pod.Containers[0].Ports {
		names = append(names, port.Name)
	}
	return names
}

// settingsOf returns the settings of the server in a pod: those of its image, and of its
// container, with what a Secret of an operator has.
func settingsOf(t *testing.T, pod core.PodSpec) map[string]string {
	t.Helper()
	settings := map[string]string{"ADMIN_TOKEN": adminToken}
	for _, line := range imageLines(t, "ENV") {
		name, value, _ := strings.Cut(line, "=")
		settings[name] = value
	}
	for _, variable := range pod.Containers[0].Env {
		settings[variable.Name] = variable.Value
		if variable.ValueFrom != nil {
			require.Equal(t, "metadata.name", variable.ValueFrom.FieldRef.FieldPath)
			settings[variable.Name] = "signaling-5d9c7b8f64-abcde"
		}
	}
	require.Equal(t, "signaling", pod.Containers[0].EnvFrom[0].SecretRef.Name)
	return settings
}

// The server takes the settings, and answers the probes. A node whose NATS servers are not
// there yet lives, and is not ready.
func TestTheServerStartsAsItsPodSays(t *testing.T) {
	for way, ready := range map[string]int{"alone": 200, "cluster": 503} {
		t.Run(way, func(t *testing.T) {
			pod := pods(built(t, way, "ingress-nginx"))["signaling"].Spec
			container := pod.Containers[0]
			server := start(t, settingsOf(t, pod))
			for probe, want := range map[*core.Probe]int{container.StartupProbe: 200, container.LivenessProbe: 200, container.ReadinessProbe: ready} {
				require.Contains(t, portNames(pod), probe.HTTPGet.Port.StrVal)
				status, body := server.get(t, probe.HTTPGet.Path)
				require.Equal(t, want, status, "%s: %s", probe.HTTPGet.Path, body)
			}
			require.Equal(t, imageLines(t, "EXPOSE"), []string{fmt.Sprint(container.Ports[0].ContainerPort)})
			require.Equal(t, defaults(t)["PORT"], fmt.Sprint(container.Ports[0].ContainerPort))
			user := pod.SecurityContext
			require.Equal(t, imageLines(t, "USER"), []string{fmt.Sprintf("%d:%d", *user.RunAsUser, *user.RunAsGroup)})
		})
	}
}

// A pod has ended by itself before Kubernetes kills it.
func TestPodsHaveTheTimeToDrain(t *testing.T) {
	forEachWay(t, func(t *testing.T, objects manifests.Objects) {
		pod := pods(objects)["signaling"].Spec
		needed := duration(t, settingsOf(t, pod), "SHUTDOWN_TIMEOUT")
		if hook := pod.Containers[0].Lifecycle; hook != nil {
			needed += time.Duration(hook.PreStop.Sleep.Seconds) * time.Second
		}
		require.GreaterOrEqual(t, seconds(*pod.TerminationGracePeriodSeconds), needed+5*time.Second)
	})
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// Two servers that know nothing of each other never run side by side, and nodes of a
// cluster replace each other one by one, with a pause in which no room sees anybody away.
func TestAnUpdateKeepsRoomsTogether(t *testing.T) {
	alone := get[*apps.Deployment](t, built(t, "alone", "ingress-nginx"), "Deployment", "signaling").Spec
	require.Equal(t, int32(1), *alone.Replicas)
	require.Equal(t, apps.RecreateDeploymentStrategyType, alone.Strategy.Type)

	node := get[*apps.Deployment](t, built(t, "cluster", "ingress-nginx"), "Deployment", "signaling").Spec
	require.GreaterOrEqual(t, *node.Replicas, int32(2))
	require.Equal(t, int32(0), node.Strategy.RollingUpdate.MaxUnavailable.IntVal)
	require.Greater(t, seconds(int64(node.MinReadySeconds)), duration(t, settingsOf(t, node.Template.Spec), "AWAY_AFTER"))
	budget := get[*policy.PodDisruptionBudget](t, built(t, "cluster", "ingress-nginx"), "PodDisruptionBudget", "signaling").Spec
	require.Equal(t, int32(1), budget.MaxUnavailable.IntVal)
}

// longestPoll is how long a poll waits at most, as docs/protocol.md says.
const longestPoll = time.Minute

// Neither an idle stream nor a poll that waits is cut, and no client names itself.
func TestTheProxiesOfKubernetesFitTheServer(t *testing.T) {
	objects := built(t, "alone", "ingress-nginx", "gateway")
	ingress := get[*networking.Ingress](t, objects, "Ingress", "signaling")
	silence := max(longestPoll, duration(t, nil, "HEARTBEAT_INTERVAL"))
	for _, name := range []string{"proxy-read-timeout", "proxy-send-timeout"} {
		timeout, err := strconv.Atoi(ingress.Annotations["nginx.ingress.kubernetes.io/"+name])
		require.NoError(t, err)
		require.Greater(t, seconds(int64(timeout)), silence, name)
	}
	require.Equal(t, "off", ingress.Annotations["nginx.ingress.kubernetes.io/proxy-buffering"])

	rule := get[*gateway.HTTPRoute](t, objects, "HTTPRoute", "signaling").Spec.Rules[0]
	for _, timeout := range []*gateway.Duration{rule.Timeouts.Request, rule.Timeouts.BackendRequest} {
		require.Equal(t, gateway.Duration("0s"), *timeout, "a timeout ends streams, which have no end")
	}
	require.Contains(t, rule.Filters[0].RequestHeaderModifier.Remove, "Forwarded")
}

// The autoscaler asks for a metric that the server has, and gives a cluster enough nodes
// for all sockets that it takes.
func TestTheAutoscalerAsksForAMetricOfTheServer(t *testing.T) {
	objects := built(t, "cluster", "gateway", "monitoring", "autoscaling")
	require.Nil(t, get[*apps.Deployment](t, objects, "Deployment", "signaling").Spec.Replicas, "an update would undo what the autoscaler did")
	scaler := get[*autoscaling.HorizontalPodAutoscaler](t, objects, "HorizontalPodAutoscaler", "signaling").Spec
	metric := scaler.Metrics[0].External
	adapter, err := os.ReadFile("../kubernetes/autoscaling/prometheus-adapter.yaml")
	require.NoError(t, err)
	require.Contains(t, string(adapter), "max by (state) ("+metric.Metric.Name+"{")

	_, text := start(t, map[string]string{"NODE_ENV": "production", "ADMIN_TOKEN": adminToken}).get(t, "/metrics")
	require.Regexp(t, `(?m)^`+metric.Metric.Name+`\{state="connected"\} 0$`, text)
	most, err := strconv.ParseInt(defaults(t)["MAX_CONNECTIONS"], 10, 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, int64(scaler.MaxReplicas)*metric.Target.AverageValue.Value(), most)
	require.GreaterOrEqual(t, *scaler.MinReplicas, int32(2))
}

// The log needs JetStream at as many NATS servers as there are replicas.
func TestTheNATSServersOfKubernetesKeepTheLog(t *testing.T) {
	objects := built(t, "cluster", "ingress-nginx")
	set := get[*apps.StatefulSet](t, objects, "StatefulSet", "nats")
	pod := set.Spec.Template.Spec
	var hosts []string
	for i := range *set.Spec.Replicas {
		hosts = append(hosts, fmt.Sprintf("nats-%d.%s", i, set.Spec.ServiceName))
	}
	text := get[*core.ConfigMap](t, objects, "ConfigMap", "nats").Data["nats.conf"]
	config := requireLog(t, text, settingsOf(t, pods(objects)["signaling"].Spec), hosts, pod.Containers[0].Image)

	require.True(t, get[*core.Service](t, objects, "Service", "nats").Spec.PublishNotReadyAddresses)
	require.Equal(t, apps.ParallelPodManagement, set.Spec.PodManagementPolicy)
	lame, err := time.ParseDuration(config["lame_duck_duration"].(string))
	require.NoError(t, err)
	require.Greater(t, seconds(*pod.TerminationGracePeriodSeconds), lame)
	require.Contains(t, pod.Containers[0].Lifecycle.PreStop.Exec.Command, "ldm="+config["pid_file"].(string))
	storage := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage()
	require.Greater(t, storage.Value(), config["jetstream"].(map[string]any)["max_file_store"].(int64))
	require.Equal(t, "/data", config["jetstream"].(map[string]any)["store_dir"])
	require.Equal(t, "/data", pod.Containers[0].VolumeMounts[0].MountPath)
	require.Greater(t, storage.Cmp(resource.MustParse("1Gi")), 0)
}

// requireLog checks the configuration of NATS servers at these hosts, for nodes with these
// settings, and returns it. The image has the version that the tests run.
func requireLog(t *testing.T, text string, node map[string]string, hosts []string, image string) map[string]any {
	t.Helper()
	t.Setenv("SERVER_NAME", "nats-0")
	config, err := conf.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "nats-0", config["server_name"])
	require.Contains(t, config, "jetstream")
	var routes []string
	for _, route := range config["cluster"].(map[string]any)["routes"].([]any) {
		routes = append(routes, strings.TrimSuffix(strings.TrimPrefix(route.(string), "nats://"), ":6222"))
	}
	require.Equal(t, hosts, routes)
	require.Equal(t, "0.0.0.0:6222", config["cluster"].(map[string]any)["listen"])

	var asked []string
	for _, address := range strings.Split(node["CLUSTER_URL"], ",") {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, "4222", u.Port())
		asked = append(asked, u.Hostname())
	}
	require.Equal(t, hosts, asked)
	require.Equal(t, defaults(t)["CLUSTER_REPLICAS"], fmt.Sprint(len(hosts)))

	tested, err := os.ReadFile(filepath.Join(root, "e2e/go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`nats-server/v2 v(\S+)`).FindStringSubmatch(string(tested))
	require.NotNil(t, version)
	require.Equal(t, "nats:"+version[1], strings.TrimSuffix(image, "-alpine"))
	return config
}
