package conns

import (
	"net/http"
	"testing"
	"time"
)

// SetRestTimeout changes for how long the guard waits for a body, until the test ends. No
// server may run yet.
func SetRestTimeout(t *testing.T, timeout time.Duration) {
	before := restTimeout
	t.Cleanup(func() { restTimeout = before })
	restTimeout = timeout
}

// PutToSleep makes idle connections fall asleep at once. Unlike Run it looks at all of them
// each time, because a connection may not wait for its next request yet.
func (g *Guard) PutToSleep() {
	g.mu.Lock()
	g.queues[idle].next = g.queues[idle].first
	g.mu.Unlock()
	g.putToSleep(0)
}

// Asleep returns how many connections sleep.
func (g *Guard) Asleep() int {
	l := g.lot.Load()
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sleepers)
}

// CanWatch reports whether Run watches connections now.
func (g *Guard) CanWatch() bool { return g.lot.Load() != nil }

// ActiveInReserve returns how many connections of the reserve have a request under way.
func (g *Guard) ActiveInReserve() (count int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := g.reserve.first; c != nil; c = c.links[amongAll].after {
		if c.state == active {
			count++
		}
	}
	return count
}

// FieldLines returns how many lines of a header begin in bytes that come in parts, and how
// many of them the last header has.
func FieldLines(parts ...[]byte) (all, last int) {
	var lines fieldLines
	for _, part := range parts {
		all += lines.add(part)
	}
	return all, lines.count
}

// ReadPlain reads a plain request to a target. It returns nil if the request is not plain, or
// not whole.
func ReadPlain(text []byte, target string) *http.Request {
	x := readPlain(text, &http.Request{RemoteAddr: "192.0.2.1:40000"}, byRequestLine([]string{target}))
	if x == nil || len(text) != x.size() {
		return nil
	}
	x.setBody(text)
	return &x.request
}

// Answering returns how many connections have a goroutine of the guard.
func (g *Guard) Answering() int {
	l := g.lot.Load()
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.plain)
}
