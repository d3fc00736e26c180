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
	"slices"
	"time"
)

const (
	maxOutgoing    = 256      // messages that wait for a request; if there are more, Send waits
	maxBatch       = 64       // events of one request: the server accepts no more
	maxBatchBytes  = 60 << 10 // bytes of those events; a larger event has a request of its own
	maxAnswer      = 1 << 20  // bytes of an answer to a POST
	postTimeout    = 15 * time.Second
	goodbyeTimeout = 3 * time.Second
)

// outgoing is a message on its way. Its fields do not change.
type outgoing struct {
	ctx    context.Context // of the caller of Send
	body   []byte
	result chan error // has room for the result, so that post never waits
}

// Join joins a room under a user ID. When the client is in the room, a
// [RoomJoinedEvent] arrives. For metadata and access tokens, send a [JoinRoomMessage].
// Errors are those of [Client.Send].
func (c *Client) Join(ctx context.Context, roomID, userID string) error {
	return c.Send(ctx, JoinRoomMessage{RoomID: roomID, UserID: userID})
}

// Send sends a message, and returns when the server has accepted it. The server then
// delivers accepted messages in the order in which it accepted them. The error is a
// [*Problem] if the server refused the message, and [ErrClosed] if the client has
// ended. If ctx ends first, the server may have accepted the message, or may still
// accept it.
//
// Messages that several goroutines send at once share a request. A request that fails
// on its way is repeated until ctx ends; the server does nothing twice.
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

// post sends the outgoing messages, one request at a time to keep their order. It
// ends with the client.
func (c *Client) post() {
	var held *outgoing // the message that did not fit into the last batch
	for {
		first := held
		held = nil
		if first == nil {
			select {
			case first = <-c.outgoing:
			case <-c.heartbeatDue():
				c.sendHeartbeat()
				continue
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

// beat is the latest heartbeat.
type beat struct {
	socketID string
	at       time.Time
}

// heartbeatDue returns a channel that receives when the client must say that it lives: at
// once if the socket is new, and then at every interval. Other messages do not put that
// off, because the server misses only sockets that have sent a heartbeat. The events of the
// stream do not decide when, because a loop over them may take its time.
func (c *Client) heartbeatDue() <-chan time.Time {
	socketID, interval := c.identity.pulse()
	if interval == 0 {
		return nil
	}
	if socketID != c.beat.socketID {
		interval = 0
	}
	return time.After(time.Until(c.beat.at.Add(interval)))
}

// sendHeartbeat says that the client lives. It repeats a heartbeat that got lost until the
// next would be due.
func (c *Client) sendHeartbeat() {
	socketID, interval := c.identity.pulse()
	c.beat = beat{socketID, time.Now()}
	ctx, cancel := context.WithTimeout(c.ctx, interval)
	defer cancel()
	heartbeat := &outgoing{ctx, []byte(`{"type":"heartbeat"}`), make(chan error, 1)}
	c.deliver([]*outgoing{heartbeat})
	var refusal *Problem
	if errors.As(<-heartbeat.result, &refusal) && slices.Contains([]string{"validation-failed", "unknown-session"}, refusal.Name()) {
		c.identity.stopHeartbeats(socketID) // the server is older than heartbeats, or the socket has ended
	}
}

// gather returns a batch: a message and the messages that wait after it, as many as
// fit into one request. If a message does not fit, gather returns it as held, for the
// next request. It drops a message if nobody waits for its result any more.
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

// deliver posts a batch until there is an answer, and sends each message its result. If
// the server cannot read the batch, one message may be to blame: each is posted by itself.
func (c *Client) deliver(batch []*outgoing) {
	path, body := "events", batch[0].body
	if len(batch) > 1 {
		path, body = "events/batch", joined(batch)
	}
	results, err := c.insist(batch, path, body)
	var refusal *Problem
	if len(batch) > 1 && errors.As(err, &refusal) && refusal.Name() == "malformed-json" {
		for _, o := range batch {
			c.deliver([]*outgoing{o})
		}
		return
	}
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

// insist repeats a request that got lost, or that several nodes cannot accept now, while a
// caller waits for it. A request that was refused as rate-limited gets a new Idempotency-Key:
// for the old key the server might only repeat its refusal. But once a try may have been
// accepted without an answer, the key stays: by it alone the server knows that try.
func (c *Client) insist(batch []*outgoing, path string, body []byte) (results []error, err error) {
	// All tries use the token of one socket: a repeat for another socket would be a new
	// request.
	_, token := c.identity.get()
	key := rand.Text()
	var pause backoff
	for isUnsure := false; ; {
		results, err = c.postOnce(len(batch), path, token, key, body)
		if err == nil {
			return results, nil
		}
		wait := pause.next()
		var problem *Problem
		if errors.As(err, &problem) {
			wait = max(problem.RetryAfter, time.Second)
		}
		switch {
		case problem == nil, problem.Name() == "outcome-unknown":
			isUnsure = true
		case problem.Name() == "not-ready":
		case isUnsure && (problem.Name() == "rate-limited" || problem.Status == http.StatusServiceUnavailable):
		case problem.Name() == "rate-limited":
			key = rand.Text()
		default:
			return nil, err
		}
		if !isAwaited(batch) {
			return nil, err
		}
		if !sleep(c.ctx, wait) {
			return nil, ErrClosed
		}
	}
}

// isAwaited reports whether a caller still waits for a message of the batch.
func isAwaited(batch []*outgoing) bool {
	for _, o := range batch {
		if o.ctx.Err() == nil {
			return true
		}
	}
	return false
}

// postOnce posts a body and reads the answer: a result for each event, nil if the
// event was accepted.
func (c *Client) postOnce(events int, path, token, key string, body []byte) ([]error, error) {
	ctx, cancel := context.WithTimeout(c.ctx, postTimeout)
	defer cancel()
	r, err := c.request(ctx, http.MethodPost, path, token, nil, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	setPosition(r, c.identity.position(token)) // the server need not keep what has been taken
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusAccepted && path == "events":
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // net/http keeps a connection only if its answer was read
		return make([]error, 1), nil
	case response.StatusCode == http.StatusOK && path == "events/batch":
		return readResults(response.Body, events)
	}
	return nil, errorOf(response)
}

// readResults reads the answer to a batch with this many events.
func readResults(body io.Reader, events int) ([]error, error) {
	var answer struct {
		Results []Problem `json:"results"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the answer to a batch: %w", err)
	}
	if len(answer.Results) != events {
		return nil, fmt.Errorf("the server answered %d events with %d results", events, len(answer.Results))
	}
	results := make([]error, events)
	for i := range answer.Results {
		if answer.Results[i].Status != http.StatusAccepted {
			results[i] = &answer.Results[i]
		}
	}
	return results, nil
}
