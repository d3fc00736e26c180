package main

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// nodes is a link to all nodes of a server. Requests go to the nodes in turn, as behind a
// plain proxy. A request that was not answered, or that a node cannot accept now, goes to the
// next node: so it must do nothing twice, by its method or its Idempotency-Key.
type nodes struct {
	links    []link
	turn     atomic.Uint64
	repeated *atomic.Int64 // requests, by all clients
	quit     func() bool   // reports whether the client gives up
}

func (n *nodes) next() link {
	return n.links[n.turn.Add(1)%uint64(len(n.links))]
}

// do repeats the request for as long as one request may take.
func (n *nodes) do(request []byte) (r reply, err error) {
	pause := 50 * time.Millisecond
	for try, end := 1, time.Now().Add(patience); ; try++ {
		r, err = n.next().do(request)
		if err == nil && !isUnsettled(r) || time.Now().After(end) {
			return r, err
		}
		if try >= len(n.links) { // all nodes were asked
			if n.quit() {
				return r, err
			}
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
		}
		n.repeated.Add(1)
	}
}

// isUnsettled reports whether a node could not accept the request, or does not know whether it has.
func isUnsettled(r reply) bool {
	isOut := bytes.Contains(r.body, []byte("not-ready")) || bytes.Contains(r.body, []byte("shutting-down"))
	return r.status == http.StatusServiceUnavailable && isOut ||
		r.status == http.StatusGatewayTimeout && bytes.Contains(r.body, []byte("outcome-unknown"))
}

// stream asks each node once at most.
func (n *nodes) stream(request []byte) (stream io.ReadCloser, err error) {
	for range n.links {
		if stream, err = n.next().stream(request); err == nil {
			return stream, nil
		}
	}
	return nil, err
}

func (n *nodes) close() {
	for _, l := range n.links {
		l.close()
	}
}
