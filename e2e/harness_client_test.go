package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
)

// event is one server event.
type event struct{ ssetest.Event }

func (e event) decode(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(e.Data), into), e.Data)
}

type fields = map[string]any

// signaling is the smallest client that keeps the protocol's promises: it reads the
// stream, resumes it by Last-Event-ID, and posts. It fails the test if an event is
// missing or comes twice.
type signaling struct {
	t      *testing.T
	url    string
	client *http.Client
	events chan event // all but heartbeats; closed when the client is closed

	answers bool // each heartbeat is answered by a heartbeat; set once

	mu          sync.Mutex // guards what follows
	token       string
	socketID    string
	lastEventID string
	streams     int                // how many streams were opened
	gate        chan struct{}      // closed if streams may be opened
	drop        context.CancelFunc // ends the stream that is open
	dropped     chan struct{}      // closed when that stream has ended
}

// reconnectDelay is shorter than the server asks for, to keep tests quick.
const reconnectDelay = 50 * time.Millisecond

// connect opens a stream to the server and waits until it has a socket.
func connect(t *testing.T, url string) *signaling {
	t.Helper()
	return connectBy(t, &http.Transport{}, url)
}

// connectBy is connect over the given transport.
func connectBy(t *testing.T, transport http.RoundTripper, url string) *signaling {
	t.Helper()
	return connectWith(t, transport, url, func(*signaling) {})
}

// connectWith is connectBy with a chance to prepare the client.
func connectWith(t *testing.T, transport http.RoundTripper, url string, prepare func(*signaling)) *signaling {
	t.Helper()
	s := &signaling{
		t:      t,
		url:    url,
		client: &http.Client{Transport: transport},
		events: make(chan event, 64),
		gate:   make(chan struct{}),
	}
	close(s.gate)
	prepare(s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with ctx; the cleanup waits for it
		defer close(done)
		defer close(s.events)
		s.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		s.client.CloseIdleConnections()
	})
	s.await("connected", nil)
	return s
}

// run keeps a stream open.
func (s *signaling) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		gate := s.gate
		s.mu.Unlock()
		select {
		case <-gate:
			s.stream(ctx)
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(reconnectDelay):
		case <-ctx.Done():
		}
	}
}

// stream opens one stream, and reads it until it ends for whatever reason.
func (s *signaling) stream(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dropped := make(chan struct{})
	defer close(dropped)

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/events", nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	request.Header.Set("Accept", "text/event-stream")
	s.mu.Lock()
	s.drop, s.dropped = cancel, dropped
	s.streams++
	if s.lastEventID != "" {
		request.Header.Set("Last-Event-ID", s.lastEventID)
	}
	s.mu.Unlock()

	response, err := s.client.Do(request)
	if err != nil {
		return // the next stream may succeed; if none does, a test that waits for an event fails
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		s.t.Errorf("the stream was answered with %s, %s", response.Status, kind)
		return
	}
	if err := readEvents(response.Body, func(e event) bool { return s.receive(ctx, e) }); err != nil {
		s.t.Error(err)
	}
}

// readEvents reads a stream until it ends or receive returns false. The end is not
// an error, however it comes: networks cut streams. An error says that the server
// sent what it must not.
func readEvents(body io.Reader, receive func(event) bool) error {
	for stream := ssetest.NewReader(body); ; {
		e, err := stream.Next()
		switch {
		case errors.Is(err, ssetest.ErrStrange):
			return err
		case err != nil || !receive(event{e}):
			return nil
		}
	}
}

// receive takes in one event. The position moves only after a test can read the event.
// A stream that was dropped in between brings the event again.
func (s *signaling) receive(ctx context.Context, e event) bool {
	s.checkOrder(e)
	if e.Type == "connected" {
		s.connected(e)
	}
	if e.Type == "heartbeat" && s.answers {
		if err := s.send(ctx, fields{"type": "heartbeat"}); err != nil && ctx.Err() == nil {
			s.t.Error(err)
		}
	}
	if e.Type != "heartbeat" {
		select {
		case s.events <- e:
		case <-ctx.Done():
			return false
		}
	}
	s.mu.Lock()
	s.lastEventID = e.ID
	s.mu.Unlock()
	return true
}

func (s *signaling) connected(e event) {
	var hello struct {
		SocketID string
		Token    string
		Resumed  bool
	}
	e.decode(s.t, &hello)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socketID != "" && (s.socketID != hello.SocketID || !hello.Resumed) {
		s.t.Errorf("socket %s was not resumed: %s", s.socketID, e.Data)
	}
	s.socketID, s.token = hello.SocketID, hello.Token
}

// checkOrder compares an event's sequence with the sequence of the previous event. The
// next event has the next number. An event that belongs to the stream alone repeats the
// number.
func (s *signaling) checkOrder(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastEventID == "" {
		return
	}
	step := 1
	if e.Type == "connected" || e.Type == "heartbeat" || e.Type == "disconnected" {
		step = 0
	}
	if sequence(e.ID) != sequence(s.lastEventID)+step {
		s.t.Errorf("%s has the id %s after %s", e.Type, e.ID, s.lastEventID)
	}
}

// sequence returns the part of an event ID after the last dot.
func sequence(id string) int {
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '.')+1:])
	if err != nil {
		return -1
	}
	return n
}

// pause drops the stream, and opens no other until resume is called.
func (s *signaling) pause() {
	s.mu.Lock()
	s.gate = make(chan struct{})
	drop, dropped := s.drop, s.dropped
	s.mu.Unlock()
	drop()
	<-dropped
}

func (s *signaling) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
}

func (s *signaling) id() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socketID
}

func (s *signaling) streamsOpened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// send posts one event. It returns an error if the server does not accept it.
func (s *signaling) send(ctx context.Context, message fields) error {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	return post(ctx, s.client, s.url, token, message)
}

func post(ctx context.Context, client *http.Client, url, token string, message fields) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/events", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	// A proxy may close an idle connection while this request is on its way. net/http
	// sends it again if it has a key (RFC 9110, 9.2.2).
	request.Header.Set("Idempotency-Key", rand.Text())
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	problem, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s was answered with %s: %s", message["type"], response.Status, problem)
	}
	return err
}

// join enters a room and waits until the server says so.
func (s *signaling) join(room, name string) {
	s.t.Helper()
	require.NoError(s.t, s.send(bounded(s.t), fields{"type": "join-room", "roomId": room, "userId": name}))
	s.await("room-joined", nil)
}

// await reads events until one of this type comes, and decodes it. It skips all events
// before that.
func (s *signaling) await(kind string, into any) {
	s.t.Helper()
	var skipped []string
	timeout := time.After(within)
	for {
		select {
		case e, open := <-s.events:
			require.True(s.t, open, "the client has ended")
			if e.Type == kind {
				if into != nil {
					e.decode(s.t, into)
				}
				return
			}
			skipped = append(skipped, e.Type)
		case <-timeout:
			require.FailNow(s.t, "no event "+kind+" came", "only: %v", skipped)
		}
	}
}
