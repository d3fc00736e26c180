package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// usage is what a server's process has used. Allocations are known from /metrics alone.
type usage struct {
	processor   time.Duration
	resident    int64 // bytes
	allocations float64
	allocated   float64 // bytes

	processes []process // if there are several: those of the server, then those of its engine
}

// process is what one process has used.
type process struct {
	pid       int
	isEngine  bool
	processor time.Duration
	resident  int64 // bytes
}

// meter reads what the server's processes have used.
type meter struct {
	pids    []int // empty: not known
	engine  []int
	metrics *url.URL // nil: not asked
	token   string
}

func newMeter(s settings) meter {
	m := meter{pids: s.pids, engine: s.engine, token: s.adminToken}
	if s.metrics {
		m.metrics = s.nodes[0].JoinPath("/metrics")
	}
	return m
}

func (m meter) measures() bool { return len(m.pids) > 0 || m.metrics != nil }

// read returns nothing if neither -pid nor -metrics is given. With both, /metrics has only
// the allocations: it is less exact, and reading it costs the server something.
func (m meter) read() (u usage, err error) {
	if m.metrics != nil {
		if u, err = m.scrape(); err != nil {
			return u, fmt.Errorf("reading %s: %w", m.metrics.Redacted(), err)
		}
	}
	for i, pid := range slices.Concat(m.pids, m.engine) {
		p := process{pid: pid, isEngine: i >= len(m.pids)}
		if p.processor, p.resident, err = usageOfProcess(pid); err != nil {
			return u, err
		}
		u.processes = append(u.processes, p)
		if !p.isEngine {
			u.processor += p.processor
			u.resident += p.resident
		}
	}
	return u, nil
}

func (m meter) scrape() (u usage, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.metrics.String(), nil)
	if err != nil {
		return u, err
	}
	if m.token != "" {
		r.Header.Set("Authorization", "Bearer "+m.token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return u, err
	}
	body, err := streamOf(response, response.Body)
	if err != nil {
		if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
			err = fmt.Errorf("%w\nset ADMIN_TOKEN to the operators' token of the server", err)
		}
		return u, err
	}
	defer body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		return u, err
	}
	value := func(name string) float64 {
		metrics := families[name].GetMetric()
		if len(metrics) == 0 {
			err = errors.Join(err, fmt.Errorf("%s is missing", name))
			return 0
		}
		return valueOf(metrics[0])
	}
	u.allocations, u.allocated = value("go_memstats_mallocs_total"), value("go_memstats_alloc_bytes_total")
	if len(m.pids) == 0 {
		u.processor = time.Duration(value("process_cpu_seconds_total") * float64(time.Second))
		u.resident = int64(value("process_resident_memory_bytes"))
	}
	return u, err
}

// valueOf returns the value of a counter or a gauge.
func valueOf(m *dto.Metric) float64 { return m.GetCounter().GetValue() + m.GetGauge().GetValue() }
