package httpapi

import (
	"cmp"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/rs/cors"

	"signaling-server/httpapi/access"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Options say what an [API] is about.
type Options struct {
	Hub    *sse.Hub
	Rooms  *rooms.Rooms
	Logger *slog.Logger

	// Access decides who may join a room, and do what there; nil: anybody may join
	// any, and do everything.
	Access *access.Verifier

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
	// Static holds the pages: index.html and the folders demo, doctor, dashboard,
	// assets and client.
	Static fs.FS
}

// API answers all requests.
type API struct {
	hub         *sse.Hub
	rooms       *rooms.Rooms
	logger      *slog.Logger
	metrics     *Metrics
	access      *access.Verifier // nil: it is asked for no tokens
	environment string
	port        int
	version     string
	started     time.Time
	openAPI     contract
	pages       pages
	routes      []route
	crossOrigin *cors.Cors
	router      http.Handler
	repeats     repeats
	silences    chan struct{} // holds one for each silent stream
}

// New makes the API. The error is about the files it is to serve.
func New(o Options) (*API, error) {
	contract, err := newContract(o.OpenAPI)
	if err != nil {
		return nil, err
	}
	pages, err := newPages(o.Static)
	if err != nil {
		return nil, err
	}
	a := &API{
		hub:         o.Hub,
		rooms:       o.Rooms,
		logger:      o.Logger,
		metrics:     cmp.Or(o.Metrics, NewMetrics()),
		access:      o.Access,
		environment: o.Environment,
		port:        o.Port,
		version:     o.Version,
		started:     time.Now(),
		openAPI:     contract,
		pages:       pages,
		crossOrigin: newCrossOrigin(o.CORSOrigins),
		repeats:     repeats{sockets: make(map[string]*socketKeys)},
		silences:    make(chan struct{}, maxSilences),
	}
	a.metrics.watch(a.hub, a.rooms)
	a.routes = a.allRoutes()
	a.router = a.newRouter()
	return a, nil
}

// ServeHTTP answers one request. Whatever stands between here and a stream is
// on the stack of each open stream: there are no layers of middleware.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.crossOrigin.HandlerFunc(w, r)
	if isPreflight(r) {
		return // that was its answer
	}
	if hasEscapedSlash(r) {
		r = withEscapedPath(r)
	}
	a.router.ServeHTTP(w, r)
}

// Forget drops what is remembered of a socket. It must be called when the
// socket has ended; any goroutine may.
func (a *API) Forget(socketID string) { a.repeats.forget(socketID) }

// isPreflight tells whether a browser asks what another origin's page may do
// (Fetch, 4.8).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// newCrossOrigin lets pages of other origins use the API. There are no cookies:
// whoever has a token was given it.
func newCrossOrigin(origins []string) *cors.Cors {
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"},
		ExposedHeaders: []string{"Allow", "Link", "Retry-After"},
		MaxAge:         86400, // seconds; browsers cut it to what they allow
	})
}
