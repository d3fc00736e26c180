package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"signaling-server/httpapi/conns"
	"signaling-server/httpapi/problem"
	"signaling-server/limits"
)

// Each request is under way from its start until its answer is sent, and is counted
// for as long. So an address has a bounded number of requests, whatever it asks for
// and however it is connected.

const (
	// fewRequests is how many requests of one address have the full time-outs. If there
	// are more, each has less time, but at least minWriteTimeout and minBodyTimeout.
	fewRequests     = 64
	minWriteTimeout = 2 * time.Second
	minBodyTimeout  = 2 * time.Second

	// urgentTimeout is how long an answer to an operator, a probe or a refused client may
	// take.
	urgentTimeout = 5 * time.Second
)

// errNoConnection is the error of a request that came over a connection of the reserve,
// which is for operators and probes only.
var errNoConnection = errors.New("httpapi: no connection is left")

// admit counts a request. If it returns a refusal, that is the request's answer. When
// the answer is sent, the caller must end the count with the network's End.
func (a *API) admit(w http.ResponseWriter, r *http.Request) (kind limits.Kind, network *limits.Network, refusal error) {
	prefix := a.networkOf(r)
	kind = kindOf(r)
	inReserve := conns.InReserve(r.Context())
	if inReserve {
		w.Header().Set("Connection", "close") // the client's next request must come over another connection, if one is free by then
		refusal = errNoConnection
	} else {
		var count int
		if network, count, refusal = a.limits.Begin(kind, prefix); refusal == nil {
			if kind == limits.Short && count > fewRequests {
				hurry(w, r, count)
			}
			return kind, network, nil
		}
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(urgentTimeout)) // an error means that the writer has no deadlines, as in tests
	if inReserve {
		_ = control.SetReadDeadline(time.Now().Add(urgentTimeout))
	}
	if a.isUrgent(w, r) {
		if network, _, err := a.limits.Begin(limits.Urgent, prefix); err == nil {
			return limits.Urgent, network, nil
		}
	}
	network, _, err := a.limits.Begin(limits.Refusing, prefix)
	if err != nil {
		_, limit := problemFor(refusal)
		a.metrics.refused(problem.AtCapacity.Name, limit)
		panic(http.ErrAbortHandler) // a client may never read its refusal, so refusals have a bound, too
	}
	return limits.Refusing, network, refusal
}

// kindOf returns the kind of a request. A request that has no route is short.
func kindOf(r *http.Request) limits.Kind {
	switch {
	case r.Method == http.MethodGet && isReading(r.URL.Path), r.Method == http.MethodPost && r.URL.Path == "/events/stream":
		return limits.Reading
	}
	return limits.Short
}

// isUrgent reports whether a request comes from a probe or an operator.
func (a *API) isUrgent(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/livez", "/readyz", "/health", "/metrics":
		return true
	}
	if a.gate.operators.IsEmpty() || bearerText(r) == "" {
		return false
	}
	_, isSession := bearer(r)
	if _, isKnown := a.gate.operators.Find(bearerText(r)); isSession && !isKnown {
		return false // a session token is not a guess at an operator's token
	}
	_, err := a.checkOperator(w, r)
	return err == nil
}

// refuseRequest answers a request that was not admitted.
func (a *API) refuseRequest(w http.ResponseWriter, r *http.Request, refusal error) {
	if kindOf(r) == limits.Reading && namesEventStream(r) {
		a.refuseEventSource(w, r, refusal)
		return
	}
	a.fail(w, r, refusal)
}

// settle waits until an HTTP/2 answer is sent. A client can delay that: it may not open
// its window, or not read at all. net/http would wait, too, but after the handler, when
// the request is not counted any more.
func settle(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		return
	}
	_, hasBody := w.Header()["Content-Type"]
	if hasBody || conns.IsWriting(r.Context()) {
		_ = http.NewResponseController(w).Flush() // an error means that the client is gone
	}
}

// hurry gives a request's body and answer less time, because its address has many
// requests under way.
func hurry(w http.ResponseWriter, r *http.Request, count int) {
	at, control := time.Now(), http.NewResponseController(w)
	read, write := timeoutsOf(r)
	if r.ContentLength != 0 {
		at = at.Add(shareOfTime(read, count, minBodyTimeout))
		_ = control.SetReadDeadline(at)
	}
	_ = control.SetWriteDeadline(at.Add(shareOfTime(write, count, minWriteTimeout)))
}

// shareOfTime divides a time-out among requests, if there are more than fewRequests. A
// share is shorter than least only if the whole time-out is shorter than least.
func shareOfTime(timeout time.Duration, count int, least time.Duration) time.Duration {
	return max(timeout*fewRequests/time.Duration(max(count, fewRequests)), min(timeout, least))
}

// timeoutsOf returns how long a request's body and its answer may take if its address
// has few requests under way.
func timeoutsOf(r *http.Request) (read, write time.Duration) {
	read, write = 20*time.Second, 30*time.Second
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		read, write = cmp.Or(server.ReadTimeout, read), cmp.Or(server.WriteTimeout, write)
	}
	return read, write
}
