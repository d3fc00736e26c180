package httpapi

import (
	"time"

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

// WatchCertificate makes the metrics report when the server's certificate expires, as a
// function returns it for each request; the zero time: there is none. Any goroutine may call
// that function. WatchCertificate must be called at most once.
func (m *Metrics) WatchCertificate(expires func() time.Time) {
	m.registry.MustRegister(certificateCensus{expires})
}

// certificateCensus looks at the certificate for each request.
type certificateCensus struct{ expires func() time.Time }

var certificateExpires = prometheus.NewDesc("signaling_certificate_expiry_timestamp_seconds",
	"When the server's own certificate expires, in Unix time. Of several certificates it is the first that expires.", nil, nil)

// Describe implements [prometheus.Collector].
func (certificateCensus) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- certificateExpires
}

// Collect implements [prometheus.Collector].
func (c certificateCensus) Collect(metrics chan<- prometheus.Metric) {
	if at := c.expires(); !at.IsZero() {
		metrics <- prometheus.MustNewConstMetric(certificateExpires, prometheus.GaugeValue, float64(at.Unix()))
	}
}
