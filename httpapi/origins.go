package httpapi

import (
	"net/http"

	"github.com/rs/cors"
)

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
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"},
		ExposedHeaders: []string{"Allow", "Link", "Retry-After"},
		MaxAge:         86400, // seconds; browsers cut it to what they allow
	})
}

// isForeign tells whether a browser sends a request that changes something for a
// page of another origin (Fetch Metadata, Sec-Fetch-Site, or RFC 6454, Origin).
func isForeign(r *http.Request) bool { return new(http.CrossOriginProtection).Check(r) != nil }

// checkOrigin refuses what pages send that may not use the API. A browser keeps
// the answer from them in any case, but some requests it sends without asking.
func (a *API) checkOrigin(r *http.Request) error {
	if isForeign(r) && !a.crossOrigin.OriginAllowed(r) {
		return originNotAllowed.with("Pages of this origin may not use the server. CORS_ORIGIN lists those that may.")
	}
	return nil
}
