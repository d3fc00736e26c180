package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"signaling-server/httpapi/excerpt"
)

// identify finds out whether a signaling server answers at all. If it does not, each of the other
// checks would find a fault, and hide the only one that matters.
func (e *examiner) identify(ctx context.Context) outcome {
	response, text, err := e.ask(ctx, http.MethodGet, "/doctor.json", "", nil)
	var seen diagnosis
	if err == nil && response.StatusCode == http.StatusOK && isJSON(text, &seen) && seen.Version != "" {
		return found(Finding{"server", Good, "A signaling server answers", fmt.Sprintf("Its version is %s.", excerpt.Of(seen.Version)), nothing, nil})
	}
	if e.Server.Scheme == "http" && e.speaksTLS(ctx) {
		return hopeless("The port speaks https", "The URL begins with http.", writeHTTPS)
	}
	if err != nil {
		return found(Finding{"server", Info, "It is not known who answers", fmt.Sprintf("There was no answer to GET %s/doctor.json: %s.", e.address, reason(err)), mendStreams, nil})
	}
	if e.answersPosts(ctx) {
		return found(Finding{"server", Good, "A signaling server answers", "It answers POST /events.", nothing, nil})
	}
	said := fmt.Sprintf("GET %s/doctor.json was answered with status %d by %s.", e.address, response.StatusCode, author(response))
	switch status := response.StatusCode; status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return hopeless("A proxy answers, and does not reach the server", said, leadThere)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusUnavailableForLegalReasons:
		return hopeless("Something before the server refuses requests", said, say(letGet, "address", e.address))
	default:
		if status >= 300 && status < 400 {
			return hopeless("The URL leads elsewhere", fmt.Sprintf("%s It leads to %s.", said, destination(response)), useFinalURL)
		}
		return hopeless("No signaling server answers at this URL", said, correctURL)
	}
}

func hopeless(title, text, advice string) outcome {
	return outcome{[]Finding{{"server", Bad, title, text, advice, nil}}, true}
}

// answersPosts reports whether a POST whose token is wrong gets the answer of a signaling server. A
// proxy may pass on only some of the paths.
func (e *examiner) answersPosts(ctx context.Context) bool {
	_, text, err := e.ask(ctx, http.MethodPost, "/events", "none", ping)
	var problem struct{ Type string }
	return err == nil && isJSON(text, &problem) && strings.HasPrefix(problem.Type, "/problems/") && problem.Type != "/problems/not-found"
}

// speaksTLS reports whether the port of an URL of http speaks TLS.
func (e *examiner) speaksTLS(ctx context.Context) bool {
	if e.proxy() != "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}}
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(e.Server.Hostname(), portOf(e)))
	if err == nil {
		connection.Close()
	}
	var alert tls.AlertError // such as that of a server which demands a name
	return err == nil || errors.As(err, &alert)
}

// destination returns where an answer leads, without what may be secret.
func destination(response *http.Response) string {
	location, err := response.Location()
	if err != nil {
		return "nowhere"
	}
	return excerpt.Of((&url.URL{Scheme: location.Scheme, Host: location.Host, Path: location.Path}).String())
}

// author returns what an answer says of the program that wrote it.
func author(response *http.Response) string {
	return excerpt.Of(cmp.Or(response.Header.Get("Server"), "a program that does not say its name"))
}
