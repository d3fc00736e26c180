package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// ErrClosed is the error of what is asked of a client that has ended, by
// [Client.Close] or by the context that it was dialled with.
var ErrClosed = errors.New("the client has ended")

// Options say how a client works. The zero value is good.
type Options struct {
	// HTTP makes the requests; nil: one of the client's own, whose connections end
	// with it. It must set no time limit for whole requests, since streams have no
	// end.
	HTTP *http.Client
	// Polling fetches events by long polling from the start, for networks that are
	// known to hold back streams.
	Polling bool
	// Patience is how long a new stream may bring nothing before it counts as held
	// back. Zero: five seconds.
	Patience time.Duration
}

// Client is one socket after another of one server. Its methods may be called by
// any goroutine, but only one at a time may range over its events.
type Client struct {
	server   *url.URL
	http     *http.Client
	ownsHTTP bool
	patience time.Duration

	ctx         context.Context // ends with the client
	cancel      context.CancelFunc
	hearing     context.Context // ends before, so that no socket is opened after the last
	stopHearing context.CancelFunc

	outgoing chan *outgoing
	sender   sync.WaitGroup // the goroutine that posts what is outgoing

	identity identity
	reading  sync.Mutex // held while events are read; guards reader
	reader   reader
}

// identity is the socket that a client speaks for.
type identity struct {
	mu              sync.Mutex // guards what follows
	socketID, token string
}

func (i *identity) set(socketID, token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.socketID, i.token = socketID, token
}

func (i *identity) get() (socketID, token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.socketID, i.token
}

// Dial opens a socket at a server, by its base URL. The client lives until it is
// closed or ctx ends, and must be closed in any case.
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
		return nil, fmt.Errorf("%q is no http or https URL", server)
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

// SocketID is by which other members know this one. It changes where a socket
// could not be resumed, which a [ConnectedEvent] tells.
func (c *Client) SocketID() string {
	socketID, _ := c.identity.get()
	return socketID
}

// Close ends the socket at once, of which its room is told, and the client. It
// waits for what belongs to the client to end, a request under way included. The
// error says that the server could not be told; it will find out by itself.
// Whoever ranges over the events comes to their end, and may be who closes.
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
		return nil // it has ended before
	}
	return err
}

// end ends everything that belongs to the client.
func (c *Client) end() {
	c.cancel() // the source of events as well, which is left to whoever reads it
	c.sender.Wait()
	if c.reading.TryLock() {
		c.reader.close()
		c.reading.Unlock()
	}
	if c.ownsHTTP {
		c.http.CloseIdleConnections()
	}
}

// request makes a request that speaks for the socket of a token, if there is one.
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
