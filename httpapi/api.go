package httpapi

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/cors"
	"go.opentelemetry.io/otel/trace"

	"signaling-server/access"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/operators"
	"signaling-server/httpapi/origins"
	"signaling-server/iceservers"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/webhooks"
)

// Production is the [Options].Environment in which nobody is an operator without the
// token, and in which browsers have to insist on https.
const Production = "production"

// Options configure an [API].
type Options struct {
	Hub   *sse.Hub
	Rooms *rooms.Rooms
	// State applies what clients and operators ask for to Hub and Rooms.
	State  machine.State
	Logger *slog.Logger

	// Access verifies the access token with which a client joins a room. Nil: every
	// client may join every room, and do everything there.
	Access *access.Verifier

	// Limits bound how much a socket and an address may ask for. Nil: without limits.
	Limits *limits.Limits
	// TrustedProxies are the proxies that may name the client: see [clientip.Proxies.Of].
	TrustedProxies clientip.Proxies
	// Budget is charged for the bodies of requests under way, and for remembered keys. Nil:
	// their memory has no bound.
	Budget *budget.Budget
	// MaxBody is how many bytes a body may have, and MaxBatch how many events a batch
	// may have. The contract promises 64 KiB and 64: smaller values are raised to that.
	MaxBody, MaxBatch int
	// MaxHeader is how many bytes the header of a request may have, as HTTP/1 writes it.
	// 0: as many as the http.Server allows.
	MaxHeader int

	// ICEServers are the STUN and TURN servers of GET /ice-servers.
	ICEServers iceservers.Provider

	// AdminToken is the secret of the operator that may do everything. Operators are others, and
	// what they may do. If there are none, nobody is an operator in the environment
	// [Production]. In any other, everybody is an operator.
	AdminToken string
	Operators  []operators.Operator

	// Webhooks sends webhooks. Nil: none are sent.
	Webhooks *webhooks.Sender

	// Metrics are what GET /metrics reports. Nil: only what the API itself counts.
	Metrics *Metrics
	// Collectors are what else GET /metrics reports.
	Collectors []prometheus.Collector
	// Tracer makes a span of each request. Nil: nothing is traced.
	Tracer trace.Tracer

	// CORSOrigins are the origins whose pages may use the API, as [origins.Parse] takes
	// them; "*" means all.
	CORSOrigins []string
	// StrictTransport is how long browsers insist on https after an answer over https
	// (RFC 6797, 6.1.1). 0: they do not.
	StrictTransport time.Duration
	// Environment, Port and Version are reported by the monitoring endpoints.
	Environment string
	Port        int
	Version     string
	// OpenAPI is the contract, an OpenAPI 3.1 document in YAML.
	OpenAPI []byte
	// Pages holds index.html and the folders demo, doctor, dashboard, reference and
	// assets.
	Pages fs.FS
	// Client holds the browser client: the folder dist, its types, and the source of its
	// reader of event streams (src/event-stream.js).
	Client fs.FS
}

// API answers all requests. Any goroutine may call its methods.
type API struct {
	hub         *sse.Hub
	rooms       *rooms.Rooms
	state       machine.State
	logger      *slog.Logger
	metrics     *Metrics
	tracer      trace.Tracer     // nil: nothing is traced
	webhooks    *webhooks.Sender // nil: none are sent
	access      *access.Verifier // nil: rooms are open to all
	limits      *limits.Limits
	proxies     clientip.Proxies
	budget      *budget.Budget // nil: no bound
	maxBody     int64
	maxBatch    int
	maxHeader   int // 0: no bound
	gate        gate
	iceServers  iceservers.Provider
	environment string
	port        int
	version     string
	started     time.Time
	openAPI     contract
	pages       pages
	routes      []route
	headers     headers
	postHeaders headers
	crossOrigin *cors.Cors
	router      http.Handler
	silences    *limits.Places
	heldBack    *limits.Places // for refusals that are delayed
	forwarding  *forwarding
}

// New makes an API. The error is about the files in Pages or Client, or about CORSOrigins.
func New(o Options) (*API, error) {
	pages, err := newPages(o.Pages, o.Client, o.StrictTransport)
	if err != nil {
		return nil, err
	}
	allowed, err := origins.Parse(o.CORSOrigins)
	if err != nil {
		return nil, fmt.Errorf("CORSOrigins: %w", err)
	}
	a := &API{
		hub:         o.Hub,
		rooms:       o.Rooms,
		state:       o.State,
		webhooks:    o.Webhooks,
		logger:      o.Logger,
		metrics:     cmp.Or(o.Metrics, NewMetrics()),
		tracer:      o.Tracer,
		access:      o.Access,
		limits:      cmp.Or(o.Limits, limits.New(limits.Options{})),
		proxies:     o.TrustedProxies,
		budget:      o.Budget,
		maxBody:     int64(max(o.MaxBody, minMaxBody)),
		maxBatch:    max(o.MaxBatch, minMaxBatch),
		maxHeader:   o.MaxHeader,
		gate:        newGate(o),
		iceServers:  o.ICEServers,
		environment: o.Environment,
		port:        o.Port,
		version:     o.Version,
		started:     time.Now(),
		openAPI:     newContract(o.OpenAPI),
		pages:       pages,
		headers:     newHeaders(noParts, noDevices, o.StrictTransport),
		postHeaders: newPostHeaders(o.StrictTransport),
		crossOrigin: newCrossOrigin(allowed),
		heldBack:    limits.NewPlaces(maxHeldBack, maxHeldBackPerAddress, "", ""),
		forwarding:  newForwarding(),
		silences:    limits.NewPlaces(maxSilences, maxSilencesOfOne, limits.SilencesInAll, limits.SilencesPerAddress),
	}
	a.metrics.watch(a.hub, a.rooms, a.budget)
	a.metrics.registry.MustRegister(o.Collectors...)
	if a.tracer != nil {
		a.metrics.showExemplars()
	}
	if a.isClustered() {
		a.metrics.watchCluster(a.state)
	}
	if a.webhooks != nil {
		a.metrics.watchWebhooks(a.webhooks)
	}
	a.routes = a.allRoutes()
	a.router = a.newRouter()
	return a, nil
}

// ServeHTTP answers one request. There is no middleware: each layer would be on the
// stack of every stream that is not parked.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.tracer != nil {
		answer, request := a.trace(w, r)
		defer answer.end()
		w, r = answer, request
	}
	kind, network, refusal := a.admit(w, r)
	switch {
	case kind == limits.Reading:
		a.serveReading(w, r, network, refusal)
	case a.logsRequests(r):
		defer network.End(kind)
		answer := newRecord(w)
		defer a.log(answer, r)
		a.serveHTTP(answer, r, refusal)
	default:
		defer network.End(kind)
		a.serveHTTP(w, r, refusal)
	}
	settle(w, r)
}

// serveReading answers a request for a stream or a poll. The request may end long after
// its handler has returned: see [Parking].
func (a *API) serveReading(w http.ResponseWriter, r *http.Request, network *limits.Network, refusal error) {
	answer := &reading{ResponseWriter: w, ended: func(int64) { network.End(limits.Reading) }}
	if a.logsRequests(r) {
		record := newRecord(w)
		answer.ResponseWriter = record
		answer.ended = func(parkedBytes int64) {
			record.park(parkedBytes)
			a.log(record, r)
			network.End(limits.Reading)
		}
		defer func() { record.ResponseWriter = nil }() // a parked stream would keep the buffers of net/http for as long as it lives
	}
	defer answer.end()
	a.serveHTTP(answer, r, refusal)
}

// serveHTTP answers a request. If there is a refusal already, that is the answer.
func (a *API) serveHTTP(w http.ResponseWriter, r *http.Request, refusal error) {
	a.noticeProxy(r)
	a.headersOf(r).set(w, a.isEncrypted(r))
	a.crossOrigin.HandlerFunc(w, r)
	if isPreflight(r) {
		return // newCrossOrigin has answered it
	}
	if refusal != nil {
		a.refuseRequest(w, r, refusal)
		return
	}
	if err := a.checkHeader(r); err != nil {
		r.Header = nil // the client may never read the answer, and its header takes much memory
		hurryBody(w, r)
		a.fail(w, r, err)
		return
	}
	if err := a.checkOrigin(r); err != nil {
		hurryBody(w, r)
		a.fail(w, r, err)
		return
	}
	if hasEscapedSlash(r) {
		r = withEscapedPath(r)
	}
	a.router.ServeHTTP(w, r)
}
