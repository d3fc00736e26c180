package httpapi

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// streamEvents serves a stream (GET /events, POST /events/stream).
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, _ params) error {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a stream outlives the server's ReadTimeout
	position := lastSeen(r)
	err := a.meet(r.Context(), position)
	if err == nil {
		err = a.hub.ServeStream(w, r, position, a.clientOf(r))
	}
	if hasGone := r.Context().Err() != nil; err != nil && !hasGone && namesEventStream(r) {
		a.holdBack(r, err)
		a.refuseEventSource(w, r, err)
		return nil
	}
	return err
}

// pollEvents answers one poll (GET /events/poll).
func (a *API) pollEvents(w http.ResponseWriter, r *http.Request, _ params) error {
	wait, after, err := pollTerms(r)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a poll may outlast the server's ReadTimeout
	var position *sse.EventID                                      // nil: the client wants a new socket
	if token, ok := bearer(r); ok {
		position = &sse.EventID{Token: token, Sequence: after}
	}
	if err := a.meet(r.Context(), position); err != nil {
		return err
	}
	return a.hub.ServePoll(w, r, position, wait, a.clientOf(r))
}

// How long a poll waits for an event, by default and at most.
const (
	defaultPollWait = 25 * time.Second
	maxPollWait     = 60 * time.Second
)

// pollTerms reads how long a poll waits, and the event after which the client wants
// to go on.
func pollTerms(r *http.Request) (wait time.Duration, after uint64, err error) {
	query, err := queryOf(r, "wait", "after")
	if err != nil {
		return 0, 0, err
	}
	wait = defaultPollWait
	var wrong []problem.FieldError
	if text := query.Get("wait"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 16)
		wait = time.Duration(seconds) * time.Second
		if err != nil || wait > maxPollWait {
			wrong = append(wrong, problem.Field("wait", "range", "must be a whole number of seconds from 0 to 60"))
		}
	}
	if text := query.Get("after"); text != "" {
		var ok bool
		if after, ok = sse.ParseSequence(text); !ok {
			wrong = append(wrong, problem.Field("after", "sequence", "must be the number after the last dot of lastEventId"))
		}
	}
	if len(wrong) > 0 {
		return 0, 0, problem.Invalid(wrong...)
	}
	return wait, after, nil
}

// lastSeen is the event after which a client wants to go on, nil if it wants a new
// socket. A client that sends only its token has seen nothing yet.
func lastSeen(r *http.Request) *sse.EventID {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		query, err := queryOf(r, "lastEventId")
		if err != nil {
			return nil // as after any other malformed ID
		}
		text = query.Get("lastEventId")
	}
	token, hasToken := bearer(r)
	if text == "" && hasToken {
		return &sse.EventID{Token: token}
	}
	id, ok := sse.ParseEventID(text)
	if !ok || hasToken && id.Token != token {
		return nil
	}
	return &id
}

// namesEventStream reports whether the client accepts text/event-stream by name, as
// EventSource does.
func namesEventStream(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept") {
		for mediaRange := range strings.SplitSeq(header, ",") {
			if mediaType, _, err := mime.ParseMediaType(mediaRange); err == nil && mediaType == "text/event-stream" {
				return true
			}
		}
	}
	return false
}

// refuseEventSource refuses a stream by an event, with status 200. After any other
// status, an EventSource would never try again.
func (a *API) refuseEventSource(w http.ResponseWriter, r *http.Request, err error) {
	reason, p := "at capacity", a.problemOf(err)
	a.traceRefusal(r.Context(), p.Name)
	switch p.Name {
	case problem.ShuttingDown.Name, problem.NotReady.Name, problem.OutcomeUnknown.Name:
		reason = "draining"
	case problem.RateLimited.Name:
		reason = "rate limited"
	}
	sendElsewhere(w, p)
	sse.Refuse(w, reason, p.RetryAfter)
}
