package sse

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"

	r3labs "github.com/r3labs/sse/v2"
)

// engine is the fence around r3labs/sse. Only this file imports the library, and its types
// are used nowhere else. Each law in engine_test.go says what the fence is for.
//
// The engine gets the events of a stream one at a time: the next event only when the
// last one was written. So it never holds back an event that a client should have, and
// never drops one when a stream is closed.
type engine struct {
	server *r3labs.Server // set once
}

func newEngine() *engine {
	server := r3labs.New()
	server.AutoReplay = false // replay would keep every event for ever
	server.BufferSize = 1
	server.Headers = map[string]string{
		"Cache-Control":     "no-cache, no-store, no-transform",
		"X-Accel-Buffering": "no",
	}
	return &engine{server}
}

// openLane makes the engine's side of one stream. Its name is random and never comes from
// a URL, because anyone who knows the name can listen. The lane must be closed after
// serve has returned, not before: a handler that registers at a closed lane waits for
// ever.
func (e *engine) openLane() *lane {
	name := rand.Text()
	e.server.CreateStream(name)
	return &lane{e, name}
}

// lane is the engine's side of one stream.
type lane struct {
	// set once
	engine *engine
	name   string
}

// request makes the request that the engine's handler gets. The client's request never
// reaches it: the handler would refuse our Last-Event-ID, and would take the stream's name
// from the client's URL.
func (l *lane) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{RawQuery: "stream=" + l.name},
		Header: http.Header{},
	}
	return r.WithContext(ctx)
}

// serve runs the engine's handler. It returns when the request's context is done and the
// engine no longer uses w. It calls w.Flush once when it has registered the reader, and
// once after each frame.
func (l *lane) serve(w http.ResponseWriter, r *http.Request) { l.engine.server.ServeHTTP(w, r) }

// publish hands one frame to the running handler, and reports whether the handler took
// it. Call it only after the handler has registered and has written the last frame:
// before that, true means nothing.
func (l *lane) publish(f frame) bool {
	return l.engine.server.TryPublish(l.name, &r3labs.Event{ID: f.head, Data: placeholder, Retry: f.retry})
}

func (l *lane) close() { l.engine.server.RemoveStream(l.name) }

// placeholder stands for an event's data in the engine. The [frameWriter] puts the data in
// its place while it writes. The engine would copy the data twice, and keep the copies
// for as long as the client does not read.
var placeholder = []byte("{}")

// frame is one event as it goes to the engine.
type frame struct {
	// head is the value of the id line, and then the event line. The engine itself would
	// write the event line after the data. That confuses people and programs that read a
	// stream line by line.
	head  []byte
	retry []byte // milliseconds; sets the client's reconnection time; nil: no retry line
	event *event // its data takes the place of the placeholder
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
