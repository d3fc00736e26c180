package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// Each test is a trap: a rare case, in which a server that otherwise works may break its
// promises.

// resume opens a stream after an event's id.
func (s *server) resume(t *testing.T, lastEventID string) (p *peer, resumed bool) {
	p = s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": lastEventID})
	hello := p.next("connected").json
	p.token, p.socketID = hello["token"].(string), hello["socketId"].(string)
	p.next("heartbeat")
	return p, hello["resumed"].(bool)
}

// The stream was cut before its first event arrived, so the client has no event's id. It
// can resume by the token alone.
func TestTrapResumeBeforeAnyEventWasReceived(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.connect(t)
	a.hangUp()
	a.send(`{"type":"join-room","roomId":"room","userId":"Ada"}`)
	for _, headers := range []map[string]string{{"Last-Event-ID": a.lastID}, {"Authorization": "Bearer " + a.token}} {
		again := s.stream(t, http.MethodGet, "/events", headers)
		require.Equal(t, true, again.next("connected").json["resumed"])
		again.next("heartbeat")
		again.next("room-joined")
		again.hangUp()
	}
}

func TestTrapResumeTwiceInARow(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	seen := a.lastID
	for n := range 20 {
		b.send(fmt.Sprintf(`{"type":"signal","data":%d}`, n))
	}
	for range 3 {
		a.hangUp()
		var resumed bool
		a, resumed = s.resume(t, seen)
		require.True(t, resumed)
		for n := range 20 {
			require.EqualValues(t, n, a.next("signal").json["data"])
		}
	}
	a.quiet()
}

// The handler of a replaced stream may end after the new stream has begun. It must clean up
// only after its own stream.
func TestTrapTheOldStreamsCleanupComesAfterTheNewStreamIsLive(t *testing.T) {
	s := newServer(t, sse.Options{ResumeWindow: 200 * time.Millisecond, AwayAfter: 50 * time.Millisecond}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	for range 50 {
		old := a
		var resumed bool
		a, resumed = s.resume(t, old.lastID)
		require.True(t, resumed)
		old.hangUp()
	}
	require.Never(t, a.isAway, 400*time.Millisecond, 10*time.Millisecond)
	a.quiet()
	b.quiet()
}

// A browser that duplicates a tab also copies the token. The newer tab takes over. The older
// tab receives "replaced" once, and no event arrives twice.
func TestTrapASecondTabWithACopiedToken(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	copied, resumed := s.resume(t, a.lastID)
	require.True(t, resumed)
	require.Equal(t, a.socketID, copied.socketID)
	require.Equal(t, "replaced", a.next("disconnected").json["reason"])
	a.ended()
	b.send(`{"type":"signal","data":1}`)
	copied.next("signal")
	copied.quiet()
	b.quiet() // the room does not notice the change
}

func TestTrapACursorFromTheFuture(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, read := range map[string]func(token string) (socketID string, resumed any){
		"stream": func(token string) (string, any) {
			p, resumed := s.resume(t, token+".9007199254740991")
			return p.socketID, resumed
		},
		"poll": func(token string) (string, any) {
			hello := s.poll(t, token, "after=9007199254740991").decode(t)[0]
			return hello["socketId"].(string), hello["resumed"]
		},
	} {
		a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
		a.next("user-connected")
		socketID, resumed := read(b.token)
		require.Equal(t, false, resumed)
		require.NotEqual(t, b.socketID, socketID)
		require.Equal(t, b.socketID, a.next("user-disconnected").json["socketId"], "the old socket has left the room")
		a.send(`{"type":"disconnect"}`)
	}
}

func TestTrapAnIDOfAnotherSocket(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	mixed := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": a.lastID, "Authorization": "Bearer " + b.token})
	hello := mixed.next("connected").json
	require.Equal(t, false, hello["resumed"])
	require.NotContains(t, []any{a.socketID, b.socketID}, hello["socketId"])
	foreign, resumed := s.resume(t, b.socketID+".1") // what everybody in the room knows
	require.False(t, resumed)
	require.NotContains(t, []string{a.socketID, b.socketID}, foreign.socketID)
	a.quiet()
	b.quiet()
}

// The server has accepted the post, but the client cannot know that.
func TestTrapAPostWhoseResponseIsLost(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	for n := range 50 {
		event := fmt.Sprintf(`{"type":"signal","data":%d}`, n)
		key := fmt.Sprint("key", n)
		connection, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		_, err = fmt.Fprintf(connection, "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"Authorization: Bearer %s\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s", b.token, key, len(event), event)
		require.NoError(t, err)
		if n%2 == 0 { // the answer arrives, but the client drops it
			_, err = http.ReadResponse(bufio.NewReader(connection), nil)
			require.NoError(t, err)
		}
		require.NoError(t, connection.(*net.TCPConn).SetLinger(0))
		require.NoError(t, connection.Close())
		for range 2 {
			status, _ := b.keyed("/events", key, event)
			require.Equal(t, http.StatusAccepted, status)
		}
		require.EqualValues(t, n, a.next("signal").json["data"])
	}
	a.quiet()
}

// stopOn is a log handler. When a certain message is logged it stops the server, and the
// caller that logs continues only after that.
type stopOn struct {
	slog.Handler
	message string
	stop    func()
}

func (h stopOn) Enabled(context.Context, slog.Level) bool { return true }

func (h stopOn) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.stop()
	}
	return nil
}

// If the batch's answer says that an event was accepted, the event arrives, before
// server-shutdown. If it says that an event was refused, the event does not arrive.
func TestTrapSIGTERMInTheMiddleOfABatch(t *testing.T) {
	stop := func() {}
	logger := slog.New(stopOn{slog.DiscardHandler, "room left", func() { stop() }})
	s := newServer(t, sse.Options{Logger: logger}, 100)
	a, b, c := s.join(t, "room", "Ada"), s.join(t, "room", "Bob"), s.join(t, "elsewhere", "Cyd")
	a.next("user-connected")

	var draining sync.WaitGroup
	stop = sync.OnceFunc(func() {
		draining.Go(func() { _ = s.hub.Drain(t.Context()) }) // ends when each stream has sent its last event
		require.Eventually(t, func() bool {
			return s.hub.Pong(c.socketID) == sse.ErrDraining && s.hub.Pong(a.socketID) == sse.ErrDraining && s.hub.Pong(b.socketID) == sse.ErrDraining
		}, patience, time.Millisecond)
	})
	// A socket that joins again as another user leaves the room first. That logs "room left".
	status, answer := b.batch(`{"events":[{"type":"signal","data":1},{"type":"signal","data":2},` +
		`{"type":"join-room","roomId":"room","userId":"Bob again"},{"type":"signal","data":3},{"type":"ping"}]}`)
	draining.Wait()
	require.Equal(t, http.StatusOK, status)
	var got []string
	for _, result := range answer["results"].([]any) {
		got = append(got, fmt.Sprint(result.(map[string]any)["status"]))
	}
	require.Equal(t, []string{"202", "202", "503", "409", "503"}, got)
	require.EqualValues(t, 1, a.next("signal").json["data"])
	require.EqualValues(t, 2, a.next("signal").json["data"])
	require.Equal(t, "left", a.next("user-disconnected").json["reason"])
	for e := range a.events {
		if e.kind != "pong" { // from the test's own calls to Pong, which wait for the drain
			require.Equal(t, "server-shutdown", e.kind)
		}
	}
}

func TestTrapARoomsLastTwoMembersDropAtOnce(t *testing.T) {
	s := newServer(t, sse.Options{ResumeWindow: 50 * time.Millisecond}, 100)
	var peers []*peer
	for room := range 20 {
		for range 2 {
			peers = append(peers, s.join(t, fmt.Sprint("room ", room), "u"))
		}
	}
	for _, p := range peers {
		p.hangUp()
	}
	require.Eventually(t, func() bool {
		active, _, _ := s.hub.Counts()
		return active == 0
	}, patience, 5*time.Millisecond)
	_, stats := s.get(t, "/stats")
	require.EqualValues(t, 0, stats["activeRooms"])
	require.EqualValues(t, 0, stats["activeConnections"])
	late := s.join(t, "room 0", "u")
	_, room := s.get(t, "/rooms/room%200")
	require.EqualValues(t, 1, room["users"])
	late.quiet()
}

// 4,000 joins and leaves, as fast as possible. A member that stays in the room receives one
// event for each join and each leave. For each visitor, joins and leaves alternate. At the
// end the member is alone again.
func TestTrapFourThousandJoinsAndLeavesASecondIntoOneRoom(t *testing.T) {
	const visitors, batches, visits = 10, 10, 20                                                                         // a visit is two events
	roomy := sse.OutboxLimits{UnsentEvents: 16_000, UnsentBytes: 16 << 20, RetainedEvents: 4096, RetainedBytes: 1 << 20} // the visitors' events may fill half of it
	s := newServer(t, sse.Options{Outbox: roomy}, 100, unheard)
	host := s.join(t, "room", "host")
	var all []*peer
	for n := range visitors {
		all = append(all, s.join(t, fmt.Sprint("home of ", n), "visitor"))
	}
	events := make([]string, 0, 2*visits)
	for range visits {
		events = append(events, `{"type":"join-room","roomId":"room","userId":"visitor"}`, `{"type":"leave-room"}`)
	}
	body := `{"events":[` + strings.Join(events, ",") + `]}`

	started := time.Now()
	var visiting sync.WaitGroup
	for _, p := range all {
		visiting.Go(func() {
			for range batches {
				status, answer := p.batch(body)
				text, _ := json.Marshal(answer)
				if status != http.StatusOK || strings.Count(string(text), `"status":202`) != 2*visits {
					t.Errorf("%d %s", status, text)
				}
			}
		})
	}
	inRoom := make(map[any]bool)
	for range visitors * batches * visits * 2 {
		e := <-host.events
		socketID := e.json["socketId"]
		require.Equal(t, inRoom[socketID], e.kind == "user-disconnected", "%s", e.data)
		inRoom[socketID] = e.kind == "user-connected"
	}
	visiting.Wait()
	t.Logf("%.0f joins and leaves a second", visitors*batches*visits*2/time.Since(started).Seconds())
	host.quiet()
	_, room := s.get(t, "/rooms/room")
	require.EqualValues(t, 1, room["users"])
}
