package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// ErrClosed is returned by a client that has ended: [Client.Close] was called, or
// the context given to [Dial] has ended.
var ErrClosed = errors.New("the client has ended")

// Options configure a client. The zero value is ready to use.
type Options struct {
	// HTTP makes the requests. If it is nil, the client makes an http.Client of its
	// own, and closes that client's connections at the end. It must not have a
	// Timeout: that would cut streams, which have no end.
	HTTP *http.Client
	// Polling fetches events by long polling from the start. It is for networks that
	// are known to hold back streams.
	Polling bool
	// Patience is how long a new stream may bring nothing. After that, the client
	// polls: it assumes that something on the way holds streams back. Zero means five
	// seconds.
	Patience time.Duration
}

// Client is a client of one server. It has one socket at a time: if its socket
// cannot be resumed, it opens a new one. Its methods may be called by several
// goroutines at once, but only one goroutine at a time may range over its events.
type Client struct {
	// Set once, by Dial.
	server      *url.URL
	http        *http.Client
	ownsHTTP    bool // Dial made http
	patience    time.Duration
	ctx         context.Context // ends with the client
	cancel      context.CancelFunc
	hearing     context.Context // ends before ctx: Close still sends then, but no socket is opened any more
	stopHearing context.CancelFunc

	outgoing chan *outgoing // to the goroutine of post
	sender   sync.WaitGroup // the goroutine of post
	beat     beat           // owned by the goroutine of post

	identity identity   // guards itself
	reading  sync.Mutex // held while events are read
	reader   reader     // guarded by reading
}

// identity names the socket that the client has now.
type identity struct {
	mu              sync.Mutex // guards what follows
	socketID, token string
	heartbeats      time.Duration // from one heartbeat of this client to the next; 0: it sends none
	lastID          string        // the position after the event that was taken last; of the same socket, or of the next
}

func (i *identity) set(socketID, token string, heartbeats time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.socketID, i.token, i.heartbeats = socketID, token, heartbeats
}

// stopHeartbeats ends the heartbeats of a socket.
func (i *identity) stopHeartbeats(socketID string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.socketID == socketID {
		i.heartbeats = 0
	}
}

// pulse returns the time from one heartbeat of a socket to the next, or 0 if this client sends
// none.
func (i *identity) pulse() (socketID string, interval time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.socketID, i.heartbeats
}

// take notes the position after an event. An empty position is that of the event before.
func (i *identity) take(lastID string) {
	if lastID == "" {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastID = lastID
}

// position returns the position after the event that was taken last, or "" if that event is
// not one of the socket with this token.
func (i *identity) position(token string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if owner, _, _ := strings.Cut(i.lastID, "."); owner != token {
		return ""
	}
	return i.lastID
}

func (i *identity) get() (socketID, token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.socketID, i.token
}

// Dial opens a socket at the server with this base URL, and returns when the server
// has sent its ID. The client lives until [Client.Close] is called or ctx ends, and
// must be closed in both cases. The error wraps a [*Problem] if the server refused.
func Dial(ctx context.Context, server string) (*Client, error) {
	return Options{}.Dial(ctx, server)
}

// Dial is [Dial] with options.
func (o Options) Dial(ctx context.Context, server string) (*Client, error) {
	base, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is not an http or https URL", server)
	}
	c := &Client{
		server:   base,
		http:     o.HTTP,
		patience: o.Patience,
		outgoing: make(chan *outgoing, maxOutgoing),
		reader:   reader{polls: o.Polling},
	}
	if c.http == nil {
		c.http, c.ownsHTTP = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}}, true
	}
	if c.patience == 0 {
		c.patience = defaultPatience
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.hearing, c.stopHearing = context.WithCancel(c.ctx)
	if err := c.meet(); err != nil {
		c.end()
		return nil, fmt.Errorf("dialling %s: %w", base.Redacted(), err)
	}
	c.sender.Go(c.post)
	return c, nil
}

// SocketID returns the ID by which other members know this client. It changes when a
// socket could not be resumed; a [ConnectedEvent] then carries the new ID.
func (c *Client) SocketID() string {
	socketID, _ := c.identity.get()
	return socketID
}

// Close ends the socket and the client. The room receives user-disconnected at once.
// Close waits for everything that belongs to the client, also for a request that is
// under way. A loop over the events ends, and may itself call Close. An error means
// that the server could not be reached. The server then ends the socket when its
// resume window has run out.
func (c *Client) Close() error {
	c.stopHearing()
	if c.ctx.Err() != nil {
		c.end()
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, goodbyeTimeout)
	defer cancel()
	err := c.Send(ctx, DisconnectMessage{})
	c.end()
	var problem *Problem
	if errors.As(err, &problem) && problem.Name() == "unknown-session" {
		return nil // the socket had ended already
	}
	return err
}

// end ends everything that belongs to the client.
func (c *Client) end() {
	c.cancel() // the source of events ends too; if a loop still runs, the loop closes it
	c.sender.Wait()
	if c.reading.TryLock() {
		c.reader.close()
		c.reading.Unlock()
	}
	if c.ownsHTTP {
		c.http.CloseIdleConnections()
	}
}

// request makes a request. A token that is not empty authenticates its socket.
func (c *Client) request(ctx context.Context, method, path, token string, query url.Values, body []byte) (*http.Request, error) {
	address := c.server.JoinPath(path)
	address.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

// setPosition lets a request say up to where its client has taken the events, if that is known.
func setPosition(r *http.Request, lastID string) {
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
}
