package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem says why the server refused a request or an event (RFC 9457).
type Problem struct {
	Type   string       `json:"type"`   // does not change: let your code decide by it, or by Name
	Title  string       `json:"title"`  // for people, as is Detail
	Status int          `json:"status"` // the HTTP status
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors,omitempty"`

	// RetryAfter is how long to wait before the next try. It is zero if the server does
	// not say.
	RetryAfter time.Duration `json:"-"`
}

// FieldError says what is wrong with one member of an event.
type FieldError struct {
	Field   string `json:"field"`   // the member, for example "offer.sdp"; empty for the whole event
	Rule    string `json:"rule"`    // the rule that it breaks, for programs
	Message string `json:"message"` // the rule in words, for people
}

// Name returns the last part of the problem's type, for example "target-not-found".
func (p *Problem) Name() string { return strings.TrimPrefix(p.Type, "/problems/") }

// Error implements error.
func (p *Problem) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s (%d %s)", p.Title, p.Status, p.Name())
	if p.Detail != "" {
		text.WriteString(": " + p.Detail)
	}
	for _, e := range p.Errors {
		text.WriteString("; " + e.Field + " " + e.Message)
	}
	return text.String()
}

// errorOf returns the error for an answer that is not a success: a *Problem, or a
// *strangeAnswer if the answer is not from the server.
func errorOf(response *http.Response) error {
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if mediaType != "application/problem+json" {
		return &strangeAnswer{response.StatusCode, mediaType}
	}
	problem := new(Problem)
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(problem); err != nil {
		return fmt.Errorf("reading a problem: %w", err)
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		problem.RetryAfter = time.Duration(seconds) * time.Second
	}
	return problem
}

// strangeAnswer is an answer that a signaling server does not give. Something on the
// way gave it, or the server at this address is not a signaling server.
type strangeAnswer struct {
	status    int
	mediaType string
}

func (s *strangeAnswer) Error() string {
	return fmt.Sprintf("the answer does not come from a signaling server (status %d, content type %q): is the URL right, and is there a proxy on the way?", s.status, s.mediaType)
}
