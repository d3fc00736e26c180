package client

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

const (
	defaultPatience = 5 * time.Second
	// steady is for how long a source must bring events to count as one that works:
	// the next that fails is then the first to do so.
	steady = 5 * time.Second
)

// ErrReading is the error of ranging over the events of a client twice at once.
var ErrReading = errors.New("the events of this client are being read already")

// reader is where events come from. It belongs to whoever reads them.
type reader struct {
	source source     // nil: there is none right now
	unread []received // what has come and was not taken yet
	lastID string     // the position behind what was taken last
	met    Event      // what Dial has taken, for whoever reads first

	polls    bool // streams bring nothing here
	streamed bool // a stream has brought something
	isOver   bool // the server wants no more of this client

	silence, resumeWindow time.Duration // the longest of a stream that lives, and for how long a socket waits for the next
	openedAt, heardAt     time.Time     // the source, and something from it
	backoff               backoff
	pause                 time.Duration // before the next source
}

// source brings events: a stream, or one poll after the other.
type source interface {
	// read waits for events, at most so long. There may be none without an error.
	read(within time.Duration) ([]received, error)
	close()
}

// received is an event and the position behind it, "" where that stays as it is.
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

// Events ranges over what the server tells, in order and each once, until the
// client ends or the server has done with it ([DisconnectedEvent]). To break off
// and to range again later goes on where it was.
//
// An error says that no events come at the moment, or that one could not be read.
// Where the loop goes on after it, so does the client: it tries to come back to
// its socket, in growing intervals.
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

// stopReading leaves the source for the next who reads, unless there will be none.
func (c *Client) stopReading() {
	if c.hearing.Err() != nil {
		c.reader.close()
	}
	c.reading.Unlock()
}

// meet waits for the first event, which tells who the client is.
func (c *Client) meet() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	event, err := c.next()
	if err != nil {
		return err
	}
	if _, isConnected := event.(ConnectedEvent); !isConnected {
		return fmt.Errorf("the server takes nobody right now: %+v", event)
	}
	c.reader.met = event
	return nil
}

// next waits for an event that is anybody's business.
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
		if got.id != "" {
			c.reader.lastID = got.id
		}
		event, err := decodeEvent(got.data)
		if err != nil {
			return nil, err
		}
		if c.notice(event) {
			return event, nil
		}
	}
}

// notice does what an event asks of the client itself, and tells whether anybody
// else is to hear of it.
func (c *Client) notice(event Event) bool {
	r := &c.reader
	switch e := event.(type) {
	case heartbeatEvent:
		return false
	case ConnectedEvent:
		r.silence = time.Duration(e.HeartbeatInterval) * time.Millisecond * 5 / 2
		r.resumeWindow = time.Duration(e.ResumeWindow) * time.Millisecond
		if e.Resumed {
			return false
		}
		c.identity.set(e.SocketID, e.Token)
	case DisconnectedEvent:
		r.close()
		r.isOver = e.Reason == "kicked" || e.Reason == "replaced"
		r.pause = time.Duration(e.RetryAfter) * time.Millisecond
	case ServerShutdownEvent:
		r.close()
		r.pause = time.Duration(e.ReconnectAfter) * time.Millisecond
	default:
		r.backoff.reset() // the source does what it is there for
	}
	return true
}

// receive waits for an event, from one source after the other. A failure is
// repaired in silence where the next source works at once; otherwise each is
// told.
func (c *Client) receive() (received, error) {
	r := &c.reader
	for len(r.unread) == 0 {
		if err := c.ensureSource(); err != nil {
			return received{}, err
		}
		got, err := r.source.read(c.patienceNow())
		if err != nil && len(got) == 0 {
			if told := c.lost(err); told != nil {
				return received{}, told
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

// patienceNow is how long the source may be silent.
func (c *Client) patienceNow() time.Duration {
	if c.reader.heardAt.IsZero() {
		return c.patience
	}
	return c.reader.silence
}

// lost makes ready for the next source, and returns the error if it is to be
// told. Where no stream has ever brought anything, that is a poll.
func (c *Client) lost(err error) error {
	r := &c.reader
	r.close()
	if r.heardAt.Sub(r.openedAt) >= steady {
		r.backoff.reset()
	}
	if !r.polls && !r.streamed && isHeldBack(err) {
		r.polls = true
		return nil
	}
	r.pause = r.backoff.next()
	if !r.heardAt.IsZero() { // the server is there, and the socket must not be given up
		r.pause = min(r.pause, r.resumeWindow/4)
	}
	if r.backoff.tries == 1 {
		return nil
	}
	return err
}
