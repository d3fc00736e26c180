package httpapi

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"time"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/excerpt"
)

// diagnosis is what the server sees of one request and of its way to the server. It
// contains nothing about other clients.
type diagnosis struct {
	Time              string        `json:"time"`
	Version           string        `json:"version"`
	Protocol          string        `json:"protocol"`
	TLS               string        `json:"tls,omitempty"`
	RemoteAddress     string        `json:"remoteAddress"`
	ForwardedFor      []string      `json:"forwardedFor"`
	RequestHeaders    []headerField `json:"requestHeaders"`
	ResponseHeaders   []headerField `json:"responseHeaders"`
	HeartbeatInterval int64         `json:"heartbeatInterval"` // milliseconds
	ResumeWindow      int64         `json:"resumeWindow"`      // milliseconds
}

// headerField is one line of a header.
type headerField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// maxHeaderFields is how many fields of a header are listed, each as an excerpt. A
// client that sends more does not need to see all of them.
const maxHeaderFields = 64

// getDoctor tells a client how its request arrived, so that the client can see what
// proxies changed on the way (GET /doctor.json).
func (a *API) getDoctor(w http.ResponseWriter, r *http.Request, _ params) error {
	// Everything that will be sent is set before it is listed. X-Accel-Buffering, which
	// streams have, is set too: so the page can see whether it comes through.
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	return writeJSON(w, diagnosis{
		Time:              timestamp(time.Now()),
		Version:           a.version,
		Protocol:          r.Proto,
		TLS:               tlsVersion(r.TLS),
		RemoteAddress:     clientip.Name(clientip.Peer(r)),
		ForwardedFor:      forwardedFor(r.Header),
		RequestHeaders:    append([]headerField{{"Host", excerpt.Of(r.Host)}}, headerFields(r.Header, excerpt.Of)...),
		ResponseHeaders:   headerFields(header, whole),
		HeartbeatInterval: a.hub.HeartbeatInterval().Milliseconds(),
		ResumeWindow:      a.hub.ResumeWindow().Milliseconds(),
	})
}

// tlsVersion names the encryption of a connection. Without encryption it is "".
func tlsVersion(state *tls.ConnectionState) string {
	if state == nil {
		return ""
	}
	return tls.VersionName(state.Version)
}

// forwardedFor is the chain of addresses in X-Forwarded-For. The first is the client's,
// if the proxies are right.
func forwardedFor(header http.Header) []string {
	chain := []string{}
	for _, line := range header.Values("X-Forwarded-For") {
		for address := range strings.SplitSeq(line, ",") {
			if address = strings.TrimSpace(address); address != "" && len(chain) < maxHeaderFields {
				chain = append(chain, excerpt.Of(address))
			}
		}
	}
	return chain
}

// headerFields lists the fields of a header, sorted by name. The function show returns
// what is listed of each name and value.
func headerFields(header http.Header, show func(string) string) []headerField {
	fields := []headerField{}
	for name, values := range header {
		for _, value := range values {
			if isSecret(name) {
				value = "[hidden]"
			}
			if name == "Access-Control-Allow-Origin" { // the server's own field, but the client wrote its value
				value = excerpt.Of(value)
			}
			fields = append(fields, headerField{show(name), show(value)})
		}
	}
	slices.SortStableFunc(fields, func(a, b headerField) int { return strings.Compare(a.Name, b.Name) })
	return fields[:min(len(fields), maxHeaderFields)]
}

// whole shows all of a text: the server's own texts are short.
func whole(text string) string { return text }

// secretWords are parts of the names of header fields that prove an identity. We cannot
// list whole names, because gateways add fields of their own. And people send the
// doctor's report to others.
var secretWords = []string{"auth", "cookie", "token", "secret", "jwt", "assertion", "api-key", "apikey", "password", "session", "oidc", "credential"}

// isSecret reports whether the value of a header field must be hidden. Last-Event-ID
// holds a session token.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return name == "last-event-id" || slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}
