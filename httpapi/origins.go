package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"

	"signaling-server/httpapi/problem"
)

// isPreflight reports whether a browser asks what a page of another origin may do
// (Fetch, 4.8).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// newCrossOrigin lets pages of other origins use the API. That is safe: the server sets
// no cookies, so a page can act only for a socket whose token it has.
//
// A page may send any header: tracers and wrappers of fetch add headers of their own, and
// the browser would refuse the whole request. Credentials, such as the cookies of a
// proxy, come only from pages of origins that the operator has named. “*” and null name
// nobody.
func newCrossOrigin(origins []string) *cors.Cors {
	return cors.New(cors.Options{
		AllowedOrigins:      origins,
		AllowedMethods:      []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders:      []string{"*"}, // the answer to a preflight repeats what the browser asks for
		AllowCredentials:    !slices.Contains(origins, "*") && !slices.Contains(origins, "null"),
		AllowPrivateNetwork: true, // a page of the internet may use a server in a private network
		ExposedHeaders:      []string{"Allow", "Link", "Retry-After"},
		MaxAge:              86400, // seconds; browsers have maxima of their own
	})
}

// isForeign reports whether a request may change something and comes from a page of
// another origin.
func isForeign(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions: // safe (RFC 9110, 9.2.1)
		return false
	}
	return isForPage(r)
}

// checkOrigin refuses the requests of pages that may not use the API. A browser hides
// the answer from those pages in any case. But it sends some requests without a
// preflight.
func (a *API) checkOrigin(r *http.Request) error {
	if !a.crossOrigin.OriginAllowed(r) && isForeign(r) { // in this order, because the second parses Origin
		return problem.OriginNotAllowed.With("Pages of this origin may not use the server. CORS_ORIGIN lists the origins that may.")
	}
	return nil
}

// isForPage reports whether a browser sends a request for a page of another origin,
// even if the request changes nothing. Sec-Fetch-Site (Fetch Metadata) decides: browsers
// send it to servers that they reach by https or as localhost. Without it, the host in
// Origin (RFC 6454) decides. Whether that is http or https does not count: a proxy may
// have ended TLS. With another scheme it is the page of an app or an extension, whose
// host may have the name of any server.
func isForPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "":
	case "same-origin", "none":
		return false
	default:
		return true
	}
	all := r.Header.Values("Origin")
	if len(all) == 0 {
		return false
	}
	origin, err := url.Parse(all[0])
	if err != nil || len(all) > 1 {
		return true
	}
	switch origin.Scheme {
	case "http":
		return !strings.EqualFold(origin.Host, strings.TrimSuffix(r.Host, ":80"))
	case "https":
		return !strings.EqualFold(origin.Host, strings.TrimSuffix(r.Host, ":443"))
	}
	return true
}

// forbidReading removes the headers that let pages of other origins read the answer.
func forbidReading(w http.ResponseWriter) {
	w.Header().Del("Access-Control-Allow-Origin")
	w.Header().Del("Access-Control-Allow-Credentials")
	w.Header().Del("Access-Control-Expose-Headers")
}

// isOwnName reports whether a request's Host is a name that an attacker's page cannot
// have: an IP address, localhost, or the name of this machine. An empty Host is safe
// too: it comes from HTTP/1.0, and browsers always send a Host.
func (g gate) isOwnName(host string) bool {
	name := host
	if withoutPort, _, err := net.SplitHostPort(host); err == nil {
		name = withoutPort
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	machine := strings.ToLower(g.machine)
	switch {
	case name == "", name == "localhost", strings.HasSuffix(name, ".localhost"):
		return true
	}
	return machine != "" && strings.TrimSuffix(name, ".local") == strings.TrimSuffix(machine, ".local")
}
