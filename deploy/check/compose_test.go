package check

import (
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// filledIn is example.env as an operator would have filled it in.
func filledIn(t *testing.T, profiles string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../compose/example.env")
	require.NoError(t, err)
	variables := make(map[string]string)
	for _, match := range regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(text), -1) {
		variables[match[1]] = match[2]
	}
	for _, name := range []string{"COMPOSE_PROFILES", "ADMIN_TOKEN", "TURN_SECRET", "DOMAIN"} {
		require.Contains(t, variables, name)
	}
	variables["COMPOSE_PROFILES"], variables["ADMIN_TOKEN"], variables["TURN_SECRET"] = profiles, adminToken, turnSecret
	return variables
}

// project reads compose.yaml with these variables as docker compose does.
func project(t *testing.T, variables map[string]string) (*types.Project, error) {
	t.Helper()
	var environment []string
	for name, value := range variables {
		environment = append(environment, name+"="+value)
	}
	options, err := cli.NewProjectOptions([]string{"../compose/compose.yaml"}, cli.WithEnv(environment), cli.WithDefaultProfiles())
	require.NoError(t, err)
	return options.LoadProject(t.Context())
}

func TestComposeStartsWhatTheProfileSays(t *testing.T) {
	for profiles, services := range map[string][]string{
		"alone":         {"caddy", "coturn", "signaling"},
		"cluster":       {"caddy", "coturn", "nats-1", "nats-2", "nats-3", "node-1", "node-2", "node-3"},
		"alone,watch":   {"caddy", "coturn", "grafana", "prometheus", "signaling"},
		"cluster,watch": {"caddy", "coturn", "grafana", "nats-1", "nats-2", "nats-3", "node-1", "node-2", "node-3", "prometheus"},
	} {
		p, err := project(t, filledIn(t, profiles))
		require.NoError(t, err)
		require.Equal(t, services, slices.Sorted(maps.Keys(p.Services)))
		for name, service := range p.Services {
			require.NotContains(t, service.Image, "latest", name)
			require.Equal(t, "unless-stopped", service.Restart, name)
			require.Equal(t, "local", service.Logging.Driver, "%s: another driver fills the disk", name)
		}
	}
}

// Docker Compose says what is missing before it starts anything.
func TestComposeSaysWhatIsMissing(t *testing.T) {
	for _, name := range []string{"COMPOSE_PROFILES", "DOMAIN", "PUBLIC_ADDRESS", "CORS_ORIGIN", "ADMIN_TOKEN", "TURN_SECRET"} {
		variables := filledIn(t, "alone")
		variables[name] = ""
		_, err := project(t, variables)
		require.ErrorContains(t, err, "set "+name+" in .env", name)
	}
}

// settingsIn returns the settings of a server in Compose: those of its image and its own.
func settingsIn(t *testing.T, service types.ServiceConfig) map[string]string {
	t.Helper()
	settings := make(map[string]string)
	for _, line := range imageLines(t, "ENV") {
		name, value, _ := strings.Cut(line, "=")
		settings[name] = value
	}
	for name, value := range service.Environment {
		settings[name] = *value
	}
	return settings
}

func TestTheServersOfComposeStart(t *testing.T) {
	for profile, names := range map[string][]string{"alone": {"signaling"}, "cluster": {"node-1", "node-2", "node-3"}} {
		variables := filledIn(t, profile)
		variables["COMMIT"] = "0123abc"
		p, err := project(t, variables)
		require.NoError(t, err)
		for i, name := range names {
			service := p.Services[name]
			settings := settingsIn(t, service)
			if i == 0 { // the others differ in their name
				status, body := start(t, settings).get(t, "/livez")
				require.Equal(t, 200, status, body)
			}
			if profile == "cluster" {
				require.Equal(t, name, settings["NODE_NAME"])
			}
			require.Greater(t, time.Duration(*service.StopGracePeriod), duration(t, settings, "SHUTDOWN_TIMEOUT")+2*time.Second, name)
			require.True(t, service.ReadOnly, name)
			require.Equal(t, []string{"ALL"}, service.CapDrop, name)
			require.FileExists(t, filepath.Join(service.Build.Context, "Dockerfile"))
			require.Equal(t, "0123abc", *service.Build.Args["COMMIT"], name)
			require.Positive(t, service.MemLimit, name)
		}
	}
}

// An update hands the sockets over in a folder that the image gives to the user of the
// server, and so to a new volume. Nodes are replaced one by one: each serves before the next ends.
func TestAnUpdateOfComposeLosesNoSocket(t *testing.T) {
	p, err := project(t, filledIn(t, "alone"))
	require.NoError(t, err)
	signaling := p.Services["signaling"]
	state := signaling.Volumes[0]
	require.Equal(t, state.Target, filepath.Dir(settingsIn(t, signaling)["STATE_FILE"]))
	require.Contains(t, p.Volumes, state.Source)
	require.Contains(t, imageLines(t, "COPY"), "--from=build --chown="+imageLines(t, "USER")[0]+" "+state.Target+" "+state.Target)

	p, err = project(t, filledIn(t, "cluster"))
	require.NoError(t, err)
	for _, name := range []string{"node-1", "node-2", "node-3"} {
		check := p.Services[name].HealthCheck.Test
		require.Equal(t, types.HealthCheckTest{"CMD", strings.Trim(imageLines(t, "ENTRYPOINT")[0], `["]`), "healthcheck", "ready"}, check)
	}
}

// The proxy has a fixed address, which the server trusts, and finds the servers by the
// name and the port that they have. So does Prometheus.
func TestTheServicesOfComposeFindEachOther(t *testing.T) {
	p, err := project(t, filledIn(t, "cluster,watch"))
	require.NoError(t, err)
	for _, name := range []string{"node-1", "node-2", "node-3"} {
		require.Equal(t, []string{"nodes"}, p.Services[name].Networks["default"].Aliases, name)
	}
	proxy := p.Services["caddy"].Networks["default"].Ipv4Address
	require.Equal(t, proxy, settingsIn(t, p.Services["node-1"])["TRUSTED_PROXIES"])
	ipam := p.Networks["default"].Ipam.Config[0]
	require.True(t, netip.MustParsePrefix(ipam.Subnet).Contains(netip.MustParseAddr(proxy)))
	require.False(t, netip.MustParsePrefix(ipam.IPRange).Contains(netip.MustParseAddr(proxy)), "a container that starts earlier takes the address")

	port := defaults(t)["PORT"]
	caddy, err := os.ReadFile(p.Configs["caddy"].File)
	require.NoError(t, err)
	require.Regexp(t, `dynamic a \{\s+name nodes\s+port `+port+`\s`, string(caddy))
	require.Contains(t, string(caddy), "header_up -Forwarded")
	prometheus, err := os.ReadFile(p.Configs["prometheus"].File)
	require.NoError(t, err)
	require.Regexp(t, `names: \[nodes\]\s+type: A\s+port: `+port+`\s`, string(prometheus))
	require.Contains(t, string(prometheus), "credentials_file: /run/secrets/"+p.Services["prometheus"].Secrets[0].Source)
	require.Equal(t, "ADMIN_TOKEN", p.Secrets["admin-token"].Environment)
}

// Docker would make an empty folder of a path that is not there. Grafana must reckon with the
// interval of scrapes.
func TestWhatComposeMountsIsThere(t *testing.T) {
	p, err := project(t, filledIn(t, "cluster,watch"))
	require.NoError(t, err)
	mounted := make(map[string]string)
	for _, service := range p.Services {
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeBind {
				_, err := os.Stat(volume.Source)
				require.NoError(t, err)
				require.True(t, volume.ReadOnly, volume.Source)
				mounted[volume.Target] = volume.Source
			}
		}
	}
	require.Len(t, mounted, 3)
	provider, err := os.ReadFile(filepath.Join(mounted["/etc/grafana/provisioning"], "dashboards/signaling.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(provider), "path: /var/lib/grafana/dashboards")
	require.Contains(t, mounted, "/var/lib/grafana/dashboards")
	source, err := os.ReadFile(filepath.Join(mounted["/etc/grafana/provisioning"], "datasources/prometheus.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(source), "url: http://prometheus:9090")
	interval := regexp.MustCompile(`timeInterval: (\S+)`).FindStringSubmatch(string(source))
	require.NotNil(t, interval)
	prometheus, err := os.ReadFile(p.Configs["prometheus"].File)
	require.NoError(t, err)
	require.Contains(t, string(prometheus), "scrape_interval: "+interval[1]+"\n")
	require.Contains(t, string(prometheus), "rule_files: ["+filepath.Base(mounted["/etc/prometheus/alerts.yaml"])+"]")
}

func TestTheNATSServersOfComposeKeepTheLog(t *testing.T) {
	p, err := project(t, filledIn(t, "cluster"))
	require.NoError(t, err)
	text, err := os.ReadFile(p.Configs["nats"].File)
	require.NoError(t, err)
	hosts := []string{"nats-1", "nats-2", "nats-3"}
	config := requireLog(t, string(text), settingsIn(t, p.Services["node-1"]), hosts, p.Services["nats-1"].Image)
	for _, host := range hosts {
		require.Equal(t, host, *p.Services[host].Environment["SERVER_NAME"])
		require.Equal(t, config["jetstream"].(map[string]any)["store_dir"], p.Services[host].Volumes[0].Target)
		require.Equal(t, host, p.Services[host].Volumes[0].Source)
	}
}

// The TURN server is that of docs/deployment.md, which a test starts, but for the lines
// that differ in a container.
func TestTheTURNServerOfComposeIsThatOfTheDocuments(t *testing.T) {
	p, err := project(t, filledIn(t, "alone"))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs/deployment.md"))
	require.NoError(t, err)
	recipe := regexp.MustCompile("(?s)<!-- test:recipe-coturn -->\\s*```conf\n(.*?)```").FindStringSubmatch(string(page))
	require.NotNil(t, recipe)
	ours := strings.Fields(p.Configs["coturn"].Content)
	denied := func(line string) bool { return !strings.HasPrefix(line, "denied-peer-ip=") }
	require.Equal(t, slices.DeleteFunc(strings.Split(strings.TrimSpace(recipe[1]), "\n"), denied), slices.DeleteFunc(slices.Clone(ours), denied))
	require.Subset(t, ours, []string{"use-auth-secret", "static-auth-secret=" + turnSecret, "realm=signaling.example.com", "external-ip=192.0.2.1", "no-cli", "no-multicast-peers"})

	settings := settingsIn(t, p.Services["signaling"])
	require.Equal(t, turnSecret, settings["TURN_SECRET"])
	require.Equal(t, "turn:signaling.example.com:3478,turn:signaling.example.com:3478?transport=tcp", settings["TURN_URLS"])
	require.Equal(t, "host", p.Services["coturn"].NetworkMode)
}

// Caddy and Prometheus take their files, if they are installed.
func TestTheProgramsOfComposeTakeTheirFiles(t *testing.T) {
	for name, arguments := range map[string][]string{
		"caddy":    {"validate", "--adapter", "caddyfile", "--config", "../compose/Caddyfile"},
		"promtool": {"check", "config", "--syntax-only", "../compose/prometheus.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("NOT TESTED: %s is not installed", name)
			}
			command := exec.Command(path, arguments...)
			command.Env = []string{"DOMAIN=signaling.example.com", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
			output, err := command.CombinedOutput()
			require.NoError(t, err, string(output))
		})
	}
}
