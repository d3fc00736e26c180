package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// room is a set of clients that signal each other.
type room struct {
	name    string
	members []*client
	// accepted counts the events that the server accepted from members.
	accepted atomic.Int64
	// calm is held for reading by members that send, and for writing while they leave
	// and come back.
	calm sync.RWMutex
}

// client is one participant. One goroutine of it receives, another sends.
type client struct {
	load  *load
	index int // in load.clients
	room  *room
	place int // in room.members
	user  string

	// What the server knows the client by. The goroutine that receives writes them while
	// the client connects.
	id, token string
	late      string // token of a socket that a poll has opened while the client left

	posts, incoming link
	sharesPosts     bool
	keys            atomic.Int64 // Idempotency-Keys so far
	receiving       sync.WaitGroup
	isConnected     bool          // of the goroutine that receives
	broken          time.Time     // of the goroutine that receives: when its stream broke; zero: it has not, or is resumed
	tries           int           // to resume it
	silence         time.Duration // of a stream that works, at most; 0: not known
	isLeaving       atomic.Bool

	holding sync.Mutex
	stream  io.ReadCloser // guarded by holding; nil with polls

	joined     chan struct{} // a room-joined came
	arrivals   chan struct{} // one for each event of this client that has arrived
	acquainted atomic.Int64  // other members that the client has heard of
	heartbeats atomic.Int64
	received   atomic.Int64 // events of others that have arrived, each counted once
	sequence   atomic.Int64 // of the last event that has arrived

	flows   []flow             // by place of the sender; of the goroutine that receives
	numbers []int              // by place of the receiver: the number of the last event
	refused []map[int]struct{} // by place of the receiver: numbers of refused events
}

// connect opens the client's socket, and receives until leave.
func (c *client) connect() error {
	start := time.Now()
	c.isConnected, c.broken, c.tries = false, time.Time{}, 0
	c.isLeaving.Store(false)
	c.id, c.token = c.load.protocol.newID(), ""
	c.sequence.Store(0)
	known := make(chan error, 1)
	if c.load.poll {
		c.receiving.Go(func() { c.ended(c.receivePolls(known), known) })
	} else {
		stream, err := c.incoming.stream(c.load.protocol.open(c))
		if err != nil {
			return fmt.Errorf("opening a stream: %w", err)
		}
		c.receiving.Go(func() { c.ended(c.receiveStreams(stream, known), known) })
	}
	select {
	case err := <-known:
		if err != nil {
			return fmt.Errorf("opening a socket: %w", err)
		}
	case <-time.After(patience):
		return fmt.Errorf("opening a socket: no event came within %v: does a proxy hold streams back? Try -transport poll", patience)
	}
	c.load.connected.Add(1)
	c.load.connects.record(time.Since(start))
	return nil
}

// join joins the client's room, and waits for the event that says so.
func (c *client) join() error {
	start := time.Now()
	if _, err := c.post(c.load.protocol.join(c)); err != nil {
		return fmt.Errorf("joining a room: %w", err)
	}
	select {
	case <-c.joined:
	case <-time.After(patience):
		return fmt.Errorf("joining a room: no room-joined came within %v", patience)
	}
	c.load.joined.Add(1)
	c.load.joins.record(time.Since(start))
	return nil
}

// post sends a request that must be accepted.
func (c *client) post(request []byte) (reply, error) {
	r, err := c.posts.do(request)
	return r.orRefused(err)
}

// leave ends the client's socket and connections.
func (c *client) leave() {
	c.isLeaving.Store(true)
	c.disconnect()
	c.release()
	c.receiving.Wait()
	if c.late != "" {
		c.token, c.late = c.late, ""
		c.disconnect()
	}
	if !c.sharesPosts {
		c.posts.close()
	}
	c.incoming.close()
}

// disconnect ends the socket, if the client has one.
func (c *client) disconnect() {
	if request := c.load.protocol.leave(c); request != nil && c.token != "" {
		if _, err := c.post(request); err != nil {
			c.load.fail(fmt.Errorf("leaving: %w", err))
		}
	}
}

// hold keeps a stream until release, and reports whether the client stays.
func (c *client) hold(stream io.ReadCloser) bool {
	c.holding.Lock()
	defer c.holding.Unlock()
	if c.isLeaving.Load() {
		_ = stream.Close()
		return false
	}
	c.stream = stream
	return true
}

func (c *client) release() {
	c.holding.Lock()
	defer c.holding.Unlock()
	if c.stream != nil {
		_ = c.stream.Close()
		c.stream = nil
	}
}

// receiveStreams takes in the events of a stream, and of those that resume it.
func (c *client) receiveStreams(stream io.ReadCloser, known chan<- error) error {
	for c.hold(stream) {
		err := c.receiveStream(stream, known)
		c.release()
		if !c.isResumable(err) {
			return err
		}
		c.interrupted(err)
		if stream, err = c.resumeStream(); err != nil {
			return err
		}
	}
	return nil
}

// receiveStream takes in the events of one stream. It sends nil to known when the client has
// its ID.
func (c *client) receiveStream(stream io.ReadCloser, known chan<- error) error {
	events := newFrames(stream)
	events.sequence = c.sequence.Load()
	watch := c.watchSilence(stream)
	defer watch.Stop()
	for {
		kind, data, err := events.next()
		watch.Reset(cmp.Or(c.silence, patience))
		if err == nil {
			err = c.take(kind, data, known)
			c.sequence.Store(events.sequence)
		}
		if err != nil {
			return err
		}
	}
}

// receivePolls takes in events by one poll after the other.
func (c *client) receivePolls(known chan<- error) error {
	after := ""
	for !c.isLeaving.Load() {
		r, err := c.incoming.do(c.load.protocol.poll(c, after))
		if _, err = r.orRefused(err); err != nil {
			return err
		}
		var answer struct {
			Events      []json.RawMessage
			LastEventID string
		}
		if err := json.Unmarshal(r.body, &answer); err != nil {
			return fmt.Errorf("the answer of a poll: %w", err)
		}
		c.hasResumed()
		for _, data := range answer.Events {
			var event struct{ Type string }
			if err := json.Unmarshal(data, &event); err != nil {
				return fmt.Errorf("the event of a poll: %w", err)
			}
			if err := c.take([]byte(event.Type), data, known); c.isResumable(err) {
				c.interrupted(err)
			} else if err != nil {
				return err
			}
		}
		_, after, _ = strings.Cut(answer.LastEventID, ".")
		c.sequence.Store(number([]byte(after)))
	}
	return nil
}

// ended is called when the client receives no more.
func (c *client) ended(err error, known chan<- error) {
	if !c.broken.IsZero() {
		c.load.resumes.returning.Add(-1)
	}
	if c.isLeaving.Load() {
		return
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	if !c.isConnected {
		known <- err
		return
	}
	c.load.ended.Add(1)
	c.load.fail(fmt.Errorf("receiving: %w", err))
}

// take takes in one event.
func (c *client) take(kind, data []byte, known chan<- error) error {
	switch string(kind) {
	case "offer", "answer", "ice-candidate":
		c.arrived(data)
	case "heartbeat":
		c.heartbeats.Add(1)
		if c.load.heartbeats {
			c.receiving.Go(c.answerHeartbeat)
		}
	case "connected":
		var event struct {
			SocketID, Token   string
			Resumed           bool
			HeartbeatInterval int64 // milliseconds
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return err
		}
		if c.isLeaving.Load() {
			c.late = event.Token
			return nil
		}
		c.silence = time.Duration(event.HeartbeatInterval) * time.Millisecond * 5 / 2
		if c.isConnected && event.Resumed && event.SocketID == c.id {
			c.hasResumed()
			return nil
		}
		if c.isConnected {
			return errSecond
		}
		c.id, c.token, c.isConnected = event.SocketID, event.Token, true
		known <- nil
	case "room-joined":
		members := bytes.Count(data, []byte(`"socketId":"`))
		self := bytes.Count(data, []byte(`"socketId":"`+c.id+`"`)) // the floor's list has the others only
		c.acquainted.Add(int64(members - self))
		select {
		case c.joined <- struct{}{}:
		default:
		}
	case "user-connected":
		c.acquainted.Add(1)
	case "user-away":
		c.load.away.Add(1)
	case "user-disconnected":
		if c.load.isSteady() {
			c.load.parted.Add(1)
		}
	case "disconnected", "server-shutdown":
		if !c.isLeaving.Load() {
			return lastEvent(data)
		}
	}
	return nil
}

func (c *client) answerHeartbeat() {
	if c.isLeaving.Load() {
		return
	}
	if _, err := c.post(c.load.protocol.heartbeat(c)); err != nil && !c.isLeaving.Load() {
		c.load.fail(fmt.Errorf("answering a heartbeat: %w", err))
	}
}

// arrived checks and counts an event of another client.
func (c *client) arrived(data []byte) {
	s, found := stampOf(data)
	if !found {
		return // of somebody else in the same room
	}
	if s.sender >= len(c.load.clients) || c.load.clients[s.sender].room != c.room {
		c.load.strays.Add(1)
		return
	}
	sender := c.load.clients[s.sender]
	if !c.flows[sender.place].arrived(s.number) {
		return
	}
	c.received.Add(1)
	c.load.deliveries.record(time.Duration(c.load.now() - s.sent))
	select {
	case sender.arrivals <- struct{}{}:
	default: // nobody waits
	}
}
