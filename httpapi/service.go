package httpapi

import (
	"net/http"
	"strings"
)

const serviceName = "signaling-server"

type serviceInfo struct {
	Service     string            `json:"service"`
	Version     string            `json:"version"`
	Message     string            `json:"message"`
	Port        int               `json:"port"`
	Environment string            `json:"environment"`
	Features    []string          `json:"features"`
	Endpoints   map[string]string `json:"endpoints"`
}

// getService describes the server (GET /): to a browser by a page, to others in JSON.
func (a *API) getService(w http.ResponseWriter, r *http.Request, _ params) error {
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		return a.pages.serve(w, r, "index.html")
	}
	return writeJSON(w, serviceInfo{
		Service:     serviceName,
		Version:     a.version,
		Message:     "WebRTC signaling over Server-Sent Events and plain HTTP: no WebSocket needed.",
		Port:        a.port,
		Environment: a.environment,
		Features: []string{
			"WebRTC signaling: offers, answers, ICE candidates, any signal",
			"rooms, presence, chat, typing",
			"streams that resume, and long polling: accepted events arrive exactly once and in order",
			"monitoring",
			"OpenAPI 3.1 contract",
		},
		Endpoints: map[string]string{
			"stream":       "GET /events",
			"streamByPost": "POST /events/stream",
			"poll":         "GET /events/poll",
			"send":         "POST /events",
			"sendBatch":    "POST /events/batch",
			"iceServers":   "GET /ice-servers",
			"health":       "GET /health",
			"rooms":        "GET /rooms",
			"room":         "GET /rooms/{roomId}",
			"connections":  "GET /connections",
			"revocations":  "GET /revocations",
			"webhooks":     "GET /webhooks",
			"stats":        "GET /stats",
			"cluster":      "GET /cluster",
			"metrics":      "GET /metrics",
			"liveness":     "GET /livez",
			"readiness":    "GET /readyz",
			"openapiYaml":  "GET /openapi.yaml",
			"openapiJson":  "GET /openapi.json",
			"demo":         "GET /demo/",
			"docs":         "GET /docs/",
			"doctor":       "GET /doctor/",
			"doctorJson":   "GET /doctor.json",
			"silence":      "GET /silence",
			"dashboard":    "GET /dashboard/",
		},
	})
}
