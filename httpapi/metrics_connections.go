package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"signaling-server/httpapi/conns"
)

// ConnectionClosed counts a connection that the guard closed.
func (m *Metrics) ConnectionClosed(why conns.Reason) { m.closed[why].Inc() }

// WatchConnections makes the metrics report the connections that a guard counts.
// It must be called at most once.
func (m *Metrics) WatchConnections(guard *conns.Guard) {
	m.registry.MustRegister(connectionCensus{guard})
}

// connectionCensus counts connections for each request.
type connectionCensus struct{ guard *conns.Guard }

var connectionsNow = prometheus.NewDesc("signaling_connections",
	"TCP connections: new ones whose first request has not arrived, those with a request under way, idle ones, and those in the reserve for operators and probes.", []string{"state"}, nil)

// Describe implements [prometheus.Collector].
func (connectionCensus) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- connectionsNow
}

// Collect implements [prometheus.Collector].
func (c connectionCensus) Collect(metrics chan<- prometheus.Metric) {
	counts := c.guard.Counts()
	for state, value := range map[string]int{"new": counts.New, "active": counts.Active, "idle": counts.Idle, "reserve": counts.Reserve} {
		metrics <- prometheus.MustNewConstMetric(connectionsNow, prometheus.GaugeValue, float64(value), state)
	}
}
