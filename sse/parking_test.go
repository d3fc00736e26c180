package sse_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"signaling-server/sse"
)

// parking parks the connections of test clients, if the tests run over parked connections.
type parking struct{}

// parkingOfTests returns the Parking for a hub of a test.
func parkingOfTests() sse.Parking {
	if linkOfStreams == "parked" {
		return parking{}
	}
	return nil
}

func (parking) CanPark(w http.ResponseWriter, _ *http.Request) bool {
	_, isClient := w.(*client)
	return isClient
}

func (parking) Park(w http.ResponseWriter, r *http.Request, s sse.Parkable) (sse.Parked, error) {
	c := w.(*client)
	c.isParked = true
	return &parkedClient{client: c, stream: s, stopWatching: context.AfterFunc(r.Context(), func() { s.Gone(nil) })}, nil
}

// parkedClient is a client with a parked connection. Its connection never blocks: if it is
// stalled or slow, it takes nothing, and says so when it takes more.
type parkedClient struct {
	*client
	stream       sse.Parkable
	stopWatching func() bool
	raw          []byte // the whole response, as it was written
	isPaid       bool   // the time for the next write is over
}

func (p *parkedClient) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.panics != nil:
		return 0, errors.New("the connection is broken")
	case p.broken != nil:
		return 0, p.broken
	case p.stalled != nil:
		go p.callWhen(p.stalled, func() { p.stalled = nil })
		return 0, nil
	case p.pace > 0 && !p.isPaid:
		paid := make(chan struct{})
		time.AfterFunc(p.pace, func() { close(paid) })
		go p.callWhen(paid, func() { p.isPaid = true })
		return 0, nil
	}
	p.isPaid = false
	p.raw = append(p.raw, text...)
	p.flushes++
	p.read()
	return len(text), nil
}

// callWhen tells the stream that the connection takes more, when a channel is closed.
func (p *parkedClient) callWhen(ready <-chan struct{}, change func()) {
	select {
	case <-p.returned:
		return
	case <-ready:
	}
	p.mu.Lock()
	change()
	p.mu.Unlock()
	p.stream.Writable()
}

// read reads what has arrived, as a client of HTTP would.
func (p *parkedClient) read() {
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p.raw)), nil)
	if err != nil {
		return
	}
	p.status = response.StatusCode
	maps.Copy(p.header, response.Header)
	p.arrived, _ = io.ReadAll(response.Body) // an error means that the response has not ended
}

func (p *parkedClient) Close() {
	p.stopWatching()
	close(p.returned)
}
