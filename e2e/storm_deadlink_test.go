package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writeTimeout is how long the server waits for a client that reads nothing.
const writeTimeout = 8 * time.Second

// reported is how long the server may take to report a peer that vanishes, with the
// default settings.
const reported = 30 * time.Second

// A network vanishes: no FIN, no RST, and nothing passes any more. Whatever a client
// and its room were doing, the room learns of it in time.
func TestAPeerWhoseNetworkVanishesIsReportedInTime(t *testing.T) {
	runsBeside(t)
	hosts := newTwoHosts(t)
	n := startNetwork(t, hosts)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	victims := []*victim{
		n.streaming(t, "a stream in a quiet room"),
		n.streaming(t, "a stream in a busy room"),
		n.streaming(t, "a stream in a room of large events"),
		n.polling(t, ctx, &running, "a poll in a quiet room"),
		n.polling(t, ctx, &running, "a poll in a busy room"),
	}
	for _, v := range victims {
		switch {
		case strings.HasSuffix(v.doing, "busy room"):
			running.Go(func() { v.chatter(ctx, 200*time.Millisecond, 100) }) // ends with ctx
		case strings.HasSuffix(v.doing, "large events"):
			running.Go(func() { v.chatter(ctx, 200*time.Millisecond, 4000) }) // ends with ctx
		}
	}
	time.Sleep(3 * time.Second) // nothing is awaited here: the victims' last sign of life must be as old as possible
	hosts.drop(t)
	dropped := time.Now()
	for _, v := range victims {
		away, gone := v.watch.awaitEnd(t, v.doing)
		require.Equal(t, "transport close", gone.Reason, v.doing)
		require.Less(t, gone.Timestamp.Sub(dropped), reported, v.doing)
		t.Logf("%-36s away after %4.1f s, gone after %4.1f s", v.doing, away.Timestamp.Sub(dropped).Seconds(), gone.Timestamp.Sub(dropped).Seconds())
	}
}

// A network that vanishes and comes back within the resume window loses no event.
func TestALinkThatComesBackLosesNothing(t *testing.T) {
	runsBeside(t)
	hosts := newTwoHosts(t)
	n := startNetwork(t, hosts, "RESUME_WINDOW=10m")
	receiver := connectBy(t, n.transport(t, hosts.client), n.far)
	receiver.join("room", "receiver")
	sender := connectBy(t, n.transport(t, hosts.server), n.near)
	sender.join("room", "sender")
	sent := 0
	send := func(until time.Time) {
		for ; time.Now().Before(until); time.Sleep(100 * time.Millisecond) { // as often as people send candidates
			require.NoError(t, sender.send(bounded(t), fields{"type": "signal", "target": receiver.id(), "data": sent}))
			sent++
		}
	}
	send(time.Now().Add(time.Second))
	hosts.drop(t)
	send(time.Now().Add(6 * time.Second))
	hosts.restore(t)
	send(time.Now().Add(3 * time.Second))
	for want := range sent {
		var got struct{ Data int }
		receiver.await("signal", &got)
		require.Equal(t, want, got.Data)
	}
	t.Logf("%d events over %d streams", sent, receiver.streamsOpened())
}

// A client that reads nothing, although its network works, ends as a slow consumer. No
// other client waits for it.
func TestAClientThatReadsNothingEndsAsASlowConsumerAndDelaysNobody(t *testing.T) {
	runsBeside(t)
	address := startServer(t)
	n := &network{near: address, far: address}
	v := &victim{doing: "a client that reads nothing", sender: connect(t, address)}
	v.sender.join("room", "sender")
	v.watch = newWatch(v.sender)

	where, err := url.Parse(n.far)
	require.NoError(t, err)
	frozen, err := net.Dial("tcp", where.Host)
	require.NoError(t, err)
	defer frozen.Close()
	require.NoError(t, frozen.(*net.TCPConn).SetReadBuffer(4<<10))
	token := openAndFreeze(t, frozen)
	require.NoError(t, post(bounded(t), http.DefaultClient, n.far, token, fields{"type": "join-room", "roomId": "room", "userId": "frozen"}))
	http.DefaultClient.CloseIdleConnections()

	healthy := connect(t, address)
	healthy.join("room", "healthy")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var slowest time.Duration
	started := time.Now()
	for ctx.Err() == nil {
		select {
		case <-v.watch.ended:
			cancel()
		default:
			sent := time.Now()
			err := v.sender.send(bounded(t), fields{"type": "signal", "data": strings.Repeat("x", 50_000)})
			if err != nil && strings.Contains(err.Error(), "target-overflow") {
				rest(ctx, 100*time.Millisecond) // while the client may still resume, the sender has a share of its outbox only
				break
			}
			require.NoError(t, err)
			healthy.await("signal", nil)
			slowest = max(slowest, time.Since(sent))
		}
	}
	_, gone := v.watch.awaitEnd(t, v.doing)
	require.Equal(t, "slow consumer", gone.Reason)
	require.Less(t, slowest, writeTimeout, "nobody waits for what the server waits for")
	t.Logf("gone after %.1f s; the slowest event to the others took %v", gone.Timestamp.Sub(started).Seconds(), slowest.Round(time.Millisecond))
}

// openAndFreeze opens a stream and reads only its first event. It works on a bare
// connection, because a client would go on reading.
func openAndFreeze(t *testing.T, connection net.Conn) (token string) {
	t.Helper()
	_, err := fmt.Fprint(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
	require.NoError(t, err)
	var text []byte
	for !strings.Contains(string(text), "\n\n") {
		buffer := make([]byte, 1024)
		got, err := connection.Read(buffer)
		require.NoError(t, err)
		text = append(text, buffer[:got]...)
	}
	_, rest, found := strings.Cut(string(text), `"token":"`)
	require.True(t, found, "%s", text)
	return rest[:22]
}

// network is a server in a namespace, and the two ways to it.
type network struct {
	hosts     twoHosts
	near, far string // the server's address from its own host, and over the link
}

func startNetwork(t *testing.T, hosts twoHosts, settings ...string) *network {
	t.Helper()
	settings = append(settings, "HOST=0.0.0.0")
	address, err := url.Parse(startServerBy(t, []string{"ip", "netns", "exec", hosts.server}, settings...))
	require.NoError(t, err)
	return &network{hosts, "http://127.0.0.1:" + address.Port(), "http://" + serverAddress + ":" + address.Port()}
}

func (n *network) transport(t *testing.T, host string) *http.Transport {
	transport := &http.Transport{DialContext: dialFrom(host)}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// victim is a client over the link, and what a member near the server hears of it in
// their room.
type victim struct {
	doing  string
	sender *signaling // near the server
	watch  *watch
}

// besides adds the member near the server, in a room that only the victim will join.
func (n *network) besides(t *testing.T, doing string) *victim {
	v := &victim{doing: doing, sender: connectBy(t, n.transport(t, n.hosts.server), n.near)}
	v.sender.join(doing, "near")
	v.watch = newWatch(v.sender)
	return v
}

func (n *network) streaming(t *testing.T, doing string) *victim {
	v := n.besides(t, doing)
	connectBy(t, n.transport(t, n.hosts.client), n.far).join(doing, "far")
	return v
}

func (n *network) polling(t *testing.T, ctx context.Context, running *sync.WaitGroup, doing string) *victim {
	v := n.besides(t, doing)
	p := &poller{t: t, client: &http.Client{Transport: n.transport(t, n.hosts.client)}, url: n.far}
	got := p.poll(0)
	p.token = got.Events[0].Token
	p.post(fields{"type": "join-room", "roomId": doing, "userId": "far"})
	running.Go(func() { // ends with ctx
		for ctx.Err() == nil {
			if got, err := p.tryPoll(ctx, 60); err == nil {
				p.after = sequence(got.LastEventID)
			}
		}
	})
	return v
}

// chatter keeps sending messages until ctx is done.
func (v *victim) chatter(ctx context.Context, every time.Duration, length int) {
	for ctx.Err() == nil {
		_ = v.sender.send(ctx, fields{"type": "send-message", "message": strings.Repeat("x", length)})
		rest(ctx, every)
	}
}

// watch keeps what a client hears about the end of another client, and drops everything
// else.
type watch struct {
	ended      chan struct{} // closed when the other is gone
	away, gone notice        // read them only after ended is closed
}

type notice struct {
	Reason    string
	Timestamp time.Time
}

func newWatch(s *signaling) *watch {
	w := &watch{ended: make(chan struct{})}
	go func() { // ends with the client's events
		for e := range s.events {
			switch e.Type {
			case "user-away":
				e.decode(s.t, &w.away)
			case "user-disconnected":
				e.decode(s.t, &w.gone)
				close(w.ended)
			}
		}
	}()
	return w
}

// awaitEnd waits until the other is gone.
func (w *watch) awaitEnd(t *testing.T, doing string) (away, gone notice) {
	t.Helper()
	select {
	case <-w.ended:
	case <-time.After(3 * reported):
		require.FailNow(t, "it is never reported", doing)
	}
	return w.away, w.gone
}
