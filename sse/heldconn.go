package sse

import (
	"context"
	"net/http"
	"time"
)

// heldConn writes a stream to the response of its handler, whose goroutine waits for as long
// as the stream lives. It serves every connection: TLS, HTTP/2, and any http.ResponseWriter.
type heldConn struct {
	// set once
	response http.ResponseWriter
	deadline deadline // has a lock of its own
	timeout  time.Duration
	isHTTP2  bool
	wake     chan struct{} // holds a value when the link has something to write

	// owned by the handler's goroutine
	dead     error // why nothing more can be written
	panicked any   // the value that the response panicked with
}

func newHeldConn(w http.ResponseWriter, r *http.Request, timeout time.Duration) *heldConn {
	setStreamHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	return &heldConn{
		response: w,
		deadline: deadline{control: http.NewResponseController(w)},
		timeout:  timeout,
		isHTTP2:  r.ProtoMajor == 2,
		wake:     make(chan struct{}, 1),
	}
}

// serve writes what the stream has, until it ends or the client goes.
func (c *heldConn) serve(ctx context.Context, st *stream) {
	for {
		select {
		case <-c.wake:
			st.link.write()
		case <-ctx.Done():
			st.link.Gone(nil)
			return
		case <-st.done:
			return
		}
	}
}

// Write implements [Parked]: it takes the whole text, or fails. It stops a panic of the
// response, so that the stream ends as after any other failure.
func (c *heldConn) Write(text []byte) (n int, err error) {
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			n, err = 0, http.ErrAbortHandler
		}
		c.dead = err
	}()
	c.deadline.set(time.Now().Add(c.timeout))
	if n, err = c.response.Write(text); err != nil {
		return n, err
	}
	if err := c.deadline.control.Flush(); err != nil {
		return 0, err
	}
	if c.isHTTP2 {
		c.deadline.set(time.Time{}) // a deadline ends an HTTP/2 stream even if nothing is being written
	}
	return n, nil
}

// Close implements [Parked]. It gives the connection back to net/http, with a deadline for
// the response's end. If a write has failed, the deadline is now: nothing more can be written.
func (c *heldConn) Close() {
	at := time.Now()
	if c.dead == nil {
		at = at.Add(c.timeout)
	}
	c.deadline.finish(at)
}
