// Package problem holds the problems that the server reports to its clients
// (RFC 9457): their table, and the document that a response carries. It knows
// nothing of rooms or sockets; package httpapi turns their errors into problems.
package problem

import (
	"slices"
	"time"

	"signaling-server/httpapi/excerpt"
)

// Type is a row of the protocol's table of problems.
type Type struct {
	Name        string // the last part of the type's URI
	Status      int    // the HTTP status
	Title       string
	Explanation string // for a person who opens the type's URI
}

// Named returns the type of a name, if there is one.
func Named(name string) (t Type, ok bool) {
	i := slices.IndexFunc(Types, func(t Type) bool { return t.Name == name })
	if i < 0 {
		return Type{}, false
	}
	return Types[i], true
}

// With returns a problem of the type. The detail is for the developer of the client.
func (t Type) With(detail string) *Problem { return &Problem{Type: t, Detail: detail} }

// Problem is one refusal, as its client sees it. It is an error.
type Problem struct {
	Type
	Detail     string
	Errors     []FieldError  // what exactly is wrong with the request's content
	RetryAfter time.Duration // sent as Retry-After, unless it is 0
}

// After sets when the client may try again, and returns the problem.
func (p *Problem) After(wait time.Duration) *Problem {
	p.RetryAfter = wait
	return p
}

// Error implements error.
func (p *Problem) Error() string { return p.Name + ": " + p.Detail }

// FieldError names one thing that is wrong in a request.
type FieldError struct {
	Field   string `json:"field"`   // its path, or "" for the whole request
	Rule    string `json:"rule"`    // the rule that it breaks
	Message string `json:"message"` // what it must be
}

// Field returns a [FieldError].
func Field(path, rule, message string) FieldError { return FieldError{path, rule, message} }

// MaxFieldErrors is how many wrong fields a response names at most.
const MaxFieldErrors = 20

// Invalid returns the problem of a request in which something is wrong. It keeps
// the first [MaxFieldErrors] errors. Of each field's name it keeps only an excerpt,
// because the client chose the name.
func Invalid(wrong ...FieldError) *Problem {
	p := ValidationFailed.With("See errors for what to change.")
	p.Errors = wrong[:min(len(wrong), MaxFieldErrors)]
	for i := range p.Errors {
		p.Errors[i].Field = excerpt.Of(p.Errors[i].Field)
	}
	return p
}

// Document is a problem's JSON (RFC 9457, 3.1).
type Document struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors,omitempty"`
}

// Document returns the problem as its client reads it.
func (p *Problem) Document() Document {
	return Document{"/problems/" + p.Name, p.Title, p.Status, p.Detail, p.Errors}
}
