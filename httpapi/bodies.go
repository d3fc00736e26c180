package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/internal/budget"
	"signaling-server/limits"
)

const (
	// minMaxBody is how many bytes a body may have in any case.
	minMaxBody = 64 << 10
	// firstPart is how many bytes of a body are read before more memory is taken for
	// it: as many as most bodies have.
	firstPart = 2 << 10
	// parsing is how many bytes it takes at most to read and understand one byte of a
	// body.
	parsing = 8
	// linger is for how long the rest of a body is thrown away that nobody reads. A
	// connection that is closed before all has arrived may take the answer with it.
	linger = 500 * time.Millisecond
)

// intake is what the body of a request takes, from its network's share and from the
// process's memory, until it is released. One goroutine owns it.
type intake struct {
	// set once
	network netip.Prefix
	budget  *budget.Budget
	share   limits.Holding

	charged int // bytes, to the budget
}

func (a *API) newIntake(r *http.Request) *intake {
	network := a.networkOf(r)
	return &intake{network: network, budget: a.budget, share: a.limits.Holding(network)}
}

// errNoMemory is the error of a request whose body has no place in the budget.
var errNoMemory = errors.New("the memory for requests is used up")

// take takes memory for so many bytes more of the body. The first part is granted
// whatever the budget: a client that is connected can speak, and those who hold the most
// give way.
func (in *intake) take(bytes int) error {
	if err := in.share.Take(bytes); err != nil {
		return err
	}
	switch isFirst := in.charged == 0; {
	case isFirst && bytes <= firstPart:
		in.budget.Charge(parsing * bytes)
	case !in.budget.Take(parsing * bytes):
		return errNoMemory
	}
	in.charged += parsing * bytes
	return nil
}

func (in *intake) release() {
	in.share.Release()
	in.budget.Charge(-in.charged)
	in.charged = 0
}

// readJSON reads a body that claims to be JSON.
func (a *API) readJSON(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, problem.UnsupportedMediaType.With("Send “Content-Type: application/json”.")
	}
	return a.readPlain(w, r, in)
}

func isJSON(contentType string) bool { return isMediaType(contentType, "application/json") }

// isMediaType compares a Content-Type with a media type, whatever its parameters.
func isMediaType(contentType, want string) bool {
	if contentType == want {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == want
}

// readPlain reads a body that nothing was done to on the way.
func (a *API) readPlain(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, problem.UnsupportedMediaType.With("Send the body without a Content-Encoding.")
	}
	return a.readBody(w, r, in)
}

// readBody reads a body of bounded size. Memory is taken as bytes arrive, not as
// they are promised. The server's ReadTimeout bounds the time that it takes.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if r.ContentLength > a.maxBody {
		return nil, a.bodyTooLarge()
	}
	size := r.ContentLength
	if size < 0 {
		size = a.maxBody + 1 // a byte more than there may be: then there are too many
	}
	var body []byte
	for int64(len(body)) < size {
		if len(body) == cap(body) {
			grown := int(min(max(firstPart, 2*int64(cap(body))), size))
			if err := in.take(grown - cap(body)); err != nil {
				refuseBody(w, r)
				return nil, err
			}
			body = append(make([]byte, 0, grown), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF) && (r.ContentLength < 0 || int64(len(body)) == size):
			return body, nil
		case err != nil:
			return nil, problem.MalformedJSON.With("The body did not arrive whole.")
		}
	}
	if int64(len(body)) > a.maxBody {
		return nil, a.bodyTooLarge()
	}
	return body, nil
}

func (a *API) bodyTooLarge() error {
	return problem.PayloadTooLarge.With(fmt.Sprintf("A body may have %d KiB at most.", a.maxBody>>10))
}

// refuseBody makes sure that a body is not read that the request promises. If the
// connection could go on afterwards, net/http would read it before the answer, and
// wait for it. So the connection ends with the answer, which must not have begun.
//
// Of HTTP/2 the stream alone ends. What arrives for it is thrown away.
func refuseBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor >= 2 {
		r.Body.Close()
		return
	}
	w.Header()["Connection"] = lastAnswer
}

var lastAnswer = []string{"close"}

// hurryBody gives what has not been read of a body a moment to arrive. When a
// connection goes on, net/http throws the rest away before it writes the answer; if
// that takes longer, the connection ends with the answer.
func hurryBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor < 2 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger))
	}
}

// withoutBody makes a handler of requests that have no body. One that comes all the
// same is not read. Then net/http does not see that a client is gone before
// something is written: a stream notices by its next heartbeat.
func withoutBody(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		if r.ContentLength == 0 {
			return h(w, r, p)
		}
		refuseBody(w, r)
		if r.ProtoMajor < 2 {
			w = closing{w}
		}
		defer hurryBody(w, r)
		return h(w, r, p)
	}
}

// closing is an answer with which its connection ends, also if the stream engine
// sets the header Connection in its own way.
type closing struct{ http.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (c closing) WriteHeader(status int) {
	c.Header()["Connection"] = lastAnswer
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (c closing) Unwrap() http.ResponseWriter { return c.ResponseWriter }
