package client

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

const (
	defaultPatience = 5 * time.Second
	// steady is how long a source must have brought events to count as working. If it
	// fails after that, the failure counts as a first failure.
	steady = 5 * time.Second
)

// ErrReading is what a loop over the events of a client gets while another loop runs.
var ErrReading = errors.New("another loop is already reading the events of this client")

// reader is the state of reading events. Client.reading guards all of it.
type reader struct {
	source source     // nil while there is none
	unread []received // events that have arrived but were not taken yet
	met    Event      // the first event, which Dial has taken; the first loop gets it

	polls    bool // the source is polling, because streams bring nothing here
	streamed bool // a stream has brought something
	isOver   bool // the server does not accept this client any more

	silence      time.Duration // the longest silence of a stream that works
	resumeWindow time.Duration // how long the server keeps the socket without a source
	openedAt     time.Time     // when the source was opened
	heardAt      time.Time     // when the source brought something; zero if it has not
	backoff      backoff
	pause        time.Duration // before the next source
}

// source brings events. It is a stream, or one poll after the other.
type source interface {
	// read waits for events, at most this long. It may return neither events nor an
	// error.
	read(within time.Duration) ([]received, error)
	close()
}

// received is an event and the position after it. An empty id leaves the position as
// it was.
type received struct {
	id   string
	data []byte
}

func (r *reader) close() {
	if r.source != nil {
		r.source.close()
		r.source = nil
	}
}

// Events returns the events that the server sends, in order and each once. The loop
// over them ends when the client ends, or when a [DisconnectedEvent] says that the
// server does not accept this client any more. If you break out of the loop and range
// again later, the new loop begins with the next event.
//
// An error says that no events arrive at the moment, or that an event could not be
// decoded. If the loop goes on after an error, so does the client: it tries to resume
// its socket, at growing intervals. A second loop at the same time gets [ErrReading].
func (c *Client) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if !c.reading.TryLock() {
			yield(nil, ErrReading)
			return
		}
		defer c.stopReading()
		for !c.reader.isOver {
			event, err := c.next()
			if c.hearing.Err() != nil || !yield(event, err) {
				return
			}
		}
	}
}

// stopReading keeps the source for the next loop, or closes it if the client ends.
func (c *Client) stopReading() {
	if c.hearing.Err() != nil {
		c.reader.close()
	}
	c.reading.Unlock()
}

// meet opens a source and waits for the first event, which identifies the client. If the
// server refuses the first source, the second may reach another of its nodes.
func (c *Client) meet() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	event, err := c.next()
	if e, isRefused := event.(DisconnectedEvent); isRefused && e.Reason == "draining" {
		c.reader.pause = 0
		event, err = c.next()
	}
	if err != nil {
		return err
	}
	if _, isConnected := event.(ConnectedEvent); !isConnected {
		return fmt.Errorf("the server accepts no clients right now: %+v", event)
	}
	c.reader.met = event
	return nil
}

// next waits for an event. It skips events that concern only the client itself.
func (c *Client) next() (Event, error) {
	if met := c.reader.met; met != nil {
		c.reader.met = nil
		return met, nil
	}
	for {
		got, err := c.receive()
		if err != nil {
			return nil, err
		}
		c.identity.take(got.id)
		event, err := decodeEvent(got.data)
		if err != nil {
			return nil, err
		}
		if c.notice(event) {
			return event, nil
		}
	}
}

// notice does what an event asks of the client itself, and reports whether the event
// is also for the caller.
func (c *Client) notice(event Event) bool {
	r := &c.reader
	switch e := event.(type) {
	case heartbeatEvent:
		return false
	case ConnectedEvent:
		interval := time.Duration(e.HeartbeatInterval) * time.Millisecond
		r.silence = interval * 5 / 4 // the time for a heartbeat: then another node has it within the resume window
		r.resumeWindow = time.Duration(e.ResumeWindow) * time.Millisecond
		if e.Resumed {
			return false
		}
		if r.polls {
			interval = 0 // each poll shows that the client lives
		}
		c.identity.set(e.SocketID, e.Token, interval)
	case DisconnectedEvent:
		r.close()
		if r.isOver = e.Reason == "kicked" || e.Reason == "replaced"; r.isOver {
			c.identity.stopHeartbeats(c.SocketID()) // another client may read this socket
		}
		r.pause = time.Duration(e.RetryAfter) * time.Millisecond
	case ServerShutdownEvent:
		r.close()
		r.pause = time.Duration(e.ReconnectAfter) * time.Millisecond
	default:
		r.backoff.reset() // the source works
	}
	return true
}

// receive waits for an event, from one source after the other. It returns no error
// for a first failure, because the next source may work at once. It returns the error
// of each further failure.
func (c *Client) receive() (received, error) {
	r := &c.reader
	for len(r.unread) == 0 {
		if err := c.ensureSource(); err != nil {
			return received{}, err
		}
		got, err := r.source.read(c.patienceNow())
		if err != nil && len(got) == 0 {
			if err := c.lost(err); err != nil {
				return received{}, err
			}
			continue
		}
		r.heardAt = time.Now()
		r.streamed = r.streamed || !r.polls
		r.unread = got
	}
	first := r.unread[0]
	r.unread = r.unread[1:]
	return first, nil
}

// ensureSource opens a source if there is none. It first waits as long as the server
// asked for, or as the last failure demands.
func (c *Client) ensureSource() error {
	r := &c.reader
	if r.source != nil {
		return nil
	}
	if !sleep(c.hearing, r.pause) {
		return ErrClosed
	}
	r.pause = 0
	r.openedAt, r.heardAt = time.Now(), time.Time{}
	if r.polls {
		r.source = &polling{c}
	} else {
		r.source = newStream(c)
	}
	return nil
}

// patienceNow returns how long the source may be silent.
func (c *Client) patienceNow() time.Duration {
	if c.reader.heardAt.IsZero() {
		return c.patience
	}
	return c.reader.silence
}

// lost closes a source that failed, and sets the pause before the next source. If no
// stream has ever brought anything, and something may hold streams back, the next
// source polls. lost returns the error if the caller should get it.
func (c *Client) lost(err error) error {
	r := &c.reader
	r.close()
	if r.heardAt.Sub(r.openedAt) >= steady {
		r.backoff.reset()
	}
	isFirst := r.backoff.tries == 0 // the next source may reach another node
	if !r.polls && !r.streamed && isHeldBack(err) && (!isFirst || errors.Is(err, errSilent)) {
		r.polls = true
		return nil
	}
	r.pause = r.pauseAfter(err)
	if isFirst {
		return nil
	}
	return err
}

// pauseAfter returns how long to wait after a source that failed. The server knows best when
// it is back.
func (r *reader) pauseAfter(err error) time.Duration {
	pause := r.backoff.next()
	var problem *Problem
	switch {
	case r.backoff.tries > 1 && errors.As(err, &problem) && problem.RetryAfter > 0:
		return problem.RetryAfter
	case !r.heardAt.IsZero(): // the server can be reached: come back within the resume window
		return min(pause, r.resumeWindow/4)
	}
	return pause
}
