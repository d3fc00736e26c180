package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"

	"signaling-server/httpapi/operators"
	"signaling-server/httpapi/problem"
)

// handler answers a request, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request, p params) error

// params are the variable parts of a request's path, by their names.
type params interface{ ByName(name string) string }

// route is one operation of the API, or a file. Paths are in httprouter's notation.
type route struct {
	method  string
	path    string
	handler handler
}

// allRoutes lists all that the server answers.
func (a *API) allRoutes() []route { return append(a.operations(), a.files()...) }

// operations lists what clients call. A test checks that the contract has the same routes.
func (a *API) operations() []route {
	return []route{
		{http.MethodGet, "/", a.getService},
		{http.MethodGet, "/events", a.streamEvents},
		{http.MethodPost, "/events", a.sendEvent},
		{http.MethodPost, "/events/batch", a.sendEvents},
		{http.MethodPost, "/events/stream", a.streamEvents},
		{http.MethodGet, "/events/poll", a.pollEvents},
		{http.MethodGet, "/ice-servers", a.getICEServers},
		{http.MethodGet, "/health", a.getHealth},
		{http.MethodGet, "/rooms", a.forOperators(operators.Read, a.listRooms)},
		{http.MethodGet, "/rooms/:roomId", a.forOperators(operators.Read, a.getRoom)},
		{http.MethodDelete, "/rooms/:roomId", a.forOperators(operators.Rooms, a.closeRoom)},
		{http.MethodPost, "/rooms/:roomId/lock", a.forOperators(operators.Rooms, a.lockRoom)},
		{http.MethodDelete, "/rooms/:roomId/lock", a.forOperators(operators.Rooms, a.unlockRoom)},
		{http.MethodPost, "/rooms/:roomId/events", a.forOperators(operators.Send, a.announce)},
		{http.MethodGet, "/connections", a.forOperators(operators.Read, a.listConnections)},
		{http.MethodDelete, "/connections/:socketId", a.forOperators(operators.Sockets, a.kickSocket)},
		{http.MethodPost, "/connections/:socketId/events", a.forOperators(operators.Send, a.announceTo)},
		{http.MethodGet, "/revocations", a.forOperators(operators.Read, a.listRevocations)},
		{http.MethodPut, "/revocations/:subject/:id", a.forOperators(operators.Revoke, a.revoke)},
		{http.MethodDelete, "/revocations/:subject/:id", a.forOperators(operators.Revoke, a.allow)},
		{http.MethodGet, "/webhooks", a.forOperators(operators.Read, a.getWebhooks)},
		{http.MethodPost, "/webhooks/replay", a.forOperators(operators.Webhooks, a.replayWebhooks)},
		{http.MethodGet, "/stats", a.forOperators(operators.Read, a.getStats)},
		{http.MethodGet, "/cluster", a.forOperators(operators.Read, a.getCluster)},
		{http.MethodGet, "/livez", a.getLiveness},
		{http.MethodGet, "/readyz", a.getReadiness},
		{http.MethodGet, "/doctor.json", a.getDoctor},
		{http.MethodGet, "/silence", a.streamSilence},
	}
}

// files lists the pages, the scripts, the contract itself, and the metrics. People, browsers
// and Prometheus load them, and no client calls them. So the contract does not have them:
// each would be a method of every generated client.
func (a *API) files() []route {
	return []route{
		{http.MethodGet, "/metrics", a.forOperators(operators.Read, a.getMetrics)},
		{http.MethodGet, "/openapi.yaml", a.getOpenAPIYAML},
		{http.MethodGet, "/openapi.json", a.getOpenAPIJSON},
		{http.MethodGet, "/openapi-3.2.yaml", a.getOpenAPI32YAML},
		{http.MethodGet, "/docs", redirectToFolder},
		{http.MethodGet, "/docs/*file", a.getPage("reference")},
		{http.MethodGet, "/problems/:name", a.getProblem},
		{http.MethodGet, "/demo", redirectToFolder},
		{http.MethodGet, "/demo/*file", a.getPage("demo")},
		{http.MethodGet, "/doctor", redirectToFolder},
		{http.MethodGet, "/doctor/*file", a.getPage("doctor")},
		{http.MethodGet, "/dashboard", redirectToFolder},
		{http.MethodGet, "/dashboard/*file", a.getPage("dashboard")},
		{http.MethodGet, "/assets/*file", a.getPage("assets")},
		{http.MethodGet, "/client.js", a.getClient("dist/client.js")},
		{http.MethodGet, "/client.d.ts", a.getClient("client.d.ts")},
		{http.MethodGet, "/io.js", a.getClient("dist/io.js")},
		{http.MethodGet, "/peers.js", a.getClient("dist/peers.js")},
		{http.MethodGet, "/peers.d.ts", a.getClient("peers.d.ts")},
		{http.MethodGet, "/react.js", a.getClient("dist/react.js")},
		{http.MethodGet, "/react.d.ts", a.getClient("react.d.ts")},
	}
}

// postTargets are the paths to which clients post events.
var postTargets = []string{"/events", "/events/batch"}

// PostTargets returns the paths of the POSTs that clients send often, and that are answered at
// once: see [signaling-server/httpapi/conns.Guard.ListenFor].
func PostTargets() []string { return slices.Clone(postTargets) }

// newRouter makes the handler of all routes.
func (a *API) newRouter() http.Handler {
	router := httprouter.New()
	router.RedirectTrailingSlash = false // a path that is almost right is wrong
	router.RedirectFixedPath = false
	router.NotFound = a.serve(withoutBody(func(http.ResponseWriter, *http.Request, params) error {
		return problem.NotFound.With("There is nothing at this address. GET / lists what there is.")
	}))
	router.MethodNotAllowed = a.serve(withoutBody(func(w http.ResponseWriter, _ *http.Request, _ params) error {
		return problem.MethodNotAllowed.With("This address takes: " + w.Header().Get("Allow") + ".")
	}))
	for _, route := range a.routes {
		handler := route.handler
		if !hasBody(route) {
			handler = withoutBody(handler)
		}
		handle := a.handle(a.named(route.path, handler))
		router.Handle(route.method, route.path, handle)
		if route.method == http.MethodGet && !isReading(route.path) {
			router.Handle(http.MethodHead, route.path, handle) // RFC 9110, 9.3.2; net/http drops the body
		}
	}
	return router
}

// hasBody reports whether the requests of a route have a body.
func hasBody(r route) bool {
	switch r.path {
	case "/events", "/events/batch", "/rooms/:roomId/events", "/connections/:socketId/events":
		return r.method == http.MethodPost
	}
	return false
}

// isReading reports whether GET on this path opens or resumes a socket, or starts a
// stream. HEAD is not registered for those: it would have the same side effect, and
// a stream sends its header only when it starts.
func isReading(path string) bool {
	return path == "/events" || path == "/events/poll" || path == "/silence"
}

// hasEscapedSlash reports whether a path has an escaped slash. An escaped slash does not
// separate parts of the path.
func hasEscapedSlash(r *http.Request) bool {
	return r.URL.RawPath != "" && strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F")
}

// withEscapedPath returns the request with its path still escaped, as it was sent.
func withEscapedPath(r *http.Request) *http.Request {
	escaped := *r.URL
	escaped.Path = r.URL.EscapedPath()
	own := *r
	own.URL = &escaped
	return &own
}

// handle turns a handler into a handle for the router. It unescapes the parameters if
// the router matched a path that was still escaped.
func (a *API) handle(h handler) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		if hasEscapedSlash(r) {
			for i := range p {
				if value, err := url.PathUnescape(p[i].Value); err == nil {
					p[i].Value = value
				}
			}
		}
		a.answer(w, r, p, h)
	}
}

// serve turns a handler without parameters into an [http.Handler].
func (a *API) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, httprouter.Params{}, h)
	})
}

// answer runs a handler, and answers its error if there is one.
func (a *API) answer(w http.ResponseWriter, r *http.Request, p params, h handler) {
	if err := h(w, r, p); err != nil {
		hurryBody(w, r)
		a.fail(w, r, err)
	}
}
