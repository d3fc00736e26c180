package sse

import "time"

// tick does what is due. It sends a heartbeat after silence, ends the reader of a client
// that is lost, notes that the socket is away, or ends the socket if its resume window
// has run out.
func (s *socket) tick() (t ticked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isChanged = false
	if s.ended != "" {
		return ticked{hasEnded: true}
	}
	now, elapsed := s.hub.clock(), s.hub.options.Elapsed()
	s.outbox.expire(elapsed - s.hub.retention)
	t.again = now + s.outbox.expiresIn(elapsed, s.hub.retention)
	switch {
	case s.reader != nil:
		t.again = min(t.again, s.tickReader(now))
	case !s.isAttached:
		var again time.Duration
		again, t.wentAway, t.expired = s.tickUnread(now)
		t.again = min(t.again, again)
	}
	return t
}

// ticked is what a tick of a socket has done.
type ticked struct {
	again    time.Duration // by the hub's clock: when something may be due again
	wentAway bool
	expired  bool // its resume window has run out
	hasEnded bool // before the tick
}

// tickReader is tick for a socket that has a reader.
func (s *socket) tickReader(now time.Duration) (again time.Duration) {
	if s.isLost(now) && s.farewell == nil {
		s.reader.end(true, nil, lastWordTime)
		return now
	}
	again = s.reader.beat(now)
	if heard := time.Duration(s.heard.Load()); heard != 0 {
		again = min(again, heard+s.hub.patience())
	}
	return again
}

// tickUnread is tick for a socket that has no reader.
func (s *socket) tickUnread(now time.Duration) (again time.Duration, wentAway, expired bool) {
	o := s.hub.options
	goes, ends := s.unreadSince+o.AwayAfter, s.unreadSince+o.ResumeWindow
	if s.unnoticed {
		ends += s.hub.untilNoticed()
	}
	if s.hub.isReplicated() {
		counted, stands := s.hub.unreadClock()
		if stands {
			return now + proposeAgain, false, false
		}
		return now + s.proposeDue(goes, ends, counted) - counted, false, false
	}
	switch {
	case now >= ends:
		return 0, false, s.expireLocked()
	case now < goes:
		return min(goes, ends), false, false
	case !s.away && s.farewell == nil: // with a farewell the server ended the reader
		s.goAwayLocked()
		return ends, true, false
	}
	return ends, false, false
}

// proposeDue proposes what is due for a socket that has no reader at any node, and returns
// when it must be called again. All times are those of [Hub.unreadClock].
func (s *socket) proposeDue(goes, ends, now time.Duration) (again time.Duration) {
	switch {
	case now >= ends && s.isDueHere(ends, now):
		s.propose(Command{Kind: Expire})
		return now + proposeAgain
	case now >= ends:
		return ends + notFirst
	case s.away:
		return ends
	case now >= goes && s.isDueHere(goes, now):
		s.propose(Command{Kind: GoAway})
		return min(now+proposeAgain, ends)
	case now >= goes:
		return min(goes+notFirst, ends)
	}
	return min(goes, ends)
}

// goAwayLocked notes that the socket is away. The socket's lock must be held.
func (s *socket) goAwayLocked() {
	s.away = true
	s.hub.away.Add(1)
}

// expireLocked ends the socket because nothing reads it for too long, and returns false if
// it had ended already. The socket's lock must be held.
func (s *socket) expireLocked() bool {
	if s.stalled {
		return s.endLocked(SlowConsumer, "")
	}
	return s.endLocked(TransportClose, "")
}
