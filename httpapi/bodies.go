package httpapi

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"mime"
	"net/http"
	"sync"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/sse"
)

const (
	// minMaxBody is how many bytes the contract promises that a body may have.
	minMaxBody = 64 << 10
	// firstPart is how many bytes of a body are read before more memory is taken.
	// Most bodies are not longer.
	firstPart = 2 << 10
	// parsing is how many bytes of memory it takes, at most, to read and decode one
	// byte of a body.
	parsing = 8
	// linger is how long the rest of an unread body is received and thrown away. If
	// the connection were closed before all has arrived, the client might lose the
	// answer.
	linger = 500 * time.Millisecond
)

// intake is what the body of a request takes until it is released: memory, a part of its
// network's share, and a part of the budget. One goroutine owns it.
type intake struct {
	// set once for each request
	network *limits.Network
	budget  *budget.Budget
	share   limits.Holding

	socket    sse.Ref // that posts, until the state has its post; zero: there is none
	confirmed uint64  // by its client

	charged int             // bytes of the budget
	first   [firstPart]byte // holds the body, unless the body is longer
	larger  *[]byte         // holds a longer body; nil: there is none yet

	post  machine.Post       // what the body asks for
	event [1]machine.Outcome // holds the events of post, if there is one
	act   [1]machine.Act     // holds the acts of post, if there is one event
	spans *eventSpans
}

// Intakes are used again, and so is the memory of longer bodies. So nothing may refer to a
// body after its intake is released: what an event leaves behind is a copy.
var (
	intakes = sync.Pool{New: func() any { return new(intake) }}
	spare   [10]sync.Pool // at n, memory of firstPart<<n bytes
)

// newMemory returns at least this many bytes.
func newMemory(size int) *[]byte {
	n := sizeClass(size)
	if n < len(spare) {
		if memory, ok := spare[n].Get().(*[]byte); ok {
			return memory
		}
	}
	memory := make([]byte, firstPart<<n)
	return &memory
}

// sizeClass returns the least n for which firstPart<<n is not smaller than size.
func sizeClass(size int) int { return bits.Len(uint(size-1) / firstPart) }

func (a *API) newIntake(r *http.Request) *intake {
	in := intakes.Get().(*intake)
	in.network, in.budget = a.limits.Network(a.networkOf(r)), a.budget
	in.share = in.network.Holding()
	in.spans = a.eventSpans(r.Context())
	return in
}

// errNoMemory is the error of a request whose body does not fit into the budget.
var errNoMemory = errors.New("the memory for requests is used up")

// take takes memory for more bytes of the body. It grants the first part even if the
// budget is used up, so that every connected client can send an event. The hub then frees
// memory of the sockets that hold the most.
func (in *intake) take(bytes int) error {
	if err := in.share.Take(bytes); err != nil {
		return err
	}
	charge := max(firstPart, parsing*bytes)
	switch isFirst := in.charged == 0; {
	case isFirst && bytes <= firstPart:
		in.budget.Charge(charge)
	case !in.budget.Take(charge):
		return errNoMemory
	}
	in.charged += charge
	return nil
}

// enlarged returns a body with a capacity of size bytes.
func (in *intake) enlarged(body []byte, size int) []byte {
	if size <= firstPart {
		return in.first[:0:size] // the first memory that the body gets
	}
	larger := newMemory(size)
	body = append((*larger)[:0:size], body...)
	in.dropLarger()
	in.larger = larger
	return body
}

// dropLarger erases the memory of a longer body, and keeps it for others.
func (in *intake) dropLarger() {
	if in.larger == nil {
		return
	}
	clear(*in.larger)
	if n := sizeClass(len(*in.larger)); n < len(spare) {
		spare[n].Put(in.larger)
	}
	in.larger = nil
}

// release gives back what the body took.
func (in *intake) release() {
	in.share.Release()
	in.budget.Charge(-in.charged)
	in.dropLarger()
	in.tell()
	*in = intake{} // the next request must not see a part of this body, whatever goes wrong
	intakes.Put(in)
}

// posts notes which socket posts. Its request is a sign of life, and may confirm events, whatever
// becomes of the rest.
func (in *intake) posts(socket sse.Ref, confirmed uint64) {
	in.socket, in.confirmed = socket, confirmed
}

// tell tells what a request says that is refused, or repeated, before the state has its POST.
func (in *intake) tell() {
	if in.socket != (sse.Ref{}) {
		in.socket.Tell(in.confirmed)
	}
}

// readJSON reads a body whose Content-Type is JSON.
func (a *API) readJSON(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, problem.UnsupportedMediaType.With("Send “Content-Type: application/json”.")
	}
	return a.readPlain(w, r, in)
}

func isJSON(contentType string) bool { return isMediaType(contentType, "application/json") }

// isMediaType reports whether a Content-Type is of a media type. Its parameters do
// not matter.
func isMediaType(contentType, want string) bool {
	if contentType == want {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == want
}

// readPlain reads a body that has no Content-Encoding.
func (a *API) readPlain(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, problem.UnsupportedMediaType.With("Send the body without a Content-Encoding.")
	}
	return a.readBody(w, r, in)
}

// readBody reads a body of bounded size. It takes memory for the bytes that have
// arrived, not for those that Content-Length promises. The server's ReadTimeout
// bounds the time that reading takes.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, in *intake) ([]byte, error) {
	if r.ContentLength > a.maxBody {
		return nil, a.bodyTooLarge()
	}
	size := r.ContentLength
	if size < 0 {
		size = a.maxBody + 1 // a body that fills this is too large
	}
	var body []byte
	for int64(len(body)) < size {
		if len(body) == cap(body) {
			grown := int(min(max(firstPart, 2*int64(cap(body))), size))
			if err := in.take(grown - cap(body)); err != nil {
				refuseBody(w, r)
				return nil, err
			}
			body = in.enlarged(body, grown)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF) && (r.ContentLength < 0 || int64(len(body)) == size):
			r.Body.Close() // now net/http knows that there is nothing left to throw away
			return body, nil
		case err != nil:
			return nil, problem.MalformedJSON.With("The body did not arrive completely.")
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

// refuseBody makes sure that nobody waits for the body of a request. To keep the
// connection usable, net/http would read the body before it sends the answer. So the
// connection ends with the answer, which must not have begun.
//
// In HTTP/2 only the stream of the request ends. What still arrives for it is thrown
// away.
func refuseBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor >= 2 {
		r.Body.Close()
		return
	}
	w.Header()["Connection"] = lastAnswer
}

var lastAnswer = []string{"close"}

// hurryBody gives the unread rest of a body a moment to arrive. To keep the
// connection usable, net/http throws the rest away before it sends the answer. If the
// rest takes longer than that moment, the connection ends with the answer.
func hurryBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor < 2 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger))
	}
}

// withoutBody wraps a handler whose requests have no body. If a body comes all the
// same, it is not read. While a body is unread, net/http does not notice that the client
// is gone: a stream notices when it writes its next heartbeat.
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

// closing is an answer that ends its connection, even if the stream engine sets the
// header Connection itself.
type closing struct{ http.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (c closing) WriteHeader(status int) {
	c.Header()["Connection"] = lastAnswer
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (c closing) Unwrap() http.ResponseWriter { return c.ResponseWriter }
