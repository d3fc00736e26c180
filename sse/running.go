package sse

import (
	"context"
	"time"
)

// Run sends heartbeats, notes which sockets are away, and ends those whose resume
// window has run out, until ctx is done.
func (h *Hub) Run(ctx context.Context) {
	ticker := time.NewTicker(h.tickInterval())
	defer ticker.Stop()
	var sockets []*socket
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			h.buryEnding()
		case <-h.options.Budget.Exceeded():
			h.relieve()
		case now := <-ticker.C:
			sockets = h.snapshot(sockets[:0])
			for _, s := range sockets {
				switch wentAway, expired := s.tick(now); {
				case wentAway:
					h.options.OnPresence(s.id)
				case expired:
					h.bury(s)
				}
			}
			clear(sockets)
			h.forgetOrigins()
			if h.options.Budget.IsFull() {
				h.relieve()
			}
		}
	}
}

// tickInterval is how often all sockets are looked at: often enough that what
// is due is late by a tenth at most, and by no more than a part of the time in
// which a peer that goes silently is to be reported.
func (h *Hub) tickInterval() time.Duration {
	finest := min(h.options.HeartbeatInterval, h.options.ResumeWindow, h.options.AwayAfter) / 10
	return min(max(finest, time.Millisecond), 250*time.Millisecond)
}

func (h *Hub) buryEnding() {
	h.mu.Lock()
	ending := h.ending
	h.ending = nil
	h.mu.Unlock()
	for _, s := range ending {
		h.bury(s)
	}
}

// bury forgets a socket that has ended, and tells of it. Why it ended is written
// once, before this is called.
func (h *Hub) bury(s *socket) {
	h.mu.Lock()
	delete(h.sockets, s.id)
	h.part(s.origin)
	h.mu.Unlock()
	h.options.Budget.ChargeFor(s.origin.network, -socketBytes)
	h.options.Logger.Info("socket disconnected", "socketId", s.id, "reason", string(s.ended), "after", time.Since(s.connectedAt).Round(time.Millisecond).String())
	h.options.OnEnd(s.id, s.ended)
}

// endLater leaves the burial of a socket that has just ended to Run: whoever
// overflowed its outbox may hold locks that OnEnd needs.
func (h *Hub) endLater(s *socket) {
	h.mu.Lock()
	h.ending = append(h.ending, s)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default: // Run has been woken already
	}
}
