package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signaling-server/machine"
	"signaling-server/server"
	"signaling-server/webhooks"
)

// alert is a rule of deploy/prometheus/alerts.yaml.
type alert struct {
	Name        string `yaml:"alert"`
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// alerts are all rules of deploy/prometheus.
func alerts(t *testing.T) (all []alert) {
	text, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/alerts.yaml"))
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	require.NoError(t, yaml.UnmarshalWithOptions(text, &file, yaml.Strict()))
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	require.Greater(t, len(all), 10)
	return all
}

// panel is a panel of the dashboard for Grafana.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }
}

func dashboard(t *testing.T) (panels []panel, text string) {
	content, err := os.ReadFile(filepath.Join(root, "deploy/grafana/dashboards/signaling.json"))
	require.NoError(t, err)
	var board struct{ Panels []panel }
	require.NoError(t, json.Unmarshal(content, &board))
	require.Greater(t, len(board.Panels), 20)
	return board.Panels, string(content)
}

var (
	seriesName  = regexp.MustCompile(`\b((?:signaling|go|process)_\w+)(?:\{([^}]*)\})?`)
	matcher     = regexp.MustCompile(`(\w+)="([^"$]*)"`)
	grouping    = regexp.MustCompile(`\bby \(([^)]*)\)`)
	placeholder = regexp.MustCompile(`\{\{ *(?:\$labels\.)?(\w+) *\}\}`)
)

// The dashboard and the alerts ask for metrics, labels and values that a server has.
func TestTheDashboardAndTheAlertsAskForWhatExists(t *testing.T) {
	metrics := metricsOf(t, server.Parts{State: func(alone machine.State) machine.State { return node{alone} }, Webhooks: &webhooks.Options{URL: "http://127.0.0.1:1"}})
	asked := make(map[string]string) // what asks for an expression
	for _, a := range alerts(t) {
		asked[a.Expr] = a.Name
	}
	panels, text := dashboard(t)
	for _, p := range panels {
		for _, target := range p.Targets {
			asked[target.Expr] = p.Title
			for _, shown := range placeholder.FindAllStringSubmatch(target.LegendFormat, -1) {
				assert.Contains(t, strings.Join(submatches(target.Expr, grouping.String()), ","), shown[1], "%s: its legend", p.Title)
			}
			assert.Equal(t, strings.Count(target.Expr, "signaling_")+strings.Count(target.Expr, "process_"),
				strings.Count(target.Expr, `{job="$job",instance=~"$instance"`), "%s: each series is of the nodes that were chosen", p.Title)
		}
	}
	for _, query := range regexp.MustCompile(`label_values\((\w+)`).FindAllStringSubmatch(text, -1) {
		asked[query[1]] = "a variable of the dashboard"
	}
	count := 0
	for expression, by := range asked {
		known := []string{"job", "instance"}
		for _, series := range seriesName.FindAllStringSubmatch(expression, -1) {
			count++
			name := series[1]
			assert.NotEmpty(t, submatches(metrics, `(?m)^(`+name+`)[ {]`), "%s asks for %s", by, name)
			for _, label := range matcher.FindAllStringSubmatch(series[2], -1) {
				assert.NotEmpty(t, submatches(metrics, fmt.Sprintf(`(?m)^(%s)\{[^}]*\b%s=%q`, name, label[1], label[2])), "%s asks for %s", by, series[0])
			}
			for _, line := range submatches(metrics, `(?m)^`+name+`\{([^}]*)\}`) {
				for _, label := range matcher.FindAllStringSubmatch(line, -1) {
					known = append(known, label[1])
				}
			}
		}
		for _, group := range submatches(expression, grouping.String()) {
			for label := range strings.SplitSeq(group, ", ") {
				assert.Contains(t, known, label, "%s: a label", by)
			}
		}
	}
	require.Greater(t, count, 60)
}

// An alert leads to a heading that says what to do, and each heading is of an alert.
func TestEachAlertHasARunbook(t *testing.T) {
	section := readPage(t, "operations.md")["Alerts"]
	runbooks := make(map[string]string)
	for _, one := range strings.Split(section, "\n### ")[1:] {
		name, says, _ := strings.Cut(one, "\n")
		runbooks[name] = strings.TrimSpace(says)
	}
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.Name)
		assert.Greater(t, len(runbooks[a.Name]), 60, "%s: a runbook says what it means and what to do", a.Name)
		assert.Equal(t, "docs/operations.md#"+slug(a.Name), a.Annotations["runbook"])
		assert.NotEmpty(t, a.Annotations["summary"], a.Name)
		assert.Contains(t, []string{"warning", "critical"}, a.Labels["severity"], a.Name)
	}
	for name := range runbooks {
		assert.Contains(t, names, name, "a runbook of an alert that does not exist")
	}
	for _, setting := range submatches(section, "`([A-Z_]{4,})`") {
		settings, err := os.ReadFile("configuration.md")
		require.NoError(t, err)
		assert.Contains(t, string(settings), "`"+setting+"`", "a setting in a runbook")
	}
}

// Each alert is made to fire by a test, which promtool runs in e2e.
func TestEachAlertHasATestThatMakesItFire(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/tests/alerts.yaml"))
	require.NoError(t, err)
	var file struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	fires := make(map[string]bool)
	for _, test := range file.Tests {
		for _, check := range test.AlertRuleTest {
			fires[check.Alertname] = fires[check.Alertname] || len(check.ExpAlerts) > 0
		}
	}
	for _, a := range alerts(t) {
		assert.True(t, fires[a.Name], "no test makes %s fire", a.Name)
	}
}

func TestThePanelsOfTheDashboardShareNoPlace(t *testing.T) {
	panels, _ := dashboard(t)
	taken := make(map[[2]int]string)
	var ids []int
	for _, p := range panels {
		assert.NotContains(t, ids, p.ID, p.Title)
		assert.NotEmpty(t, p.Title)
		ids = append(ids, p.ID)
		at := p.GridPos
		assert.LessOrEqual(t, at.X+at.W, 24, p.Title)
		for x := range at.W {
			for y := range at.H {
				place := [2]int{at.X + x, at.Y + y}
				assert.Empty(t, taken[place], "%s: its place", p.Title)
				taken[place] = p.Title
			}
		}
	}
	bottom := slices.MaxFunc(panels, func(a, b panel) int { return a.GridPos.Y + a.GridPos.H - b.GridPos.Y - b.GridPos.H }).GridPos
	require.Len(t, taken, 24*(bottom.Y+bottom.H), "there are no gaps")
}
