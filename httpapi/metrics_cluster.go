package httpapi

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signaling-server/machine"
)

// clusterMetrics count what a node appends to the log.
type clusterMetrics struct {
	took     prometheus.Histogram
	commands prometheus.Histogram
	failures prometheus.Counter
}

func newClusterMetrics() clusterMetrics {
	return clusterMetrics{
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "signaling_cluster_append_seconds",
			Help:    "Time that this node took to append a record to the log, with all attempts.",
			Buckets: deliverySeconds,
		}),
		commands: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "signaling_cluster_record_commands",
			Help:    "Commands in a record that this node has appended to the log.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signaling_cluster_append_failures_total",
			Help: "Attempts of this node to append a record that got no answer, or an error.",
		}),
	}
}

// RecordAppended counts an attempt to append a record to the log, for which the record has been
// under way for a time.
func (m *Metrics) RecordAppended(took time.Duration, commands int, err error) {
	if err != nil {
		m.cluster.failures.Inc()
		return
	}
	m.cluster.took.Observe(took.Seconds())
	m.cluster.commands.Observe(float64(commands))
}

// watchCluster makes the metrics report the log, as this node knows it.
func (m *Metrics) watchCluster(state machine.State) {
	m.registry.MustRegister(m.cluster.took, m.cluster.commands, m.cluster.failures, clusterCensus{state})
}

// clusterCensus reports the status of this node for each request.
type clusterCensus struct{ state machine.State }

var (
	nodeInfo         = prometheus.NewDesc("signaling_cluster_node_info", "Always 1. The label is the name of this node.", []string{"node"}, nil)
	nodeIsReady      = prometheus.NewDesc("signaling_cluster_ready", "1 if this node serves, 0 if it does not.", nil, nil)
	engineIsReached  = prometheus.NewDesc("signaling_cluster_engine_reached", "1 if this node is connected to a server of the engine, 0 if it is not.", nil, nil)
	nodesNow         = prometheus.NewDesc("signaling_cluster_nodes", "Nodes that the log knows: those that live, and those that are lost.", []string{"state"}, nil)
	logPosition      = prometheus.NewDesc("signaling_cluster_position", "Sequence of the last record that this node has applied.", nil, nil)
	logLag           = prometheus.NewDesc("signaling_cluster_lag_records", "Records that this node has heard of, and not applied.", nil, nil)
	snapshotSize     = prometheus.NewDesc("signaling_cluster_snapshot_bytes", "Size of the state in the newest snapshot. Only the node that takes the snapshots reports it.", nil, nil)
	snapshotAge      = prometheus.NewDesc("signaling_cluster_snapshot_age_seconds", "Age of the newest snapshot. Only the node that takes the snapshots reports it.", nil, nil)
	snapshotPause    = prometheus.NewDesc("signaling_cluster_snapshot_pause_seconds", "For how long the newest snapshot kept this node from applying records. Only the node that takes the snapshots reports it.", nil, nil)
	clusterCensusAll = []*prometheus.Desc{nodeInfo, nodeIsReady, engineIsReached, nodesNow, logPosition, logLag, snapshotSize, snapshotAge, snapshotPause}
)

// Describe implements [prometheus.Collector].
func (clusterCensus) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range clusterCensusAll {
		descriptions <- d
	}
}

// Collect implements [prometheus.Collector].
func (c clusterCensus) Collect(metrics chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := c.state.Status()
	lost := 0
	for _, n := range s.Nodes {
		if n.IsLost {
			lost++
		}
	}
	tell(nodeInfo, 1, s.Name)
	tell(nodeIsReady, oneIf(s.Out == ""))
	tell(engineIsReached, oneIf(s.IsEngineReached))
	tell(nodesNow, float64(len(s.Nodes)-lost), "alive")
	tell(nodesNow, float64(lost), "lost")
	tell(logPosition, float64(s.Position))
	tell(logLag, float64(s.Lag()))
	if s.SnapshotBytes > 0 {
		tell(snapshotSize, float64(s.SnapshotBytes))
		tell(snapshotAge, time.Since(s.SnapshotAt).Seconds())
		tell(snapshotPause, s.SnapshotPause.Seconds())
	}
}

func oneIf(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}
