package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"
	"github.com/stretchr/testify/require"
	"gopkg.in/cenkalti/backoff.v1"
)

func TestAnIndependentSSEClientReadsTheStream(t *testing.T) {
	url := startServer(t)
	network := startProxy(t, url)
	client := readWithR3labs(t, network.url)

	var hello struct {
		SocketID, Token string
		Resumed         bool
	}
	client.next("connected", &hello)
	require.False(t, hello.Resumed)
	client.next("heartbeat", nil)

	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	join := fields{"type": "join-room", "roomId": "readers", "userId": "Reader"}
	require.NoError(t, post(bounded(t), &http.Client{Transport: transport}, url, hello.Token, join))
	client.next("room-joined", nil)

	caller := connect(t, url)
	caller.join("readers", "Caller")
	client.next("user-connected", nil)
	offer := func(n int) {
		err := caller.send(bounded(t), fields{
			"type": "offer", "target": hello.SocketID, "n": n,
			"offer": fields{"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"},
		})
		require.NoError(t, err)
	}
	nextOffer := func(n int) {
		t.Helper()
		var got struct {
			From  string
			N     int
			Offer struct{ Type, SDP string }
		}
		id := client.next("offer", &got)
		require.Equal(t, n, got.N)
		require.Equal(t, caller.id(), got.From)
		require.Equal(t, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n", got.Offer.SDP)
		client.seen = id
	}
	offer(1)
	nextOffer(1)

	network.goDown()
	for n := 2; n <= 4; n++ {
		offer(n)
	}
	network.comeBack()

	resumed := hello
	client.next("connected", &resumed)
	require.True(t, resumed.Resumed)
	require.Equal(t, hello.SocketID, resumed.SocketID)
	require.Equal(t, client.seen, client.lastEventIDSent())
	client.next("heartbeat", nil)
	for n := 2; n <= 4; n++ {
		nextOffer(n)
	}
	offer(5)
	nextOffer(5)
}

// reader is the client of r3labs/sse, whose events can be read one by one.
type reader struct {
	t      *testing.T
	events chan *sse.Event
	seen   string // the ID of the last event

	mu  sync.Mutex // guards ids
	ids []string   // the Last-Event-ID of each request
}

func readWithR3labs(t *testing.T, url string) *reader {
	r := &reader{t: t, events: make(chan *sse.Event, 64)}
	ctx, cancel := context.WithCancel(context.Background())
	client := sse.NewClient(url + "/events")
	transport := &http.Transport{}
	client.Connection = &http.Client{Transport: r.noting(transport)}
	client.ReconnectStrategy = untilDone{ctx}
	done := make(chan struct{})
	go func() { // ends with ctx; the cleanup waits for it
		defer close(done)
		client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			select {
			case r.events <- e:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		transport.CloseIdleConnections()
	})
	return r
}

// next waits for the next event, which must be of this type, and returns its ID.
func (r *reader) next(kind string, into any) string {
	r.t.Helper()
	e := await(r.t, r.events, "event "+kind)
	require.Equal(r.t, kind, string(e.Event), "%s", e.Data)
	if into != nil {
		require.NoError(r.t, json.Unmarshal(e.Data, into))
	}
	return string(e.ID)
}

func (r *reader) lastEventIDSent() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[len(r.ids)-1]
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// noting keeps the Last-Event-ID of each request.
func (r *reader) noting(transport http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		r.mu.Lock()
		r.ids = append(r.ids, request.Header.Get("Last-Event-ID"))
		r.mu.Unlock()
		return transport.RoundTrip(request)
	})
}

// untilDone makes the client reconnect until the test ends. By default it gives up
// after a quarter of an hour.
type untilDone struct{ context.Context }

func (u untilDone) Reset() {}

func (u untilDone) NextBackOff() time.Duration {
	if u.Err() != nil {
		return backoff.Stop
	}
	return 20 * time.Millisecond
}
