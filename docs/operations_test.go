package docs_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/telemetry"
	"signaling-server/machine"
	"signaling-server/server"
	"signaling-server/webhooks"
)

// The page for operators lists each metric of the server and each of its limits, and
// no others.
func TestTheOperatorsPageListsAllMetricsAndLimits(t *testing.T) {
	metrics := metricsOf(t, server.Parts{})
	page := readPage(t, "operations.md")
	names := func(column string) (names []string) {
		for _, row := range page.table(t, "Metrics", column) {
			name, _, _ := strings.Cut(codeSpans(row[0])[0], "{")
			names = append(names, name)
		}
		return names
	}
	require.ElementsMatch(t, families(metricsOf(t, server.Parts{Webhooks: &webhooks.Options{URL: "http://127.0.0.1:1"}})), append(names("metric"), names("metric of webhooks")...))
	var limits []string
	for _, row := range page.table(t, "Limits", "limit") {
		limits = append(limits, codeSpans(row[0])...)
	}
	require.ElementsMatch(t, families(metrics), names("metric"))
	ofNode := metricsOf(t, server.Parts{State: func(alone machine.State) machine.State { return node{alone} }})
	require.ElementsMatch(t, families(ofNode), append(names("metric"), names("metric of a node")...))
	exported, err := telemetry.Start(telemetry.Options{Traces: &telemetry.Collector{URL: "http://localhost"}})
	require.NoError(t, err)
	defer exported.Shutdown(t.Context())
	exporting := metricsOf(t, server.Parts{API: httpapi.Options{Collectors: exported.Collectors()}})
	require.ElementsMatch(t, families(exporting), append(names("metric"), names("metric of the export")...))
	require.ElementsMatch(t, submatches(metrics, `(?m)^signaling_limit_reached_total\{limit="([^"]+)"\}`), limits)
}

// metricsOf returns the metrics of a server.
func metricsOf(t *testing.T, parts server.Parts) string {
	signaling, err := server.Join(parts)
	require.NoError(t, err)
	signaling.Guard(conns.Options{}) // it has metrics as well, and so has the certificate
	signaling.WatchCertificate(time.Now)
	response := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "http://localhost/metrics", nil)
	signaling.Handler().ServeHTTP(response, request)
	return response.Body.String()
}

func families(metrics string) []string { return submatches(metrics, `(?m)^# TYPE (signaling_\w+)`) }

// node is the state of one of several nodes, which has taken a snapshot.
type node struct{ machine.State }

func (node) Status() machine.Status { return machine.Status{Name: "n1", SnapshotBytes: 1} }

func submatches(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
