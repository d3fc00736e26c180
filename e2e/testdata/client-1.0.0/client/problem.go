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

// Problem is why the server refused something (RFC 9457).
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors,omitempty"`

	// RetryAfter is after how long another try may go well; zero where the server
	// does not say.
	RetryAfter time.Duration `json:"-"`
}

// FieldError is what was wrong with one member of an event.
type FieldError struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// Name is the last part of the problem's type, such as "target-not-found".
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

// errorOf makes an error of an answer that is no success.
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

// strangeAnswer is one that the protocol does not have. Somebody on the way gave
// it, or there is no such server at this address.
type strangeAnswer struct {
	status    int
	mediaType string
}

func (s *strangeAnswer) Error() string {
	return fmt.Sprintf("an answer that is not of a signaling server (status %d, content type %q): is the URL right, and is there a proxy on the way?", s.status, s.mediaType)
}
