package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// room is a set of clients that signal each other.
type room struct {
	name    string
	members []*client
}

// client is one participant. One goroutine receives, another sends.
type client struct {
	load     *load
	index    int
	place    int // in room.members
	room     *room
	user     string
	id       string
	token    string
	link     link // of its POSTs
	incoming link // of its stream or polls
	stream   io.ReadCloser

	joined    chan struct{}
	arrivals  chan struct{} // one for each event of this client that has arrived
	isClosing atomic.Bool

	received atomic.Int64
	flows    []flow             // by place of the sender; of the receiving goroutine
	numbers  []int              // by place of the receiver: the last number; of the sending goroutine
	refused  []map[int]struct{} // by place of the receiver
}

// connectAndJoin opens the client's stream and joins its room. It starts a goroutine
// that receives until the client is closed.
func (c *client) connectAndJoin(receiving *sync.WaitGroup) error {
	known := make(chan error, 1)
	if c.load.s.poll {
		receiving.Go(func() { c.pollAll(known) })
	} else {
		body, err := c.incoming.stream(c.load.protocol.open(c))
		if err != nil {
			return fmt.Errorf("opening a stream: %w", err)
		}
		c.stream = body
		receiving.Go(func() { c.readAll(known) })
	}
	if err := <-known; err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	c.load.connected.Add(1)
	r, err := c.link.do(c.load.protocol.join(c))
	if err == nil && r.status/100 != 2 {
		err = refusal{r}
	}
	if err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	select {
	case <-c.joined:
		c.load.joined.Add(1)
		return nil
	case <-time.After(timeout):
		return fmt.Errorf("joining: no room-joined came within %v", timeout)
	}
}

// readAll receives events by a stream. It sends one value to known, when the client has
// its ID or will not get one.
func (c *client) readAll(known chan<- error) {
	events := newFrames(c.stream)
	for {
		kind, data, err := events.next()
		if err == nil {
			err = c.take(kind, data, known)
		}
		if err != nil {
			c.ended(err, known)
			return
		}
	}
}

// pollAll receives events by polls.
func (c *client) pollAll(known chan<- error) {
	after := ""
	for {
		r, err := c.incoming.do(c.load.protocol.poll(c, after))
		if err == nil && r.status != http.StatusOK {
			err = refusal{r}
		}
		var answer struct {
			Events      []json.RawMessage
			LastEventID string
		}
		if err == nil {
			err = json.Unmarshal(r.body, &answer)
		}
		for _, e := range answer.Events {
			var event struct{ Type string }
			if err == nil {
				err = json.Unmarshal(e, &event)
			}
			if err == nil {
				err = c.take([]byte(event.Type), e, known)
			}
		}
		if err != nil || c.isClosing.Load() {
			c.ended(err, known)
			return
		}
		_, after, _ = strings.Cut(answer.LastEventID, ".")
	}
}

// ended reports that nothing more will come.
func (c *client) ended(err error, known chan<- error) {
	if !c.isClosing.Load() {
		c.load.fail(fmt.Errorf("receiving: %w", err))
	}
	select {
	case known <- err:
	default:
	}
}

// take takes in one event.
func (c *client) take(kind, data []byte, known chan<- error) error {
	switch string(kind) {
	case "connected":
		var event struct{ SocketID, Token string }
		if err := json.Unmarshal(data, &event); err != nil {
			return err
		}
		c.id, c.token = event.SocketID, event.Token
		select {
		case known <- nil:
		default:
			return errors.New("the server has opened a second socket")
		}
	case "room-joined":
		select {
		case c.joined <- struct{}{}:
		default:
		}
	case "disconnected", "server-shutdown":
		return fmt.Errorf("the server has ended the stream: %s", bytes.Clone(data))
	case "offer", "answer", "ice-candidate":
		s, _, found := nextStamp(data)
		if !found {
			return nil // of another client in the same room
		}
		c.arrived(s)
	}
	return nil
}

func (c *client) arrived(s stamp) {
	now := c.load.now()
	if s.sender >= len(c.load.clients) || c.load.clients[s.sender].room != c.room {
		c.load.strays.Add(1)
		return
	}
	sender := c.load.clients[s.sender]
	c.flows[sender.place].arrived(s.number)
	c.received.Add(1)
	c.load.latencies.record(time.Duration(now - s.sent))
	select {
	case sender.arrivals <- struct{}{}:
	default:
	}
}

// sendAll sends events until the time is over.
func (c *client) sendAll(until time.Time) {
	kinds, description := make([]kind, c.load.s.batch), offer
	if c.place%2 == 1 {
		description = answer
	}
	cycle := 1 + c.load.s.candidates
	templates := make(map[kind]template) // by the kind of the first event
	peer, position := c.place, 0
	patience := time.NewTimer(time.Hour)
	due := time.Now().Add(c.pause())
	for {
		if wait := time.Until(due); wait > 0 && c.load.s.rate > 0 {
			if due.After(until) {
				return
			}
			time.Sleep(wait)
		}
		now := time.Now()
		if now.After(until) {
			return
		}
		sent := now
		if c.load.s.rate > 0 {
			// Timers wake late by a millisecond. What is later waited for an answer.
			if late := now.Sub(due); late > 2*time.Millisecond {
				c.load.late.Add(1)
				sent = due
			}
			due = due.Add(c.pause())
		}
		for i := range kinds {
			kinds[i] = candidate
			if (position+i)%cycle == 0 {
				kinds[i] = description
			}
		}
		t, ok := templates[kinds[0]]
		if !ok {
			t = newTemplate(c.load.protocol.events(c, kinds))
			templates[kinds[0]] = t
		}
		position = (position + len(t.slots)) % cycle
		if c.load.s.batch > 1 {
			position = 0 // one template for all batches
		}
		if position == 1 || c.load.s.batch > 1 || peer == c.place {
			peer = c.nextPeer(peer)
		}
		accepted := c.send(t, peer, sent)
		if c.load.s.rate > 0 {
			continue
		}
		for range accepted {
			patience.Reset(patienceFor)
			select {
			case <-c.arrivals:
			case <-patience.C:
				c.load.overdue.Add(1)
			}
		}
	}
}

// patienceFor is how long a client without a rate waits for its event to arrive.
const patienceFor = 5 * time.Second

// pause returns a random time between two events, so that clients are independent of
// each other.
func (c *client) pause() time.Duration {
	if c.load.s.rate == 0 {
		return 0
	}
	mean := float64(time.Second) * float64(c.load.s.batch) * float64(len(c.load.clients)) / c.load.s.rate
	return time.Duration(rand.ExpFloat64() * mean)
}

func (c *client) nextPeer(peer int) int {
	for {
		peer = (peer + 1) % len(c.room.members)
		if peer != c.place || len(c.room.members) == 1 {
			return peer
		}
	}
}

// send sends the events of a template to a peer, and returns how many were accepted.
func (c *client) send(t template, peer int, sent time.Time) (accepted int) {
	to := c.room.members[peer]
	first := c.numbers[peer] + 1
	c.numbers[peer] += len(t.slots)
	for i := range t.slots {
		t.fill(i, to.id, stamp{c.index, first + i, int64(sent.Sub(c.load.began))})
	}
	r, err := c.link.do(t.request)
	if err != nil {
		c.load.unanswered.Add(1)
		c.load.fail(fmt.Errorf("sending: %w", err))
		time.Sleep(100 * time.Millisecond)
		return 0
	}
	if len(t.slots) == 1 || r.status/100 != 2 {
		if r.status/100 == 2 {
			return len(t.slots)
		}
		for i := range t.slots {
			c.refuse(peer, first+i, r.status, r.body)
		}
		time.Sleep(min(r.retryAfter, time.Second))
		return 0
	}
	var answer struct {
		Results []json.RawMessage
	}
	if bytes.Count(r.body, []byte(`"status":202`)) == len(t.slots) {
		return len(t.slots)
	}
	if err := json.Unmarshal(r.body, &answer); err != nil || len(answer.Results) != len(t.slots) {
		c.load.fail(fmt.Errorf("the answer to a batch is not one of this protocol: %s", bytes.Clone(r.body)))
		return 0
	}
	for i, result := range answer.Results {
		var problem struct{ Status int }
		if err := json.Unmarshal(result, &problem); err == nil && problem.Status == http.StatusAccepted {
			accepted++
			continue
		}
		c.refuse(peer, first+i, problem.Status, result)
	}
	return accepted
}

func (c *client) refuse(peer, number, status int, problem []byte) {
	if c.refused[peer] == nil {
		c.refused[peer] = make(map[int]struct{})
	}
	c.refused[peer][number] = struct{}{}
	c.load.refusals.Add(1)
	c.load.fail(fmt.Errorf("sending: %w", refusal{reply{status: status, body: bytes.Clone(problem)}}))
}

// close ends the client's stream and connections.
func (c *client) close() {
	c.isClosing.Store(true)
	if c.stream != nil {
		_ = c.stream.Close()
	}
	c.link.close()
	c.incoming.close()
}
