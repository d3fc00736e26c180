package httpapi

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signaling-server/webhooks"
)

// watchWebhooks makes the metrics report what became of the webhooks.
func (m *Metrics) watchWebhooks(sender *webhooks.Sender) {
	m.registry.MustRegister(webhookCensus{sender})
}

// webhookCensus reports what became of the webhooks for each request.
type webhookCensus struct{ sender *webhooks.Sender }

var (
	webhooksSending   = prometheus.NewDesc("signaling_webhooks_sending", "1 if this node sends the webhooks, 0 if another node does.", nil, nil)
	webhooksFailing   = prometheus.NewDesc("signaling_webhooks_failing", "1 if the receiver of webhooks has not accepted the last that this node has sent for some room, 0 if it has.", nil, nil)
	webhooksWaiting   = prometheus.NewDesc("signaling_webhooks_waiting", "Webhooks that the receiver has not accepted yet.", nil, nil)
	webhooksOldest    = prometheus.NewDesc("signaling_webhooks_oldest_seconds", "Age of the oldest webhook that waits, 0 if none waits.", nil, nil)
	webhooksDelivered = prometheus.NewDesc("signaling_webhooks_delivered_total", "Webhooks that the receiver has accepted, in all nodes.", nil, nil)
	webhooksDropped   = prometheus.NewDesc("signaling_webhooks_dropped_total", "Webhooks that newer ones pushed out before the receiver accepted them, in all nodes.", nil, nil)
	webhooksFailed    = prometheus.NewDesc("signaling_webhooks_failed_attempts_total", "Attempts of this node to deliver a webhook that have failed.", nil, nil)
	webhookCensusAll  = []*prometheus.Desc{webhooksSending, webhooksFailing, webhooksWaiting, webhooksOldest, webhooksDelivered, webhooksDropped, webhooksFailed}
)

// Describe implements [prometheus.Collector].
func (webhookCensus) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range webhookCensusAll {
		descriptions <- d
	}
}

// Collect implements [prometheus.Collector].
func (c webhookCensus) Collect(metrics chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, value float64) {
		metrics <- prometheus.MustNewConstMetric(d, kind, value)
	}
	s := c.sender.Status()
	age := 0.0
	if !s.Oldest.IsZero() {
		age = max(0, time.Since(s.Oldest).Seconds())
	}
	tell(webhooksSending, prometheus.GaugeValue, oneIf(s.IsSender))
	tell(webhooksFailing, prometheus.GaugeValue, oneIf(s.IsFailing))
	tell(webhooksWaiting, prometheus.GaugeValue, float64(s.Waiting))
	tell(webhooksOldest, prometheus.GaugeValue, age)
	tell(webhooksDelivered, prometheus.CounterValue, float64(s.Delivered))
	tell(webhooksDropped, prometheus.CounterValue, float64(s.Dropped))
	tell(webhooksFailed, prometheus.CounterValue, float64(s.FailedAttempts))
}
