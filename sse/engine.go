package sse

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"

	r3labs "github.com/r3labs/sse/v2"
)

// engine is the fence around r3labs/sse. Only this file imports the library, and its types
// are used nowhere else. Each law in engine_test.go says what the fence is for.
//
// The engine wakes those that write: see [sharedLane]. Events do not go through it, so it never
// holds back an event that a client should have, and never drops one when a lane is closed.
type engine struct {
	server *r3labs.Server // set once
}

func newEngine() *engine {
	server := r3labs.New()
	server.AutoReplay = false // replay would keep every event for ever
	server.BufferSize = 1
	server.Headers = streamHeaders
	return &engine{server}
}

// openLane makes a stream of the engine. Its name is random and never comes from
// a URL, because anyone who knows the name can listen. The lane must be closed after
// serve has returned, not before: a handler that registers at a closed lane waits for
// ever.
func (e *engine) openLane() *lane {
	name := rand.Text()
	e.server.CreateStream(name)
	return &lane{e, name}
}

// lane is a stream of the engine.
type lane struct {
	// set once
	engine *engine
	name   string
}

// request makes the request that the engine's handler gets. No client's request reaches it:
// the handler would take the stream's name from the client's URL.
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

// wake makes the running handler call w.Flush once more. If the engine does not take the
// event, it has not handed on an earlier one yet: then the handler flushes for that one.
func (l *lane) wake() { l.engine.server.TryPublish(l.name, wakeUp) }

// wakeUp is a comment, the least that the engine hands on.
var wakeUp = &r3labs.Event{Comment: []byte("wake")}

func (l *lane) close() { l.engine.server.RemoveStream(l.name) }
