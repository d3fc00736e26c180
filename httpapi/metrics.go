package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"signaling-server/httpapi/conns"
	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Metrics are what GET /metrics reports. No label holds a name, an ID or an address of a
// client, so the number of series does not grow with the number of clients. Any goroutine may
// call the methods.
type Metrics struct {
	registry  *prometheus.Registry
	handler   http.Handler
	byType    map[string]prometheus.Counter // events accepted
	delivered prometheus.Counter
	waited    prometheus.Histogram
	readers   map[sse.Transport]prometheus.Counter
	resumed   map[sse.Transport]prometheus.Counter
	unresumed map[sse.Transport]prometheus.Counter
	ended     map[sse.Reason]prometheus.Counter
	byProblem map[string]prometheus.Counter       // refusals
	byLimit   map[limits.Name]prometheus.Counter  // refusals for a limit
	closed    map[conns.Reason]prometheus.Counter // connections that the guard closed
	cluster   clusterMetrics                      // are reported if there is a cluster
}

// deliverySeconds are the buckets of the histogram: from the delay in a good network to
// the time that a client may be away.
var deliverySeconds = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
}

// NewMetrics makes metrics that have counted nothing yet. [New] makes them report the
// sockets and rooms. For the rest, their owner must call the methods.
func NewMetrics() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{
		registry: registry,
		handler:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		byType: newCounters(registry, "signaling_events_accepted_total", "type",
			"Client events that were accepted.", slices.Collect(maps.Keys(decode.ClientEvents))...),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signaling_events_delivered_total",
			Help: "Events that were written to a stream or into the answer of a poll, each once; heartbeats and the like are not counted.",
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "signaling_delivery_seconds",
			Help:    "Time from when an event was put into the outbox of its receiver until it was first written.",
			Buckets: deliverySeconds,
		}),
		readers: newCounters(registry, "signaling_streams_opened_total", "transport",
			"Streams and polls that began.", sse.OverStream, sse.OverPoll),
		resumed: newCounters(registry, "signaling_resumes_total", "transport",
			"Streams and polls that resumed a socket.", sse.OverStream, sse.OverPoll),
		unresumed: newCounters(registry, "signaling_resumes_failed_total", "transport",
			"Requests for a stream or poll whose position could not be resumed, so that the client needs a new socket.", sse.OverStream, sse.OverPoll),
		ended: newCounters(registry, "signaling_sockets_ended_total", "reason",
			"Sockets that ended.", sse.ClientDisconnect, sse.TransportClose, sse.SlowConsumer, sse.Kicked),
		byProblem: newCounters(registry, "signaling_refused_total", "problem",
			"Requests, and events of batches, that were refused by a problem.", problemNames()...),
		byLimit: newCounters(registry, "signaling_limit_reached_total", "limit",
			"Requests, and events of batches, that were refused because a limit was reached.", limitNames()...),
		closed: newCounters(registry, "signaling_connections_closed_total", "why",
			"TCP connections that were closed because there were too many, because they waited too long, because a proxy sent no PROXY header, or because of a header.", conns.Reasons()...),
		cluster: newClusterMetrics(),
	}
	registry.MustRegister(m.delivered, m.waited)
	return m
}

// newCounters makes one counter for each value of a label. The list of values is closed.
// All counters exist from the start: a rate over a series that has just appeared misses
// its first events.
func newCounters[T ~string](registry *prometheus.Registry, name, label, help string, values ...T) map[T]prometheus.Counter {
	all := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	registry.MustRegister(all)
	counters := make(map[T]prometheus.Counter, len(values))
	for _, value := range values {
		counters[value] = all.WithLabelValues(string(value))
	}
	return counters
}

// ReaderBegan counts a stream or a poll that began.
func (m *Metrics) ReaderBegan(transport sse.Transport) { m.readers[transport].Inc() }

// SocketResumed counts a request to resume a socket, and whether the socket could go on.
func (m *Metrics) SocketResumed(transport sse.Transport, resumed bool) {
	if resumed {
		m.resumed[transport].Inc()
	} else {
		m.unresumed[transport].Inc()
	}
}

// EventDelivered counts an event that was written, and how long it waited for that. The trace that
// the event is of, if any, becomes the exemplar of its bucket.
func (m *Metrics) EventDelivered(waited time.Duration, of trace.TraceID) {
	m.delivered.Inc()
	if !of.IsValid() {
		m.waited.Observe(waited.Seconds())
		return
	}
	m.waited.(prometheus.ExemplarObserver).ObserveWithExemplar(waited.Seconds(), prometheus.Labels{"trace_id": of.String()})
}

// SocketEnded counts a socket that has ended.
func (m *Metrics) SocketEnded(reason sse.Reason) { m.ended[reason].Inc() }

// eventAccepted counts an event of a client.
func (m *Metrics) eventAccepted(kind machine.Kind) { m.byType[kind.String()].Inc() }

// refused counts a refusal, and the limit that was reached; "": none.
func (m *Metrics) refused(problem string, limit limits.Name) {
	m.byProblem[problem].Inc()
	if limit != "" {
		m.byLimit[limit].Inc()
	}
}

func problemNames() []string {
	var names []string
	for _, t := range problem.Types {
		names = append(names, t.Name)
	}
	return names
}

// showExemplars lets a scraper choose OpenMetrics, the only text format that has exemplars. Without
// them it may not: there a bucket of 1 has the label le="1.0", so it would be another series.
func (m *Metrics) showExemplars() {
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// watch makes the metrics report how many sockets and rooms there are, and what they take.
func (m *Metrics) watch(hub *sse.Hub, members *rooms.Rooms, memory *budget.Budget) {
	m.registry.MustRegister(census{hub, members, memory})
}

// census counts sockets and rooms for each request. It takes related numbers from one
// count, so that their sums are right.
type census struct {
	hub    *sse.Hub
	rooms  *rooms.Rooms
	memory *budget.Budget
}

var (
	socketsNow    = prometheus.NewDesc("signaling_sockets", "Living sockets. A socket that is away has no stream or poll, and may resume.", []string{"state"}, nil)
	socketsMax    = prometheus.NewDesc("signaling_sockets_max", "How many sockets may live.", nil, nil)
	streamsNow    = prometheus.NewDesc("signaling_streams", "Streams and polls that this process serves.", []string{"transport"}, nil)
	nearlyFullNow = prometheus.NewDesc("signaling_outboxes_nearly_full", "Sockets of this process for which more than half of what may be unsent is unsent.", nil, nil)
	roomsNow      = prometheus.NewDesc("signaling_rooms", "Rooms that have members.", nil, nil)
	membersNow    = prometheus.NewDesc("signaling_room_members", "Sockets that are in a room.", nil, nil)
	memoryNow     = prometheus.NewDesc("signaling_client_memory_bytes", "Memory that is held for clients.", nil, nil)
	memoryMax     = prometheus.NewDesc("signaling_client_memory_max_bytes", "Memory that may be held for clients; 0: it is not counted.", nil, nil)
	censusAll     = []*prometheus.Desc{socketsNow, socketsMax, streamsNow, nearlyFullNow, roomsNow, membersNow, memoryNow, memoryMax}
)

// Describe implements [prometheus.Collector].
func (census) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range censusAll {
		descriptions <- d
	}
}

// Collect implements [prometheus.Collector].
func (c census) Collect(metrics chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, value int, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	sockets, away, _ := c.hub.Counts()
	tell(socketsNow, sockets-away, "connected")
	tell(socketsNow, away, "away")
	tell(socketsMax, c.hub.MaxSockets())
	served := c.hub.ServedHere()
	tell(streamsNow, served.Streams, "stream")
	tell(streamsNow, served.Polls, "poll")
	tell(nearlyFullNow, served.NearlyFull)
	active, members, _ := c.rooms.Counts()
	tell(roomsNow, active)
	tell(membersNow, members)
	tell(memoryNow, int(c.memory.Used()))
	tell(memoryMax, int(c.memory.Limit()))
}

// getMetrics returns the metrics in the text format of Prometheus, or in OpenMetrics.
func (a *API) getMetrics(w http.ResponseWriter, r *http.Request, _ params) error {
	w.Header().Set("Cache-Control", "no-store")
	a.metrics.handler.ServeHTTP(w, r)
	return nil
}
