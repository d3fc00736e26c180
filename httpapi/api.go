package httpapi

import (
	"cmp"
	"io/fs"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/cors"

	"signaling-server/access"
	"signaling-server/httpapi/clientip"
	"signaling-server/iceservers"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Production is the environment in which the server is on guard.
const Production = "production"

// Options say what an [API] is about.
type Options struct {
	Hub    *sse.Hub
	Rooms  *rooms.Rooms
	Logger *slog.Logger

	// Access decides who may join a room, and do what there; nil: anybody may join
	// any, and do everything.
	Access *access.Verifier

	// Limits bound what anyone may ask; nil: nobody is bounded.
	Limits *limits.Limits
	// TrustedProxies are believed where they say from whom a request comes.
	TrustedProxies clientip.Proxies
	// Budget is charged for the bodies of requests under way and for the answers that
	// are remembered; nil: memory has no bound.
	Budget *budget.Budget
	// MaxBody is how many bytes a body may have, and MaxBatch how many events a
	// batch: as many as the contract promises, unless it is more.
	MaxBody, MaxBatch int

	// ICEServers are told to those who call each other.
	ICEServers iceservers.Provider

	// AdminToken is what operators are known by. Empty: in production nobody is
	// one, elsewhere everybody.
	AdminToken string

	// Metrics are told by GET /metrics; nil: those of the sockets and rooms alone.
	Metrics *Metrics

	// CORSOrigins are the origins whose pages may use the API, "*" for all.
	CORSOrigins []string
	// Environment, Port and Version are told by the monitoring endpoints.
	Environment string
	Port        int
	Version     string
	// OpenAPI is the contract, in YAML.
	OpenAPI []byte
	// Pages holds index.html and the folders demo, doctor, dashboard, reference and
	// assets.
	Pages fs.FS
	// Client holds the browser client: the folder dist, and its types.
	Client fs.FS
}

// API answers all requests.
type API struct {
	hub         *sse.Hub
	rooms       *rooms.Rooms
	logger      *slog.Logger
	metrics     *Metrics
	access      *access.Verifier // nil: it is asked for no tokens
	limits      *limits.Limits
	proxies     clientip.Proxies
	budget      *budget.Budget // nil: no bound
	maxBody     int64
	maxBatch    int
	operators   operators
	iceServers  iceservers.Provider
	environment string
	port        int
	version     string
	started     time.Time
	openAPI     contract
	pages       pages
	routes      []route
	headers     headers
	crossOrigin *cors.Cors
	router      http.Handler
	repeats     repeats
	silences    *limits.Places
	heldBack    *limits.Places // for refusals that wait

	proxyNoticed atomic.Bool
}

// New makes the API. The error is about the files it is to serve.
func New(o Options) (*API, error) {
	isProduction := o.Environment == Production
	pages, err := newPages(o.Pages, o.Client, isProduction)
	if err != nil {
		return nil, err
	}
	a := &API{
		hub:         o.Hub,
		rooms:       o.Rooms,
		logger:      o.Logger,
		metrics:     cmp.Or(o.Metrics, NewMetrics()),
		access:      o.Access,
		limits:      cmp.Or(o.Limits, limits.New(limits.Options{})),
		proxies:     o.TrustedProxies,
		budget:      o.Budget,
		maxBody:     int64(max(o.MaxBody, minMaxBody)),
		maxBatch:    max(o.MaxBatch, minMaxBatch),
		operators:   newOperators(o.AdminToken, isProduction),
		iceServers:  o.ICEServers,
		environment: o.Environment,
		port:        o.Port,
		version:     o.Version,
		started:     time.Now(),
		openAPI:     newContract(o.OpenAPI),
		pages:       pages,
		headers:     newHeaders(noParts, noDevices, isProduction),
		crossOrigin: newCrossOrigin(o.CORSOrigins),
		repeats:     newRepeats(o.Budget),
		heldBack:    limits.NewPlaces(maxHeldBack, maxHeldBackPerAddress, "", ""),
		silences:    limits.NewPlaces(maxSilences, maxSilencesOfOne, limits.SilencesInAll, limits.SilencesPerAddress),
	}
	a.metrics.watch(a.hub, a.rooms)
	a.routes = a.allRoutes()
	a.router = a.newRouter()
	return a, nil
}

// ServeHTTP answers one request. Whatever stands between here and a stream is
// on the stack of each open stream: there are no layers of middleware.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, network, refusal := a.admit(w, r)
	defer a.limits.End(kind, network)
	if a.logger.Enabled(r.Context(), slog.LevelDebug) {
		a.logged(w, r, refusal)
	} else {
		a.serveHTTP(w, r, refusal)
	}
	settle(w, r)
}

// serveHTTP answers a request, perhaps by a refusal that is decided already.
func (a *API) serveHTTP(w http.ResponseWriter, r *http.Request, refusal error) {
	a.noticeProxy(r)
	a.headers.set(w, r)
	a.crossOrigin.HandlerFunc(w, r)
	if isPreflight(r) {
		return // that was its answer
	}
	if refusal != nil {
		a.refuseRequest(w, r, refusal)
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

// Forget drops what is remembered of a socket. It must be called when the
// socket has ended; any goroutine may.
func (a *API) Forget(socketID string) { a.repeats.forget(socketID) }
