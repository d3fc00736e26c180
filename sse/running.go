package sse

import (
	"context"
	"time"
)

// Run sends heartbeats, writes what was left to it, and notices which sockets are away. It
// ends the sockets whose resume window has run out, and frees memory when the budget is
// exceeded. It returns when ctx is done. Call it once.
func (h *Hub) Run(ctx context.Context) {
	defer h.openSharedLanes()()
	ticker := time.NewTicker(h.tickInterval())
	defer ticker.Stop()
	var looks schedule
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			if !h.isReplicated() { // otherwise Settle does it
				h.forgetEnded()
			}
		case <-h.options.Budget.Exceeded():
			h.relieve()
		case <-ticker.C:
			looks.soon(h.takeChanged())
			looks.due(h.clock(), h.tick)
			h.forgetOrigins()
			if h.options.Budget.IsFull() {
				h.relieve()
			}
		}
		h.Flush()
	}
}

// tick does what is due for a socket. It returns when something may be due again, and
// whether the socket has ended.
func (h *Hub) tick(s *socket) (again time.Duration, ended bool) {
	t := s.tick()
	switch {
	case t.wentAway:
		h.options.OnPresence(s.id)
	case t.expired:
		h.forget(s)
	}
	return t.again, t.hasEnded || t.expired
}

// tickInterval is how often Run looks for what is due. It is a tenth of the shortest
// interval that Run watches, so nothing is late by more than a tenth. And it is 250 ms at
// most: a small part of the time in which a peer that vanishes must be reported.
func (h *Hub) tickInterval() time.Duration {
	finest := min(h.options.HeartbeatInterval, h.options.ResumeWindow, h.options.AwayAfter) / 10
	return min(max(finest, time.Millisecond), 250*time.Millisecond)
}

// forgetEnded forgets the sockets that were left to Run, and reports whether there were any.
func (h *Hub) forgetEnded() bool {
	h.mu.Lock()
	ended := h.ended
	h.ended = nil
	h.mu.Unlock()
	for _, s := range ended {
		h.forget(s)
	}
	return len(ended) > 0
}

// forget removes a socket that has ended from the hub, and calls OnEnd. Its reason no
// longer changes, so it is read without the socket's lock.
func (h *Hub) forget(s *socket) {
	h.mu.Lock()
	delete(h.sockets, s.id)
	h.uncountSocket(s.origin)
	h.mu.Unlock()
	h.options.Budget.ChargeFor(s.origin.network, -socketBytes)
	if h.options.Logs() {
		h.options.Logger.Info("socket disconnected", "socketId", s.id, "reason", string(s.ended), "after", time.Since(s.connectedAt).Round(time.Millisecond).String())
	}
	h.options.OnEnd(Ref{socket: s}, s.ended)
}

// forgetLater leaves it to Run to forget a socket that has just ended. The caller that
// filled its outbox may hold locks that OnEnd needs.
func (h *Hub) forgetLater(s *socket) {
	h.mu.Lock()
	h.ended = append(h.ended, s)
	h.mu.Unlock()
	h.wakeRun()
}

// wakeRun makes Run do what was left to it.
func (h *Hub) wakeRun() {
	select {
	case h.wake <- struct{}{}:
	default: // Run will wake anyway
	}
}
