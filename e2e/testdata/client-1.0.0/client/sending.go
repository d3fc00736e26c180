package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	maxOutgoing    = 256      // messages that wait to be posted; who sends more waits
	maxBatch       = 64       // events of one request, by the contract
	maxBatchBytes  = 60 << 10 // of them; what is larger goes alone
	maxAnswer      = 1 << 20  // bytes of an answer to a POST
	postTimeout    = 15 * time.Second
	goodbyeTimeout = 3 * time.Second
)

// outgoing is a message on its way.
type outgoing struct {
	ctx    context.Context
	body   []byte
	result chan error // has room for it
}

// Join joins a room as a user. That one is in is told by a [RoomJoinedEvent]. For
// metadata and access tokens, send a [JoinRoomMessage].
func (c *Client) Join(ctx context.Context, roomID, userID string) error {
	return c.Send(ctx, JoinRoomMessage{RoomID: roomID, UserID: userID})
}

// Send sends a message, and returns when the server has accepted it: from then on
// it reaches whom it is for, in the order in which it was accepted. The error is
// a [*Problem] where the server refused it. Where ctx ends first it may have been
// accepted, or may yet be.
//
// What several goroutines send at once goes in one request. A request that
// fails on its way is repeated until ctx ends; the server sees to it that nothing
// is done twice.
func (c *Client) Send(ctx context.Context, m Message) error {
	body, err := encode(m)
	if err != nil {
		return err
	}
	o := &outgoing{ctx, body, make(chan error, 1)}
	select {
	case c.outgoing <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
	select {
	case err := <-o.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
}

// post sends what is outgoing, one request at a time, so that order is kept. It
// ends with the client.
func (c *Client) post() {
	var held *outgoing // what did not fit into the batch before
	for {
		first := held
		held = nil
		if first == nil {
			select {
			case first = <-c.outgoing:
			case <-c.ctx.Done():
				return
			}
		}
		var batch []*outgoing
		batch, held = c.gather(first)
		if len(batch) > 0 {
			c.deliver(batch)
		}
	}
}

// gather takes along what waits behind a message, as far as one request has room,
// and leaves out what nobody waits for any more.
func (c *Client) gather(first *outgoing) (batch []*outgoing, held *outgoing) {
	size := 0
	for next := first; ; {
		if next.ctx.Err() == nil {
			if len(batch) > 0 && size+len(next.body) > maxBatchBytes {
				return batch, next
			}
			batch = append(batch, next)
			size += len(next.body)
		}
		if len(batch) == maxBatch {
			return batch, nil
		}
		select {
		case next = <-c.outgoing:
		default:
			return batch, nil
		}
	}
}

// deliver posts a batch until there is an answer, and tells those who wait.
func (c *Client) deliver(batch []*outgoing) {
	path, body := "events", batch[0].body
	if len(batch) > 1 {
		path, body = "events/batch", joined(batch)
	}
	results, err := c.insist(batch, path, body)
	for i, o := range batch {
		if err != nil {
			o.result <- err
			continue
		}
		o.result <- results[i]
	}
}

func joined(batch []*outgoing) []byte {
	bodies := make([][]byte, len(batch))
	for i, o := range batch {
		bodies[i] = o.body
	}
	return append(append([]byte(`{"events":[`), bytes.Join(bodies, []byte(","))...), `]}`...)
}

// insist repeats a request, with one key, for as long as it is lost on the way
// and anybody waits for it. One that came too fast it makes anew when it may: a
// refusal is an answer too, and would be given again for the same key.
func (c *Client) insist(batch []*outgoing, path string, body []byte) (results []error, err error) {
	// Another socket's POST would be another POST: it stays with the one it was for.
	_, token := c.identity.get()
	key := rand.Text()
	var pause backoff
	for {
		results, err = c.postOnce(len(batch), path, token, key, body)
		var problem *Problem
		var wait time.Duration
		switch {
		case err == nil:
			return results, nil
		case errors.As(err, &problem) && problem.Name() == "rate-limited":
			wait, key = max(problem.RetryAfter, time.Second), rand.Text()
		case errors.As(err, &problem):
			return nil, err
		default:
			wait = pause.next()
		}
		if !isAwaited(batch) {
			return nil, err
		}
		if !sleep(c.ctx, wait) {
			return nil, ErrClosed
		}
	}
}

// isAwaited tells whether anybody still waits for one of these.
func isAwaited(batch []*outgoing) bool {
	for _, o := range batch {
		if o.ctx.Err() == nil {
			return true
		}
	}
	return false
}

// postOnce posts a body and reads the answer: an error for each of its events,
// nil where it was accepted.
func (c *Client) postOnce(events int, path, token, key string, body []byte) ([]error, error) {
	ctx, cancel := context.WithTimeout(c.ctx, postTimeout)
	defer cancel()
	r, err := c.request(ctx, http.MethodPost, path, token, nil, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusAccepted && path == "events":
		return make([]error, 1), nil
	case response.StatusCode == http.StatusOK && path == "events/batch":
		return readResults(response.Body, events)
	}
	return nil, errorOf(response)
}

func readResults(body io.Reader, events int) ([]error, error) {
	var answer struct {
		Results []Problem `json:"results"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading what became of a batch: %w", err)
	}
	if len(answer.Results) != events {
		return nil, fmt.Errorf("%d events were answered by %d results", events, len(answer.Results))
	}
	results := make([]error, events)
	for i := range answer.Results {
		if answer.Results[i].Status != http.StatusAccepted {
			results[i] = &answer.Results[i]
		}
	}
	return results, nil
}
