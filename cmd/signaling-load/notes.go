package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// notes say what to know before you trust the figures, and what to do.
func (r *result) notes(l *load) (notes []string) {
	note := func(format string, values ...any) { notes = append(notes, fmt.Sprintf(format, values...)) }
	s := r.Sending
	if s == nil {
		return nil
	}
	isGeneratorBusy := s.OwnCores >= 0.9*ownCores()
	isServerBusy := r.HasProcess && s.Cores >= 0.9
	if isGeneratorBusy {
		note("The generator was the bottleneck: it used %.2f of its %.0f cores. The rate and the latency are its own. Give it more cores, or set a lower -rate.", s.OwnCores, ownCores())
	}
	if r.Rate > 0 && s.PerSecond < 0.95*r.Rate {
		why := "The clients waited for answers: the server, the network or a limit is slow."
		switch {
		case isGeneratorBusy:
			why = "The generator has no processor time left."
		case r.Check.Refused > 0:
			why = "The server refused events: see the errors."
		case isServerBusy:
			why = "The server was busy."
		}
		note("The rate was not reached: %.0f events/s of %.0f, and %d were sent late. %s", s.PerSecond, r.Rate, s.Late, why)
	}
	if r.Rate == 0 && r.HasProcess && !isGeneratorBusy && !isServerBusy {
		note("Neither the server (%.2f cores) nor the generator (%.2f cores) was busy. Perhaps other work used this machine, or the network was slow: then the rate and the latency mean little, and the processor time per event is still right.", s.Cores, s.OwnCores)
	}
	if l.overdue.Load() > 0 {
		note("%d events took longer than 5 s, and their senders no longer waited for them.", l.overdue.Load())
	}
	for text := range r.Errors {
		if strings.Contains(text, fmt.Sprint(http.StatusTooManyRequests, " ")) {
			note("%s", strings.TrimSpace(limited))
			break
		}
	}
	return notes
}

// limited is the advice of an address that is over its limits.
const limited = "\nThe server limits what one address may do. To measure the server, start it without the limits: docs/performance.md says how."

// advice says what to do about an error, after a line break.
func advice(err error) string {
	var r refusal
	if errors.As(err, &r) {
		switch r.status {
		case http.StatusTooManyRequests:
			return limited
		case http.StatusServiceUnavailable:
			if isUnsettled(r.reply) {
				return "\nThis node is not ready: /readyz says why. If it does not reach its engine, start that, and try again."
			}
			return "\nThe server is full: raise MAX_CONNECTIONS or MEMORY_LIMIT, or use fewer -clients."
		case http.StatusNotFound:
			return "\n-url must be the address of the server, without /events."
		case http.StatusConflict:
			return "\nThe room is full: raise MAX_ROOM_MEMBERS, or use a smaller -room-size."
		case http.StatusForbidden:
			return "\nIf the server demands access tokens, set ACCESS_SECRET to its secret."
		}
		return ""
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "connection refused"), strings.Contains(text, "no such host"):
		return "\nIs the server running, and is -url its address?"
	case strings.Contains(text, "certificate"):
		return "\nIf the server's certificate is your own, set SSL_CERT_FILE to the file of its authority."
	case strings.Contains(text, "too many open files"):
		return "\nRaise the limit of file descriptors (ulimit -n), or use fewer -clients."
	}
	return ""
}
