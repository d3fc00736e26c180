package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// resumes counts how clients came back as the same socket.
type resumes struct {
	broken    atomic.Int64 // streams, and polls that a node has ended
	resumed   atomic.Int64
	returning atomic.Int64 // clients whose stream has broken, and that try to resume it
	repeated  atomic.Int64 // requests
	times     *latencies   // from the break to the event that says that the socket is resumed
}

// An interruption is an event after which the client may come back as the same socket.
type interruption struct {
	event []byte
	pause time.Duration // that the server asks for
}

func (i interruption) Error() string {
	return fmt.Sprintf("the server has ended the stream: %s", i.event)
}

// The client has lost its socket.
var (
	errSecond = errors.New("the server has opened a second socket, so events may be lost")
	errEnded  = errors.New("the server has ended the socket")
)

// lastEvent returns the error of an event that ends a stream.
func lastEvent(data []byte) error {
	var event struct {
		Reason                     string
		RetryAfter, ReconnectAfter int64 // milliseconds
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return err
	}
	if slices.Contains([]string{"kicked", "replaced", "slow consumer"}, event.Reason) {
		return fmt.Errorf("%w: %s", errEnded, data)
	}
	return interruption{slices.Clone(data), time.Duration(max(event.RetryAfter, event.ReconnectAfter)) * time.Millisecond}
}

// isResumable reports whether the client comes back as the same socket after an error.
func (c *client) isResumable(err error) bool {
	return err != nil && c.load.resume && c.isConnected && !c.isLeaving.Load() && !errors.Is(err, errSecond) && !errors.Is(err, errEnded)
}

// interrupted notes that a stream has broken, and waits until the client may come back.
func (c *client) interrupted(err error) {
	if c.broken.IsZero() {
		c.broken = time.Now()
		c.load.resumes.broken.Add(1)
		c.load.resumes.returning.Add(1)
	}
	var i interruption
	errors.As(err, &i)
	c.rest(max(i.pause, c.nextPause()))
}

// nextPause returns how long the client waits before it tries to come back. EventSource always
// waits for the same time. The shipped clients come back at once, then at growing intervals.
func (c *client) nextPause() time.Duration {
	if c.load.retry > 0 {
		return c.load.retry
	}
	c.tries++
	if c.tries == 1 {
		return 0
	}
	longest := min(500*time.Millisecond<<min(c.tries-2, 4), 5*time.Second)
	return longest/2 + rand.N(longest/2)
}

// watchSilence returns a timer that ends a stream that has been silent for too long, as the shipped
// clients do: its node has stopped, or the network to it. Without -resume no stream is ended.
func (c *client) watchSilence(stream io.Closer) *time.Timer {
	return time.AfterFunc(cmp.Or(c.silence, patience), func() {
		if c.load.resume {
			_ = stream.Close()
		}
	})
}

// rest waits, but not if the client leaves.
func (c *client) rest(pause time.Duration) {
	for end := time.Now().Add(pause); time.Now().Before(end) && !c.isLeaving.Load(); {
		time.Sleep(min(time.Until(end), 50*time.Millisecond))
	}
}

// resumeStream opens a stream that goes on after the last event.
func (c *client) resumeStream() (stream io.ReadCloser, err error) {
	for {
		if stream, err = c.incoming.stream(c.load.protocol.open(c)); err == nil {
			return stream, nil
		}
		if c.isLeaving.Load() || time.Since(c.broken) > patience {
			return nil, fmt.Errorf("resuming a stream: %w", err)
		}
		c.rest(c.nextPause())
	}
}

// hasResumed notes that the server has resumed the socket, if its stream had broken.
func (c *client) hasResumed() {
	if c.broken.IsZero() {
		return
	}
	c.load.resumes.resumed.Add(1)
	c.load.resumes.returning.Add(-1)
	c.load.resumes.times.record(time.Since(c.broken))
	c.broken, c.tries = time.Time{}, 0
}
