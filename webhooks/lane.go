package webhooks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cespare/xxhash/v2"

	"signaling-server/rooms"
)

const (
	// firstPause and longestPause bound how long a lane waits after an attempt that has failed.
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// maxRead is how many changes a lane reads at once.
	maxRead = 64
)

// lane sends the changes of some of the rooms, one after the other. So each room's changes arrive
// in order.
type lane struct {
	// set once
	number int
	wake   chan struct{} // holds a value when there may be something to send
	retry  chan struct{} // holds a value when a pause must end

	// of its goroutine
	after     uint64 // all changes up to this one are done
	round     uint64
	isFailing bool
}

// hasRoom reports whether a lane sends the changes of a room.
func (l *lane) hasRoom(id string) bool { return xxhash.Sum64String(id)%laneCount == uint64(l.number) }

// runLane sends the changes of a lane until ctx is done.
func (s *Sender) runLane(ctx context.Context, l *lane) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		for s.isSender() && ctx.Err() == nil && s.sendSome(ctx, l) {
		}
		if !s.isSender() {
			s.setFailing(l, false)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-ticker.C:
		}
	}
}

// sendSome sends the next changes of a lane. It reports whether there may be more to do now.
func (s *Sender) sendSome(ctx context.Context, l *lane) bool {
	list, info := s.rooms.Changes(l.after, maxRead)
	if info.Round != l.round {
		l.round, l.after = info.Round, 0
		return true
	}
	for _, c := range list {
		if !s.maySend(c.Sequence) {
			return false // written wakes this lane
		}
		if !c.IsDelivered && l.hasRoom(c.RoomID) && !s.deliver(ctx, l, c) {
			return true
		}
		l.after = c.Sequence
	}
	return len(list) > 0
}

// deliver sends a change until it arrives or is kept no more. It returns false if the lane must
// look again at what to send.
func (s *Sender) deliver(ctx context.Context, l *lane, c rooms.Change) bool {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		list, info := s.rooms.Changes(c.Sequence-1, 1)
		switch {
		case info.Round != l.round || !s.isSender() || ctx.Err() != nil:
			return false
		case len(list) == 0 || list[0].Sequence != c.Sequence || list[0].IsDelivered:
			return true // it was pushed out, or another node has sent it
		}
		err := s.post(ctx, fmt.Sprintf("msg_%s_%d", info.Source, c.Sequence), bodyOf(c))
		if ctx.Err() != nil {
			return false // the attempt was ended from here
		}
		if err == nil {
			s.arrived(info.Round, c.Sequence)
			s.succeeded(l)
			return true
		}
		s.failed(l, err)
		l.pause(ctx, max(err.retryAfter, pause/2+rand.N(pause/2))) // jitter, so that lanes do not come all at once
	}
}

// pause waits, unless something happens that may let the next attempt succeed.
func (l *lane) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.retry:
	case <-timer.C:
	}
}

// succeeded notes that an attempt has succeeded. If the lane has failed before, the receiver may
// be back, so that the other lanes try at once.
func (s *Sender) succeeded(l *lane) {
	if !l.isFailing {
		return
	}
	if isOver := s.setFailing(l, false); isOver {
		s.logger.Info("the receiver of webhooks accepts them again")
	}
	s.retryNow()
}

// failed notes why an attempt has failed.
func (s *Sender) failed(l *lane, err *attemptError) {
	s.failedAttempts.Add(1)
	s.mu.Lock()
	begins := s.failing == 0
	s.lastFailure = Failure{At: time.Now(), Status: err.status, Text: err.text}
	s.mu.Unlock()
	s.setFailing(l, true)
	if begins {
		s.logger.Warn("the receiver of webhooks does not accept one, and is tried again and again", "because", err.String())
	}
}

// setFailing notes whether the last attempt of a lane has failed. It reports whether by that no lane
// fails any more.
func (s *Sender) setFailing(l *lane, isFailing bool) (isOver bool) {
	if l.isFailing == isFailing {
		return false
	}
	l.isFailing = isFailing
	s.mu.Lock()
	defer s.mu.Unlock()
	if isFailing {
		s.failing++
		return false
	}
	s.failing--
	return s.failing == 0
}
