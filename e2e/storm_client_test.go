package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signaling-server/internal/ssetest"
)

// steadyClient is a client as the protocol describes it. It reads by stream or by poll,
// changes between them, and always goes on from its position. It posts one request at a
// time, and repeats it under the same key until it is answered. It needs no more than
// that to hear everything once and in order, however the network fails.
//
// Like a browser, it drops no repeated event and sorts nothing: it hears exactly what
// the server sent.
type steadyClient struct {
	// set once
	url     string
	http    *http.Client
	join    fields        // what a new socket posts first
	habit   func() habit  // returns how to read next; called only by read
	hear    func(event)   // receives every event that is read, in order; must not call the client
	broken  func(string)  // receives what the server must never do
	answers time.Duration // how long an answer may take before the client gives it up
	figures *clientFigures

	readDice, postDice *rand.Rand // each is known to one goroutine

	joined string // the socket that has posted join; known only to post

	mu        sync.Mutex // guards what follows
	opened    chan struct{}
	token     string
	socketID  string
	position  int           // the sequence of the last event heard
	heartbeat time.Duration // how long the server is silent at most
	turn      *turn         // whose events count
	broke     time.Time     // when the last reader ended; zero: a reader has reached the server since
	gaps      []gap
	diary     []string // the last things that happened to its readers
	losses    []string // the diary of each socket that was lost
}

// gap is how long a client was without a reader that reached the server.
type gap struct {
	began time.Time
	took  time.Duration
}

// habit is how a client reads until it changes.
type habit struct {
	polls  bool
	wait   int           // seconds that a poll waits
	change time.Duration // when it changes; 0: only if it must
	leave  bool          // the next reader takes over; otherwise the previous reader ends first
}

// clientFigures counts what happened to clients.
type clientFigures struct {
	posts, accepted, retries, streams, polls, resumes, takeovers, lost, heard, away atomic.Int64
}

// turn is one stream, or a row of polls.
type turn struct {
	habit
	cancel context.CancelFunc
	heard  atomic.Bool   // the server was reached
	ended  chan struct{} // closed when it is over
	later  atomic.Int64  // how long the server sends the client away, in milliseconds
}

// note writes something into the diary, which is short. The caller holds c.mu.
func (c *steadyClient) note(what string, values ...any) {
	const lines = 60
	if len(c.diary) == lines {
		c.diary = append(c.diary[:0], c.diary[lines/2:]...)
	}
	c.diary = append(c.diary, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(what, values...))
}

// read reads the socket's events until ctx is done.
func (c *steadyClient) read(ctx context.Context) {
	var turns sync.WaitGroup
	defer turns.Wait()
	for failures := 0; ctx.Err() == nil; {
		t := c.begin(ctx, &turns)
		var change <-chan time.Time
		if t.change > 0 {
			change = time.After(t.change)
		}
		select {
		case <-change:
			if !t.leave {
				t.cancel()
				<-t.ended
			}
		case <-t.ended:
			c.mu.Lock()
			if c.broke.IsZero() {
				c.broke = time.Now()
			}
			c.note("no reader any more")
			c.mu.Unlock()
			if failures++; t.heard.Load() {
				failures = 0
			}
			sentAway := time.Duration(t.later.Load()) * time.Millisecond
			rest(ctx, max(sentAway, pauseAfter(c.readDice, failures)))
		}
	}
}

// begin starts a turn. From now on only its events count. The previous turn may still
// run, but the events that it reads now belong to the new turn, which reads them too.
func (c *steadyClient) begin(ctx context.Context, turns *sync.WaitGroup) *turn {
	ctx, cancel := context.WithCancel(ctx)
	t := &turn{habit: c.habit(), cancel: cancel, ended: make(chan struct{})}
	c.mu.Lock()
	c.turn = t
	c.mu.Unlock()
	turns.Go(func() { // ends with ctx, with its connection, or when another turn took over
		defer close(t.ended)
		defer cancel()
		for again := true; again; again = t.polls && c.isReadBy(t) && ctx.Err() == nil {
			var err error
			kind, began := "stream", time.Now()
			if t.polls {
				kind = "poll"
				err = c.poll(ctx, t)
			} else {
				err = c.stream(ctx, t)
			}
			c.mu.Lock()
			c.note("a %s has ended after %v: %v", kind, time.Since(began).Round(time.Millisecond), err)
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	return t
}

func (c *steadyClient) isReadBy(t *turn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn == t
}

// stream reads one stream until it ends, or until nothing has come for two and a half
// heartbeats.
func (c *steadyClient) stream(ctx context.Context, t *turn) error {
	c.figures.streams.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(c.patience(), cancel)
	defer silence.Stop()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/events", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	if token, position := c.place(); token != "" {
		request.Header.Set("Last-Event-ID", eventID(token, position))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream was answered with %s", response.Status)
	}
	err = readEvents(response.Body, func(e event) bool {
		silence.Reset(c.patience())
		return c.take(t, e)
	})
	if err != nil {
		c.broken(err.Error())
	}
	return err
}

// poll asks once for events. An answer that does not arrive whole does not count: the
// next poll asks for the same events.
func (c *steadyClient) poll(ctx context.Context, t *turn) error {
	c.figures.polls.Add(1)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.wait)*time.Second+c.answers)
	defer cancel()

	token, position := c.place()
	address := c.url + "/events/poll?wait=" + strconv.Itoa(t.wait)
	if token != "" {
		address += "&after=" + strconv.Itoa(position)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the poll was answered with %s", response.Status)
	}
	var answer struct {
		Events      []json.RawMessage
		LastEventID string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		c.broken("a poll's answer is not JSON: " + string(body))
		return err
	}
	return c.takeAll(t, answer.Events, answer.LastEventID)
}

// takeAll takes in the events of a poll. They have no IDs: their sequences follow one
// another up to the answer's last ID.
func (c *steadyClient) takeAll(t *turn, events []json.RawMessage, lastID string) error {
	c.mu.Lock()
	c.reached(t)
	c.mu.Unlock()
	_, sequence := c.place()
	for _, data := range events {
		var is struct{ Type, Token string }
		if err := json.Unmarshal(data, &is); err != nil {
			c.broken("an event is not JSON: " + string(data))
			return err
		}
		switch is.Type {
		case "connected":
			sequence = 0
		case "disconnected", "server-shutdown":
		default:
			sequence++
		}
		token, _ := c.place()
		if is.Token != "" {
			token = is.Token
		}
		if !c.take(t, event{ssetest.Event{ID: eventID(token, sequence), Type: is.Type, Data: string(data)}}) {
			return errors.New("the server ended the poll")
		}
	}
	if token, position := c.place(); c.isReadBy(t) && lastID != eventID(token, position) {
		c.broken(fmt.Sprintf("a poll ended at %s instead of %s", lastID, eventID(token, position)))
	}
	return nil
}

// take takes in one event, and returns whether more can come from the same source.
func (c *steadyClient) take(t *turn, e event) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Type == "disconnected" || e.Type == "server-shutdown" {
		if c.turn != t {
			c.figures.takeovers.Add(1)
		}
		var goodbye struct{ RetryAfter, ReconnectAfter int64 }
		if err := json.Unmarshal([]byte(e.Data), &goodbye); err != nil {
			c.broken(e.Type + " is not JSON: " + e.Data)
		}
		c.note("%s: %s", e.Type, e.Data)
		t.later.Store(goodbye.RetryAfter + goodbye.ReconnectAfter)
		return false
	}
	c.reached(t)
	if c.turn != t {
		return true // it belongs to another turn
	}
	step := 1
	switch e.Type {
	case "connected":
		c.connected(e)
		step = 0
	case "heartbeat":
		step = 0
	}
	if e.ID != eventID(c.token, c.position+step) {
		c.broken(fmt.Sprintf("%s has the id %s after %d", e.Type, e.ID, c.position))
	}
	c.position = sequence(e.ID)
	c.hear(e)
	return true
}

// reached notes that a turn has reached the server. The caller holds c.mu.
func (c *steadyClient) reached(t *turn) {
	t.heard.Store(true)
	if !c.broke.IsZero() {
		c.note("reached again")
		c.gaps = append(c.gaps, gap{c.broke, time.Since(c.broke)})
		c.broke = time.Time{}
	}
}

// connected learns which socket the client has. A socket that could not be resumed is
// replaced by a new one, which is not in a room: post joins again before it posts
// anything else.
func (c *steadyClient) connected(e event) {
	var hello struct {
		SocketID          string
		Token             string
		Resumed           bool
		HeartbeatInterval int
	}
	if err := json.Unmarshal([]byte(e.Data), &hello); err != nil {
		c.broken("connected is not JSON: " + e.Data)
		return
	}
	c.heartbeat = time.Duration(hello.HeartbeatInterval) * time.Millisecond
	isSame := hello.SocketID == c.socketID && hello.Token == c.token
	switch {
	case hello.Resumed && isSame:
		c.figures.resumes.Add(1)
		return
	case hello.Resumed || isSame:
		c.broken("connected contradicts itself: " + e.Data)
		return
	case c.socketID == "":
		close(c.opened)
	default:
		c.figures.lost.Add(1)
		c.losses = append(c.losses, fmt.Sprintf("socket %s\n%s", c.socketID, strings.Join(c.diary, "\n")))
	}
	c.socketID, c.token, c.position = hello.SocketID, hello.Token, 0
}

// post sends events, as a batch if there are several, and returns the status of each.
// It repeats the request under the same key until there is an answer. Posts must follow
// one another: the server keeps the order in which it answers.
func (c *steadyClient) post(ctx context.Context, events ...fields) ([]int, error) {
	select {
	case <-c.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if socketID := c.id(); c.joined != socketID {
		c.joined = socketID
		statuses, err := c.post(ctx, c.join)
		if err != nil {
			return nil, err
		}
		if statuses[0] != http.StatusAccepted {
			c.broken(fmt.Sprintf("joining was answered with %d", statuses[0]))
		}
	}
	path, content := "/events", any(events[0])
	if len(events) > 1 {
		path, content = "/events/batch", fields{"events": events}
	}
	body, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	key := strconv.FormatUint(c.postDice.Uint64(), 36)
	for failures := 1; ; failures++ {
		statuses, err := c.attempt(ctx, path, key, body)
		if err == nil {
			return statuses, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("not answered in %d attempts: %w", failures, err)
		}
		c.figures.retries.Add(1)
		rest(ctx, pauseAfter(c.postDice, failures))
	}
}

// attempt makes one request. It returns an error if there was no answer, or if the answer
// does not say what became of the events.
func (c *steadyClient) attempt(ctx context.Context, path, key string, body []byte) ([]int, error) {
	c.figures.posts.Add(1)
	ctx, cancel := context.WithTimeout(ctx, c.answers)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, _ := c.place()
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, err
	case response.Header.Get("Retry-After") != "", response.StatusCode >= http.StatusBadGateway:
		return nil, errors.New(response.Status)
	case response.StatusCode == http.StatusBadRequest:
		return nil, errors.New("the server received only a part of the request") // the request was valid JSON
	case response.StatusCode != http.StatusOK:
		return []int{response.StatusCode}, nil
	}
	var batch struct{ Results []struct{ Status int } }
	if err := json.Unmarshal(answer, &batch); err != nil {
		return nil, err
	}
	statuses := make([]int, len(batch.Results))
	for i, result := range batch.Results {
		statuses[i] = result.Status
	}
	return statuses, nil
}

func (c *steadyClient) id() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socketID
}

// place returns where the client would go on. The token is empty before the first
// event.
func (c *steadyClient) place() (token string, position int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token, c.position
}

// patience returns how long a stream may be silent.
func (c *steadyClient) patience() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heartbeat * 5 / 2
}

func eventID(token string, sequence int) string { return token + "." + strconv.Itoa(sequence) }

// pauseAfter draws how long to wait after a number of failures: twice as long with
// each, and random, so that clients do not all come back at once.
func pauseAfter(dice *rand.Rand, failures int) time.Duration {
	const first, longest = 50 * time.Millisecond, 2 * time.Second
	most := min(first<<min(failures, 10), longest)
	return most/2 + time.Duration(dice.Int64N(int64(most/2)))
}

// rest waits for a time, or until ctx is done.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
