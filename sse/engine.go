package sse

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"

	r3labs "github.com/r3labs/sse/v2"
)

// engine fences r3labs/sse: it alone imports it, and its types go no further.
// What the fence is for stands beside each law in engine_test.go.
//
// The engine is given each stream's events one at a time, the next one only
// when the last was written. So it can hold back nothing that a client should
// have had, and can drop nothing when it is closed.
type engine struct{ server *r3labs.Server }

func newEngine() *engine {
	server := r3labs.New()
	server.AutoReplay = false // it would keep every event for ever
	server.BufferSize = 1
	server.Headers = map[string]string{
		"Cache-Control":     "no-cache, no-store, no-transform",
		"X-Accel-Buffering": "no",
	}
	return &engine{server}
}

// openLane reserves a place for one stream. Its name is drawn afresh and never
// taken from a URL, since a name is all it takes to listen. The lane must be
// closed after serve has returned, not before: a handler that registers at a
// closed lane waits for ever.
func (e *engine) openLane() *lane {
	name := rand.Text()
	e.server.CreateStream(name)
	return &lane{e, name}
}

// lane is the engine's side of one stream.
type lane struct {
	engine *engine
	name   string
}

// request makes what the engine's handler is asked: a request of our own, since
// it would refuse our Last-Event-ID, and take the stream's name from the
// client's URL.
func (l *lane) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{RawQuery: "stream=" + l.name},
		Header: http.Header{},
	}
	return r.WithContext(ctx)
}

// serve runs the engine's handler until the request's context is done and the
// engine has let go of w. It calls w.Flush once when it has registered the
// reader, and once after each frame.
func (l *lane) serve(w http.ResponseWriter, r *http.Request) { l.engine.server.ServeHTTP(w, r) }

// publish hands one frame to the running handler, and says whether it took it.
// It does, if the caller has seen the handler register and its last frame
// written; before that, true means nothing.
func (l *lane) publish(f frame) bool {
	return l.engine.server.TryPublish(l.name, &r3labs.Event{ID: f.head, Data: placeholder, Retry: f.retry})
}

func (l *lane) close() { l.engine.server.RemoveStream(l.name) }

// placeholder is what the engine frames in place of an event's data: the
// [frameWriter] puts the data in while it writes. The engine would copy the data
// twice, and hold the copies for as long as a client does not read.
var placeholder = []byte("{}")

// frame is one event as it goes to the engine.
type frame struct {
	// head is the id line's value, with the event line behind it. The engine
	// itself writes event behind data, which confuses people and programs that
	// read a stream line by line.
	head  []byte
	retry []byte // milliseconds; sets the client's reconnection time
	event *event // its data goes in the place of the placeholder
}

func newFrame(id EventID, e *event) frame {
	head := make([]byte, 0, len(id.Token.text)+len(".9007199254740991\nevent: ")+len(e.kind))
	head = id.appendText(head)
	head = append(head, "\nevent: "...)
	head = append(head, e.kind...)
	f := frame{head: head, event: e}
	if e.retry > 0 {
		f.retry = strconv.AppendInt(nil, e.retry.Milliseconds(), 10)
	}
	return f
}
