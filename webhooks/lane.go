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
	// firstPause and longestPause bound how long a room waits after an attempt that has failed. One
	// failure among many successes slows a room little.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Minute
	// longestRest bounds how long its lane waits, so that a receiver that is down is left alone.
	longestRest = time.Second
	// maxRead is how many changes a lane reads at once.
	maxRead = 64
)

// lane sends the changes of some of the rooms, one after the other. So each room's changes arrive
// in order. A room whose change was not accepted waits, and the others go on after a moment, or after
// the Retry-After of the answer. So whatever a user calls a room, it does not stop the others.
type lane struct {
	// set once
	number int
	wake   chan struct{} // holds a value when there may be something to send
	retry  chan struct{} // holds a value when a pause must end

	// of its goroutine
	after    uint64 // all changes up to this one are done, or wait with their rooms
	round    uint64
	waiting  map[string]*waitingRoom
	due      time.Time     // no room is due before
	recovery uint64        // the last that this lane knows of: see Sender
	rest     time.Duration // after the last attempt; 0: it was accepted
}

// waitingRoom is a room whose oldest change was not accepted.
type waitingRoom struct {
	sequences []uint64      // of its changes, the oldest first
	pause     time.Duration // before the next attempt, without a Retry-After; 0: the oldest was not tried yet
	due       time.Time     // when the next attempt is made
}

func newLane(number int) *lane {
	return &lane{number: number, wake: make(chan struct{}, 1), retry: make(chan struct{}, 1), waiting: make(map[string]*waitingRoom)}
}

// hasRoom reports whether a lane sends the changes of a room.
func (l *lane) hasRoom(id string) bool { return xxhash.Sum64String(id)%laneCount == uint64(l.number) }

// runLane sends the changes of a lane until ctx is done.
func (s *Sender) runLane(ctx context.Context, l *lane) {
	for {
		for s.isSender() && ctx.Err() == nil && s.sendSome(ctx, l) {
		}
		if !s.isSender() {
			s.begin(l, l.round)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-time.After(l.idle()):
		}
	}
}

// begin lets a lane look at all changes again.
func (s *Sender) begin(l *lane, round uint64) {
	l.round, l.after = round, 0
	s.noteWaiting(-len(l.waiting))
	clear(l.waiting)
}

// idle returns for how long a lane has nothing to do, unless it is woken.
func (l *lane) idle() time.Duration {
	if len(l.waiting) == 0 {
		return lookEvery
	}
	return min(lookEvery, time.Until(l.due))
}

// sendSome sends some changes of a lane: those that are new, and one of a room that waits. It reports
// whether there may be more to do now.
func (s *Sender) sendSome(ctx context.Context, l *lane) bool {
	list, info := s.rooms.Changes(l.after, maxRead)
	if info.Round != l.round {
		s.begin(l, info.Round)
		return true
	}
	for _, c := range list {
		if !s.maySend(c.Sequence) {
			break // written wakes this lane
		}
		if !c.IsDelivered && l.hasRoom(c.RoomID) && !s.sendNew(ctx, l, c) {
			return true
		}
		l.after = c.Sequence
	}
	return s.sendWaiting(ctx, l) || len(list) > 0 && l.after >= list[0].Sequence
}

// sendNew sends a change, unless its room waits. It returns false if the lane must look again at what
// to send.
func (s *Sender) sendNew(ctx context.Context, l *lane, c rooms.Change) bool {
	if room := l.waiting[c.RoomID]; room != nil {
		room.sequences = append(room.sequences, c.Sequence)
		if len(room.sequences) > s.options.Changes {
			room.sequences = room.sequences[1:] // it was pushed out, and counts as dropped
		}
		return true
	}
	outcome, err := s.attempt(ctx, l, c.Sequence)
	if outcome == failed {
		if s.noteWaiting(1) == 1 {
			s.logger.Warn("the receiver of webhooks does not accept one, and is tried again and again", "webhook", err.id, "because", err.String())
		}
		l.waiting[c.RoomID] = &waitingRoom{sequences: []uint64{c.Sequence}}
		s.holdUp(ctx, l, l.waiting[c.RoomID], err.retryAfter)
	}
	return outcome != outdated
}

// sendWaiting sends the oldest change of a room that waits and is due. It returns false if there is
// none.
func (s *Sender) sendWaiting(ctx context.Context, l *lane) bool {
	id, room := l.next(s.recoveries.Load())
	if room == nil {
		return false
	}
	switch outcome, err := s.attempt(ctx, l, room.sequences[0]); outcome {
	case failed:
		s.holdUp(ctx, l, room, err.retryAfter)
	case accepted:
		if room.pause >= longestRest { // it has failed again and again
			s.recoveries.Add(1)
			s.wakeLanes()
		}
		fallthrough
	case done:
		room.sequences, room.pause = room.sequences[1:], 0
		if len(room.sequences) > 0 {
			return true
		}
		delete(l.waiting, id)
		if s.noteWaiting(-1) == 0 && outcome == accepted {
			s.logger.Info("the receiver of webhooks accepts them again")
		}
	}
	return true
}

// next returns a room that waits and is due, or nil. All are due when a room of any lane has recovered.
func (l *lane) next(recoveries uint64) (id string, room *waitingRoom) {
	isRecovery := recoveries != l.recovery
	l.recovery = recoveries
	now := time.Now()
	if !isRecovery && now.Before(l.due) {
		return "", nil
	}
	l.due = now.Add(longestPause)
	for roomID, one := range l.waiting {
		if isRecovery {
			one.due = now
		}
		if !one.due.After(now) {
			id, room = roomID, one
		}
		if one.due.Before(l.due) {
			l.due = one.due
		}
	}
	return id, room
}

// holdUp lets a room wait for its next attempt, and its lane for a moment. The pauses of a room grow.
// If the answer had a Retry-After, both wait for as long.
func (s *Sender) holdUp(ctx context.Context, l *lane, room *waitingRoom, retryAfter time.Duration) {
	room.pause = min(max(2*room.pause, firstPause), longestPause)
	l.rest = min(max(2*l.rest, firstPause), longestRest)
	room.due = time.Now().Add(max(retryAfter, jittered(room.pause)))
	if room.due.Before(l.due) {
		l.due = room.due
	}
	l.pause(ctx, max(retryAfter, jittered(l.rest)))
}

// jittered returns a duration less a random half, so that attempts do not come all at once.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

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

// outcome is what became of an attempt to deliver a change.
type outcome int

const (
	outdated outcome = iota // the lane must look again at what to send
	accepted
	failed
	done // the change was pushed out, or another node has sent it
)

// attempt tries once to deliver a change. There is an error only if it has failed.
func (s *Sender) attempt(ctx context.Context, l *lane, sequence uint64) (outcome, *attemptError) {
	list, info := s.rooms.Changes(sequence-1, 1)
	switch {
	case info.Round != l.round || !s.isSender():
		return outdated, nil
	case len(list) == 0 || list[0].Sequence != sequence || list[0].IsDelivered:
		return done, nil
	}
	err := s.post(ctx, fmt.Sprintf("msg_%s_%d", info.Source, sequence), bodyOf(list[0]))
	switch {
	case ctx.Err() != nil:
		return outdated, nil // the attempt was ended from here
	case err != nil:
		s.noteFailure(err)
		return failed, err
	}
	s.arrived(info.Round, sequence)
	l.rest = 0
	return accepted, nil
}

// noteFailure notes why an attempt has failed.
func (s *Sender) noteFailure(err *attemptError) {
	s.failedAttempts.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFailure = Failure{At: time.Now(), ID: err.id, Status: err.status, Text: err.text}
}

// noteWaiting notes how many more rooms wait, and returns how many that are.
func (s *Sender) noteWaiting(more int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting += more
	return s.waiting
}
