package sse

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
)

// fewLinks is how many links [Hub.Flush] writes itself. An event from one client to another
// is written by the goroutine that puts it into the outbox: no goroutine must wake, and a
// sender cannot send faster than the server writes. An event to a whole room is left to the
// shared lanes. While a lane lets others go first, more events for the same members arrive,
// and go into the same writes.
const fewLinks = 4

// sharedLane writes to parked connections in a goroutine of its own, and wakes the handlers
// that hold a connection. It is a stream of the engine with one subscriber. Whenever the
// engine flushes, the links that wait are written or woken.
type sharedLane struct {
	lane    *lane
	header  http.Header // what the engine sets; nobody reads it
	waiting atomic.Pointer[link]
}

// put makes the lane write a link that counts as queued. Any goroutine may call it, and it
// never blocks.
func (l *sharedLane) put(link *link) {
	for {
		first := l.waiting.Load()
		link.queuedBefore = first
		if l.waiting.CompareAndSwap(first, link) {
			if first == nil {
				l.lane.wake()
			}
			return
		}
	}
}

// Header implements [http.ResponseWriter].
func (l *sharedLane) Header() http.Header { return l.header }

// WriteHeader implements [http.ResponseWriter].
func (l *sharedLane) WriteHeader(int) {}

// Write implements [http.ResponseWriter]. What the engine writes is for nobody.
func (l *sharedLane) Write(text []byte) (int, error) { return len(text), nil }

// Flush implements [http.Flusher]. The engine calls it after each wake.
func (l *sharedLane) Flush() {
	runtime.Gosched() // first the goroutines that are ready: what they send goes into the same writes
	for link := l.waiting.Swap(nil); link != nil; {
		before := link.queuedBefore
		link.writeQueued()
		link = before
	}
}

// openSharedLanes opens a shared lane for each processor. When stop returns, nothing waits in
// them.
func (h *Hub) openSharedLanes() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	lanes := make([]*sharedLane, runtime.GOMAXPROCS(0))
	var running sync.WaitGroup
	for i := range lanes {
		l := &sharedLane{lane: h.engine.openLane(), header: http.Header{}}
		lanes[i] = l
		running.Go(func() {
			l.lane.serve(l, l.lane.request(ctx))
			l.lane.close()
		})
	}
	h.lanes.Store(&lanes)
	return func() {
		h.lanes.Store(nil)
		cancel()
		running.Wait()
		for _, l := range lanes {
			l.Flush()
		}
	}
}
