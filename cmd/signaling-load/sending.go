package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// sender sends the events of one client.
type sender struct {
	*client
	drafts   map[kind]draft // by the kind of the first event
	position int            // in the cycle of a description and its candidates
	turn     int            // descriptions so far
	peer     int            // place of the receiver
	overdue  *time.Timer
}

// send sends events until ctx ends.
func (c *client) send(ctx context.Context) {
	s := sender{client: c, drafts: make(map[kind]draft), overdue: time.NewTimer(0)}
	if c.load.rate == 0 {
		s.sendInTurn(ctx)
	} else {
		s.sendInTime(ctx)
	}
}

// sendInTurn sends the next events when the last have arrived.
func (s *sender) sendInTurn(ctx context.Context) {
	for ctx.Err() == nil {
		s.room.calm.RLock()
		accepted := s.sendNext(time.Now())
		for range accepted {
			s.await()
		}
		s.room.calm.RUnlock()
	}
}

// await waits until an event of this client has arrived, or is overdue.
func (s *sender) await() {
	select {
	case <-s.arrivals:
		return
	default:
	}
	s.overdue.Reset(5 * time.Second)
	select {
	case <-s.arrivals:
	case <-s.overdue.C:
		s.load.overdue.Add(1)
	}
}

// sendInTime sends at random times that the answers do not influence, so that clients are independent
// of each other and of the server.
func (s *sender) sendInTime(ctx context.Context) {
	mean := float64(s.load.batch) * float64(len(s.load.clients)) / s.load.rate * float64(time.Second)
	pause := func() time.Duration { return time.Duration(rand.ExpFloat64() * mean) }
	for due := time.Now().Add(pause()); ; due = due.Add(pause()) {
		pass(ctx, time.Until(due))
		if ctx.Err() != nil {
			return
		}
		s.room.calm.RLock()
		// A timer is a millisecond late. If the client is later, it had to wait for the
		// last answer, and that is part of the latency.
		sent := time.Now()
		if sent.Sub(due) > 2*time.Millisecond {
			s.load.late.Add(1)
			sent = due
		}
		s.sendNext(sent)
		s.room.calm.RUnlock()
	}
}

// sendNext sends one request with events to a peer, and returns how many were accepted.
func (s *sender) sendNext(sent time.Time) (accepted int) {
	t := s.next()
	to, first := s.room.members[s.peer], s.numbers[s.peer]+1
	s.numbers[s.peer] += len(t.slots)
	for i := range t.slots {
		t.fill(i, to.id, stamp{s.index, first + i, int64(sent.Sub(s.load.began))})
	}
	t.confirm(s.sequence.Load())
	t.name(s.keys.Add(1))
	r, err := s.post(t.request)
	if err != nil {
		for i := range t.slots {
			s.refuse(first+i, err)
		}
		time.Sleep(min(max(r.retryAfter, 100*time.Millisecond), time.Second))
		return 0
	}
	if len(t.slots) == 1 || bytes.Count(r.body, []byte(`"status":202`)) == len(t.slots) {
		s.room.accepted.Add(int64(len(t.slots)))
		return len(t.slots)
	}
	var answer struct{ Results []json.RawMessage }
	if err := json.Unmarshal(r.body, &answer); err != nil || len(answer.Results) != len(t.slots) {
		s.load.fail(fmt.Errorf("the answer to a batch has not one result for each event: %s", r.body))
	}
	for i, result := range answer.Results {
		var problem struct{ Status int }
		if _ = json.Unmarshal(result, &problem); problem.Status == http.StatusAccepted {
			accepted++
		} else {
			s.refuse(first+i, refusal{reply{status: problem.Status, body: result}})
		}
	}
	s.room.accepted.Add(int64(accepted))
	return accepted
}

// next returns the draft of the next request. A description goes to the next peer, and its
// candidates to the same.
func (s *sender) next() draft {
	description := offer
	if s.place%2 == 1 {
		description = answer
	}
	cycle := 1 + s.load.candidates
	kinds := make([]kind, 0, 64) // on the stack
	for i := range s.load.batch {
		if (s.position+i)%cycle == 0 {
			kinds = append(kinds, description)
		} else {
			kinds = append(kinds, candidate)
		}
	}
	if kinds[0] == description {
		others := len(s.room.members) - 1
		s.peer = (s.place + 1 + s.turn%others) % len(s.room.members)
		s.turn++
	}
	if s.load.batch == 1 { // a batch always begins a cycle, so that one draft serves all
		s.position = (s.position + 1) % cycle
	}
	t, ok := s.drafts[kinds[0]]
	if !ok || t.of != s.id { // the client has come back with another ID
		t = newDraft(s.load.protocol.events(s.client, kinds), s.id)
		s.drafts[kinds[0]] = t
	}
	return t
}

// refuse takes note that an event was not accepted. If there was no answer, it may
// arrive all the same.
func (s *sender) refuse(number int, err error) {
	if s.refused[s.peer] == nil {
		s.refused[s.peer] = make(map[int]struct{})
	}
	s.refused[s.peer][number] = struct{}{}
	s.load.refusals.Add(1)
	s.load.fail(fmt.Errorf("sending: %w", err))
}
