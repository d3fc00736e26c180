package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prometheusIsInstalled skips the test if a program of Debian's package prometheus is missing,
// or fails it if REQUIRE_PROMETHEUS is set.
func prometheusIsInstalled(t *testing.T) {
	t.Helper()
	for _, program := range []string{"prometheus", "promtool"} {
		_, err := exec.LookPath(program)
		if err != nil && os.Getenv("REQUIRE_PROMETHEUS") != "1" {
			t.Skip("NOT TESTED: Prometheus is not installed: install the package prometheus")
		}
		require.NoError(t, err)
	}
}

// promtool runs promtool, which must find nothing wrong.
func promtool(t *testing.T, folder string, args ...string) {
	t.Helper()
	output, err := tool(t, folder, "promtool", args...).CombinedOutput()
	assert.NoError(t, err, "promtool %s: %s", strings.Join(args, " "), output)
}

func TestTheAlertsFireWhenTheyShould(t *testing.T) {
	prometheusIsInstalled(t)
	runsBeside(t)
	promtool(t, "../deploy/prometheus", "check", "rules", "alerts.yaml")
	promtool(t, "../deploy/prometheus/tests", "test", "rules", "alerts.yaml")
	folder := watchingFolder(t, func(example string) string { return example })
	promtool(t, folder, "check", "config", "prometheus.yml")
}

// watchersToken may read all, and do nothing. watchersLine is what the servers know of it.
const (
	watchersToken = "V6NVSS3KZXWUC2V3CMB4ESGCCU"
	watchersLine  = "prometheus read sha256:86e53a0d4cca2667bbc9fa8ab0e31a332f9b903aefefe1290b49f8f7a200210e"
)

// watchingFolder returns a folder with what deploy/prometheus says that Prometheus needs. The
// function changes the example of a configuration.
func watchingFolder(t *testing.T, change func(example string) string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"prometheus.yml", "alerts.yaml"} {
		text, err := os.ReadFile(filepath.Join("../deploy/prometheus", name))
		require.NoError(t, err)
		if name == "prometheus.yml" {
			text = []byte(change(string(text)))
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "operator-token"), []byte(watchersToken), 0o600))
	return folder
}

// grafanaDashboard is in the format that each Grafana reads from files. The library prefers a
// format that only newer ones read.
//
//lint:ignore SA1019 for the reason above
type grafanaDashboard = dashboard.Dashboard

// grafanaBoard reads the dashboard by Grafana's own library, which knows each member of it. Its
// strict reader says what is wrong, and keeps no panel.
func grafanaBoard(t *testing.T) (board grafanaDashboard) {
	t.Helper()
	known := cog.NewRuntime()
	for _, config := range []variants.PanelcfgConfig{stat.VariantConfig(), timeseries.VariantConfig(), heatmap.VariantConfig()} {
		known.RegisterPanelcfgVariant(config)
	}
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	text, err := os.ReadFile("../deploy/grafana/dashboards/signaling.json")
	require.NoError(t, err)
	if err := new(grafanaDashboard).UnmarshalJSONStrict(text); err != nil {
		require.Empty(t, err.Error(), "an error that lists nothing is none")
	}
	require.NoError(t, json.Unmarshal(text, &board))
	if err := board.Validate(); err != nil {
		require.Empty(t, err.Error(), "an error that lists nothing is none")
	}
	return board
}

// The example of a configuration lets a real Prometheus read real servers: one that is under
// load, and one node of a cluster. Then no panel is empty, and each rule can be judged.
func TestEachPanelOfTheDashboardShowsWhatAServerDoes(t *testing.T) {
	prometheusIsInstalled(t)
	runsBeside(t)
	board := grafanaBoard(t)
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // takes spans
	t.Cleanup(collector.Close)
	alone := startServer(t, append([]string{"OPERATOR_TOKENS=" + watchersLine, "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL}, noLimits...)...)
	node := startNode(t)
	p := startPrometheus(t, alone, node)

	loads := []string{"-clients=30 -room-size=3 -rate=120 -churn=2", "-clients=6 -rate=20 -transport=poll"}
	lasts, step := 5*time.Second, time.Second
	if os.Getenv("SHOTS_DIR") != "" {
		lasts, step = 3*time.Minute, 2*time.Second
	}
	began := time.Now()
	var loading sync.WaitGroup
	for _, flags := range loads {
		loading.Go(func() { runLoad(t, alone, lasts, strings.Fields(flags)...) })
	}
	for time.Since(began) < lasts*3/4 {
		misbehave(t, alone)
		time.Sleep(time.Second)
	}
	loading.Wait()
	p.awaits(`signaling_cluster_snapshot_age_seconds`)

	exemplars := 0
	var drawn []drawnPanel
	job := "signaling"
	for _, each := range board.Panels {
		if each.RowPanel != nil {
			if *each.RowPanel.Title == "Several nodes" {
				job = "node"
			}
			drawn = append(drawn, drawnPanel{Type: "row", Title: *each.RowPanel.Title, Place: *each.RowPanel.GridPos})
			continue
		}
		panel := each.Panel
		of := job
		if strings.HasPrefix(*panel.Title, "Certificate") {
			of = "node" // it uses TLS
		}
		one := newDrawnPanel(panel)
		for _, target := range panel.Targets {
			query := target.(*prometheus.Dataquery)
			series := p.between(began, step, asGrafana(query.Expr, of, step))
			assert.NotEmpty(t, series, "panel %q is empty: %s", *panel.Title, query.Expr)
			for i := range series {
				series[i].Name = legendOf(*query.LegendFormat, series[i].Metric)
			}
			if query.Exemplar != nil && *query.Exemplar && job == "signaling" {
				exemplars += p.exemplars(began, asGrafana(query.Expr, of, step))
			}
			one.Series = append(one.Series, series...)
		}
		drawn = append(drawn, one)
	}
	require.Greater(t, len(drawn), 30)
	require.NotZero(t, exemplars, "slow deliveries have traces")
	p.judgesAllRules()
	p.offers(board, map[string][]string{"job": {"node", "signaling"}, "instance": {strings.TrimPrefix(alone, "http://")}})
	if folder := os.Getenv("SHOTS_DIR"); folder != "" {
		drawBoard(t, drawn, folder)
	}
}

// startNode starts one node of a cluster, whose log one NATS server keeps. The node uses TLS.
func startNode(t *testing.T) (address string) {
	t.Helper()
	path, err := builtNATS.build()
	require.NoError(t, err, "building the NATS server")
	port := freePort(t)
	nats := exec.Command(path, "-a", "127.0.0.1", "-p", port, "-js", "-sd", t.TempDir())
	require.NoError(t, nats.Start())
	t.Cleanup(func() {
		require.NoError(t, nats.Process.Kill())
		_ = nats.Wait() // it was killed
	})
	folder := t.TempDir()
	writeCertificate(t, folder)
	return startServer(t, "OPERATOR_TOKENS="+watchersLine, "CLUSTER_URL=nats://127.0.0.1:"+port, "CLUSTER_REPLICAS=1", "NODE_NAME=node-1",
		"TLS_CERT="+filepath.Join(folder, "fullchain.pem"), "TLS_KEY="+filepath.Join(folder, "privkey.pem"))
}

// runLoad lets clients use a server.
func runLoad(t *testing.T, url string, lasts time.Duration, flags ...string) {
	path, err := builtLoad.build()
	if !assert.NoError(t, err) {
		return
	}
	output, err := exec.Command(path, append(flags, "-url="+url, "-settle=0s", "-warmup=0s", "-duration="+lasts.String())...).CombinedOutput()
	assert.NoError(t, err, string(output))
}

// misbehave makes a server refuse requests, reach a limit and close a connection.
func misbehave(t *testing.T, url string) {
	t.Helper()
	for _, one := range []struct {
		method, path, body string
		header             http.Header
		status             int
	}{
		{method: http.MethodGet, path: "/events?lastEventId=AAAAAAAAAAAAAAAAAAAAAA.1", status: http.StatusOK}, // the client needs a new socket
		{method: http.MethodPost, path: "/events", body: `{"type":"ping"}`, status: http.StatusUnauthorized},
		{method: http.MethodGet, path: "/nowhere", status: http.StatusNotFound},
		{method: http.MethodGet, path: "/", header: http.Header{"X": make([]string, 300)}, status: http.StatusRequestHeaderFieldsTooLarge},
	} {
		r, err := http.NewRequestWithContext(t.Context(), one.method, url+one.path, strings.NewReader(one.body))
		require.NoError(t, err)
		if one.header != nil {
			r.Header = one.header
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, one.status, response.StatusCode, one.path)
	}
	endless, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer endless.Close()
	_, _ = io.WriteString(endless, "GET / HTTP/1.1\r\n"+strings.Repeat("X: \r\n", 3000)) // the server does not read all of it
	_, _ = io.Copy(io.Discard, endless)                                                  // until the server closes it
}

// watcher is a running Prometheus.
type watcher struct {
	t   *testing.T
	url string
}

// startPrometheus starts a Prometheus that reads a server, and a node as a job of its own. It
// waits until both were read.
func startPrometheus(t *testing.T, alone, node string) *watcher {
	t.Helper()
	folder := watchingFolder(t, func(example string) string {
		require.Contains(t, example, "[localhost:3002]")
		config := strings.NewReplacer("15s", "1s", "localhost:3002", strings.TrimPrefix(alone, "http://")).Replace(example)
		return config + fmt.Sprintf(`
  - job_name: node
    scheme: https
    tls_config: {insecure_skip_verify: true}
    authorization: {credentials_file: operator-token}
    static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(node, "https://"))
	})
	address := "127.0.0.1:" + freePort(t)
	program := exec.Command("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+address, "--log.level=warn", "--enable-feature=exemplar-storage")
	program.Dir = folder
	var log bytes.Buffer
	program.Stdout, program.Stderr = &log, &log
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		require.NoError(t, program.Process.Signal(syscall.SIGTERM))
		err := program.Wait()
		if err != nil || t.Failed() {
			t.Logf("Prometheus ended (%v):\n%s", err, &log)
		}
	})
	p := &watcher{t, "http://" + address}
	p.awaits(`count(up == 1) == 2`)
	return p
}

// ask returns the data of an answer.
func (p *watcher) ask(path string, query url.Values, data any) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+query.Encode(), nil)
	require.NoError(p.t, err)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	require.Equal(p.t, "success", answer.Status, "%s: %s", query, answer.Error)
	return json.Unmarshal(answer.Data, data)
}

// awaits waits until a query has a result.
func (p *watcher) awaits(query string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		var data struct{ Result []any }
		return p.ask("/api/v1/query", url.Values{"query": {query}}, &data) == nil && len(data.Result) > 0
	}, within, 100*time.Millisecond, query)
}

// promSeries is a series as Prometheus answers it.
type promSeries struct {
	Name   string            `json:"name"` // of its legend
	Metric map[string]string `json:"metric"`
	Values []promSample      `json:"values"`
}

// promSample is a value at a time, in seconds.
type promSample [2]float64

func (s *promSample) UnmarshalJSON(text []byte) error {
	var both [2]any
	if err := json.Unmarshal(text, &both); err != nil {
		return err
	}
	value, err := strconv.ParseFloat(both[1].(string), 64)
	*s = promSample{both[0].(float64), value}
	return err
}

// between returns the series of a query since a time, without those that have no value at all.
func (p *watcher) between(began time.Time, step time.Duration, query string) (all []promSeries) {
	p.t.Helper()
	var data struct{ Result []promSeries }
	require.NoError(p.t, p.ask("/api/v1/query_range", sinceThen(began, query, step), &data))
	for _, series := range data.Result {
		var known []promSample
		for _, s := range series.Values {
			if !math.IsNaN(s[1]) && !math.IsInf(s[1], 0) {
				known = append(known, s)
			}
		}
		if series.Values = known; len(known) > 0 {
			all = append(all, series)
		}
	}
	return all
}

// sinceThen asks a query for each step of the time since began.
func sinceThen(began time.Time, query string, step time.Duration) url.Values {
	inSeconds := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	return url.Values{"query": {query}, "start": {inSeconds(began)}, "end": {inSeconds(time.Now().Add(step))}, "step": {step.String()}}
}

// exemplars returns how many exemplars the series of a query have. Each must name a trace.
func (p *watcher) exemplars(began time.Time, query string) (count int) {
	p.t.Helper()
	var data []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	require.NoError(p.t, p.ask("/api/v1/query_exemplars", sinceThen(began, query, time.Second), &data))
	for _, series := range data {
		for _, exemplar := range series.Exemplars {
			require.Regexp(p.t, "^[0-9a-f]{32}$", exemplar.Labels["trace_id"])
			count++
		}
	}
	return count
}

// judgesAllRules requires that Prometheus has judged each rule without an error.
func (p *watcher) judgesAllRules() {
	p.t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	require.NoError(p.t, p.ask("/api/v1/rules", nil, &data))
	require.NotEmpty(p.t, data.Groups)
	for _, group := range data.Groups {
		require.NotEmpty(p.t, group.Rules)
		for _, rule := range group.Rules {
			assert.Equal(p.t, "ok", rule.Health, "%s: %s", rule.Name, rule.LastError)
		}
	}
}

// offers requires that the variables of the dashboard offer these values.
func (p *watcher) offers(board grafanaDashboard, want map[string][]string) {
	p.t.Helper()
	asks := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, variable := range board.Templating.List {
		if variable.Type != "query" {
			continue
		}
		query := asks.FindStringSubmatch(*variable.Definition)
		require.NotNil(p.t, query, *variable.Definition)
		var values []string
		series := strings.ReplaceAll(query[1], "$job", "signaling")
		require.NoError(p.t, p.ask("/api/v1/label/"+query[2]+"/values", url.Values{"match[]": {series}}, &values))
		assert.Equal(p.t, want[variable.Name], values, variable.Name)
		delete(want, variable.Name)
	}
	assert.Empty(p.t, want)
}

// asGrafana fills in the variables of a query as Grafana does, if all nodes of a job are chosen
// and Prometheus reads them each second. $__rate_interval has four reads, or a step and a read.
func asGrafana(query, job string, step time.Duration) string {
	const read = time.Second
	return strings.NewReplacer("$job", job, "$instance", ".+", "$__rate_interval", max(step+read, 4*read).String()).Replace(query)
}

// legendOf fills a legend in with the labels of a series.
func legendOf(format string, labels map[string]string) string {
	for name, value := range labels {
		format = strings.ReplaceAll(format, "{{"+name+"}}", value)
	}
	return format
}
