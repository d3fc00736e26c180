package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// Limits of silent streams.
const (
	maxSilences         = 256 // at once
	maxSilencesOfOne    = 96  // at once from one address: the doctor opens three, and a whole class may open the doctor
	maxSilence          = 180 * time.Second
	silenceWriteTimeout = 8 * time.Second
)

// Why a silent stream ended.
const (
	silenceComplete = "complete"
	silenceShutdown = "server-shutdown"
)

type silenceBegan struct {
	Type      string `json:"type"`
	Seconds   int    `json:"seconds"`
	Timestamp string `json:"timestamp"`
}

type silenceEnded struct {
	Type      string `json:"type"`
	Reason    string `json:"reason"`
	Timestamp string `json:"timestamp"`
}

// streamSilence serves a stream that sends one event at its start and one at its end,
// and nothing between them (GET /silence). The client can see how long the network
// keeps an idle stream open. The stream of a socket cannot show that: it has heartbeats.
func (a *API) streamSilence(w http.ResponseWriter, r *http.Request, _ params) error {
	length, err := silenceLength(r)
	if err != nil {
		return err
	}
	if err := a.limits.Network(a.networkOf(r)).Open(); err != nil {
		return err
	}
	release, err := a.takeSilence(r)
	if err != nil {
		return err
	}
	defer release()

	s := newSilentStream(w)
	if s.send("silence-began", silenceBegan{"silence-began", int(length.Seconds()), timestamp(time.Now())}) != nil {
		return nil // the client is gone
	}
	if reason, ok := s.keep(length, r.Context().Done(), a.hub.Stopping()); ok {
		_ = s.send("silence-ended", silenceEnded{"silence-ended", reason, timestamp(time.Now())}) // the client wants to see whether it arrives
	}
	return nil
}

// silenceLength reads how long the client wants the stream to be silent.
func silenceLength(r *http.Request) (time.Duration, error) {
	query, err := queryOf(r, "seconds")
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseUint(query.Get("seconds"), 10, 16)
	length := time.Duration(seconds) * time.Second
	if err != nil || length < time.Second || length > maxSilence {
		return 0, problem.Invalid(problem.Field("seconds", "range", "must be a whole number of seconds from 1 to 180"))
	}
	return length, nil
}

// takeSilence takes a place for a silent stream. The caller must give it back with
// release.
func (a *API) takeSilence(r *http.Request) (release func(), err error) {
	if a.hub.Draining() {
		return nil, sse.ErrDraining
	}
	return a.silences.Take(a.networkOf(r))
}

// silentStream is one silent stream.
type silentStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func newSilentStream(w http.ResponseWriter) silentStream {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache, no-store, no-transform")
	header.Set("X-Accel-Buffering", "no")
	s := silentStream{w, http.NewResponseController(w)}
	_ = s.control.SetReadDeadline(time.Time{}) // a stream outlives the server's ReadTimeout; an error means that the writer has no deadlines, as in tests
	return s
}

// send writes one event.
func (s silentStream) send(kind string, event any) error {
	data, err := marshal(event)
	if err != nil {
		return err
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(silenceWriteTimeout))
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", kind, data); err != nil {
		return err
	}
	return s.control.Flush()
}

// keep is silent until the time is over or the server stops, and returns which of the
// two it was. If the client goes before, ok is false.
func (s silentStream) keep(length time.Duration, gone, stopping <-chan struct{}) (reason string, ok bool) {
	_ = s.control.SetWriteDeadline(time.Time{}) // a deadline would end an HTTP/2 stream even while nothing is written
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return silenceComplete, true
	case <-stopping:
		return silenceShutdown, true
	case <-gone:
		return "", false
	}
}
