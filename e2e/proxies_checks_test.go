package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxyCheck is one way to the server through a proxy. Each of its checks is a test.
type proxyCheck struct {
	row    *proxyRow
	way    way
	server string // the server's own address, for clients that need no proxy
}

// long marks a check that takes up to two minutes.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT TESTED: it takes long, and -short is set")
	}
}

// connect returns a client behind the proxy, in the test's room.
func (c *proxyCheck) connect(t *testing.T, name string) *signaling {
	t.Helper()
	s := connectBy(t, c.way.transport(t), c.way.url)
	s.join(roomOf(t), name)
	return s
}

func roomOf(t *testing.T) string { return path.Base(t.Name()) }

func (s *signaling) signal(target string, n int) {
	s.t.Helper()
	require.NoError(s.t, s.send(bounded(s.t), fields{"type": "signal", "target": target, "data": n}))
}

func (s *signaling) awaitSignal(n int) {
	s.t.Helper()
	var got struct{ Data int }
	s.await("signal", &got)
	require.Equal(s.t, n, got.Data)
}

// readStream opens a stream and reads it until it ends or receive returns false.
func readStream(ctx context.Context, client *http.Client, method, url string, receive func(event) bool) error {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream was answered with %s", response.Status)
	}
	if err := readEvents(response.Body, receive); err != nil {
		return err
	}
	return ctx.Err()
}

const quietTime = 2 * time.Minute

// quietStream opens a stream on which nothing happens for two minutes, and then
// something does.
func (c *proxyCheck) quietStream(t *testing.T) {
	long(t)
	ctx, cancel := context.WithTimeout(t.Context(), quietTime+within)
	defer cancel()
	client := &http.Client{Transport: c.way.transport(t)}
	var interval, worst time.Duration
	var arrived time.Time // when the previous event arrived
	var posted <-chan error
	beats := 0
	started := time.Now()
	err := readStream(ctx, client, http.MethodGet, c.way.url+"/events", func(e event) bool {
		switch e.Type {
		case "connected":
			var hello struct {
				Token             string
				HeartbeatInterval int
			}
			e.decode(t, &hello)
			interval = time.Duration(hello.HeartbeatInterval) * time.Millisecond
			c.row.set(firstEvent, "✓ %d ms", time.Since(started).Milliseconds())
			posted = later(quietTime, func() error {
				return post(ctx, client, c.way.url, hello.Token, fields{"type": "ping"})
			})
		case "heartbeat":
			var beat struct{ Timestamp time.Time }
			e.decode(t, &beat)
			worst = max(worst, time.Since(beat.Timestamp))
			beats++
			if beats > 1 { // the first heartbeat follows connected at once
				require.True(t, arrived.Before(beat.Timestamp), "the previous event came only with this heartbeat")
			}
		}
		arrived = time.Now()
		return e.Type != "pong"
	})
	lived := time.Since(started)
	require.NoError(t, err)
	require.NotNil(t, posted, "no event came")
	require.NoError(t, <-posted)
	require.GreaterOrEqual(t, lived, quietTime, "the stream was cut")
	require.Greater(t, beats, int(quietTime/interval)/2)
	c.row.set(heartbeats, "✓ %d ms", worst.Milliseconds())
	c.row.set(quiet, "✓")
}

// later calls a function after some time. The caller waits for the result.
func later(wait time.Duration, do func() error) <-chan error {
	result := make(chan error, 1)
	time.AfterFunc(wait, func() { result <- do() })
	return result
}

// closedRooms closes rooms whose IDs some proxies would refuse or change in a path.
func (c *proxyCheck) closedRooms(t *testing.T) {
	client := &http.Client{Transport: c.way.transport(t)}
	s := connectBy(t, c.way.transport(t), c.way.url)
	for _, roomID := range []string{"..", "a/b", "//", `a\b`, "%2e%2e", "a%2Fb", ";?#&id=+", "ü \u2066x\u2069"} {
		s.join(roomID, "Ada")
		request, err := http.NewRequestWithContext(bounded(t), http.MethodDelete, c.way.url+"/rooms/-?id="+url.QueryEscape(roomID), nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusNoContent, response.StatusCode, roomID)
		var left struct{ RoomID string }
		s.await("room-left", &left)
		require.Equal(t, roomID, left.RoomID)
	}
}

// resume drops the client's stream twice, and posts meanwhile. The client itself checks
// that the same socket goes on, and that no event is missing or repeated.
func (c *proxyCheck) resume(t *testing.T) {
	receiver, sender := c.connect(t, "receiver"), c.connect(t, "sender")
	const missed = 20
	for drop := range 2 {
		receiver.pause()
		for n := range missed {
			sender.signal(receiver.id(), drop*missed+n)
		}
		receiver.resume()
		for n := range missed {
			receiver.awaitSignal(drop*missed + n)
		}
	}
	require.Equal(t, 3, receiver.streamsOpened())
	c.row.set(resume, "✓")
}

// usualHeartbeats is the usual HEARTBEAT_INTERVAL.
const usualHeartbeats = 10 * time.Second

// flow sends each event after the last one has arrived. A proxy that holds an event
// until the next one comes would hold it until a heartbeat. Then flow sends as fast as
// it can.
func (c *proxyCheck) flow(t *testing.T) {
	receiver, sender := c.connect(t, "receiver"), c.connect(t, "sender")
	const each = 200
	late := 0
	for n := range each {
		sent := time.Now()
		sender.signal(receiver.id(), n)
		receiver.awaitSignal(n)
		if time.Since(sent) > usualHeartbeats/4 { // held until a heartbeat, an event takes half of that on average
			late++
		}
		require.Less(t, late, each/10, "events wait for the next")
	}
	for n := range each {
		sender.signal(receiver.id(), each+n)
	}
	for n := range each {
		receiver.awaitSignal(each + n)
	}
}

// repeatedPosts posts everything twice under one key, as a client does that has not
// seen the first answer.
func (c *proxyCheck) repeatedPosts(t *testing.T) {
	receiver := c.connect(t, "receiver")
	sender := connectBy(t, keyed{c.way.transport(t)}, c.way.url)
	sender.join(roomOf(t), "sender")
	for n := range 20 {
		sender.signal(receiver.id(), n)
		sender.signal(receiver.id(), n)
	}
	for n := range 20 {
		receiver.awaitSignal(n)
	}
}

// keyed gives each POST a key. Equal bodies have equal keys.
type keyed struct{ http.RoundTripper }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(body)
		r = r.Clone(r.Context())
		r.Body, _ = r.GetBody()
		r.Header.Set("Idempotency-Key", base64.RawURLEncoding.EncodeToString(hash[:]))
	}
	return k.RoundTripper.RoundTrip(r)
}

func (c *proxyCheck) streamByPOST(t *testing.T) {
	client := &http.Client{Transport: c.way.transport(t)}
	pong := false
	err := readStream(bounded(t), client, http.MethodPost, c.way.url+"/events/stream", func(e event) bool {
		if e.Type == "connected" {
			var hello struct{ Token string }
			e.decode(t, &hello)
			require.NoError(t, post(bounded(t), client, c.way.url, hello.Token, fields{"type": "ping"}))
		}
		pong = e.Type == "pong"
		return !pong
	})
	require.NoError(t, err)
	require.True(t, pong)
}

// departure closes a client's connection without a word, and measures how long the room
// still counts the client as present.
func (c *proxyCheck) departure(t *testing.T) {
	long(t)
	watcher := connect(t, c.server)
	watcher.join(roomOf(t), "watcher")
	client := c.connect(t, "client")
	went := time.Now()
	client.pause()
	var gone struct{ Reason string }
	watcher.await("user-disconnected", &gone)
	require.Equal(t, "transport close", gone.Reason)
	c.row.set(departure, "%.0f s", time.Since(went).Seconds())
}

const (
	crowdSize   = 200
	silenceTime = 130 * time.Second
)

// crowd opens many streams at the same moment. Each stream that opens must get a socket
// of its own, and receive its first event. After that the server sends nothing on the
// first stream, not even heartbeats: crowd measures how long the proxy keeps it open.
func (c *proxyCheck) crowd(t *testing.T) {
	client := &http.Client{Transport: c.way.transport(t)}
	sockets := make(chan string, crowdSize)
	open := func(ctx context.Context) {
		readStream(ctx, client, http.MethodGet, c.way.url+"/events", func(e event) bool {
			if e.Type == "connected" {
				var hello struct{ SocketID string }
				e.decode(t, &hello)
				sockets <- hello.SocketID
			}
			return true
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	cut := make(chan struct{})
	running.Go(func() { // ends with ctx, or when the proxy cuts the stream
		defer close(cut)
		open(ctx)
	})
	seen := map[string]bool{await(t, sockets, "the first stream"): true}
	silentSince := time.Now()

	others, leave := context.WithCancel(ctx)
	defer leave()
	for range crowdSize - 1 {
		running.Go(func() { open(others) }) // ends with others
	}
	for full := false; !full && len(seen) < crowdSize; {
		select {
		case id := <-sockets:
			require.False(t, seen[id], "two clients got the same socket")
			seen[id] = true
		case <-time.After(30 * time.Second): // less than the check of the silence takes anyway
			full = true
		}
	}
	require.Equal(t, len(seen), statsOf(t, c.server).ActiveConnections, "each socket has told its client")
	leave()
	c.row.set(streams, "%d", len(seen))

	long(t)
	select {
	case <-cut:
		c.row.set(silence, "cut after %.0f s", time.Since(silentSince).Seconds())
	case <-time.After(time.Until(silentSince.Add(silenceTime))):
		c.row.set(silence, "alive after %.0f s", silenceTime.Seconds())
	}
}
