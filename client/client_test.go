package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/httpapi"
	"signaling-server/httpapi/httpapitest"
	"signaling-server/iceservers"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

func TestTwoClientsSignal(t *testing.T) {
	for name, options := range map[string]client.Options{"by streams": {}, "by polls": {Polling: true}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{})
			a, b := s.dial(t, options), s.dial(t, options)
			require.Len(t, a.join("room", "Ada").Users, 1)
			b.send(client.JoinRoomMessage{RoomID: "room", UserID: "Bob", Metadata: map[string]any{"color": "red"}})
			users := next[client.RoomJoinedEvent](b).Users
			require.Equal(t, []string{"Ada", "Bob"}, []string{users[0].UserID, users[1].UserID})
			arrived := next[client.UserConnectedEvent](a)
			require.Equal(t, b.SocketID(), arrived.SocketID)
			require.Equal(t, "red", arrived.Metadata["color"])

			a.send(client.OfferMessage{Target: b.SocketID(), Offer: client.SessionDescription{Type: "offer", SDP: "v=0\r\n"}})
			offered := next[client.OfferEvent](b)
			require.Equal(t, client.OfferEvent{From: a.SocketID(), Target: b.SocketID(), Offer: client.SessionDescription{Type: "offer", SDP: "v=0\r\n"}}, offered)
			b.send(client.AnswerMessage{Target: offered.From, Answer: client.SessionDescription{Type: "answer", SDP: "v=0"}})
			require.Equal(t, b.SocketID(), next[client.AnswerEvent](a).From)
			mid := "0"
			a.send(client.ICECandidateMessage{Target: b.SocketID(), Candidate: &client.ICECandidate{Candidate: "candidate:1", SDPMid: &mid}})
			require.Equal(t, "0", *next[client.ICECandidateEvent](b).Candidate.SDPMid)
			a.send(client.ICECandidateMessage{Target: b.SocketID()})
			require.Nil(t, next[client.ICECandidateEvent](b).Candidate)

			a.send(client.SignalMessage{Data: map[string]any{"raised": true}})
			require.JSONEq(t, `{"raised":true}`, string(next[client.SignalEvent](b).Data))
			a.send(client.ChatMessage{Message: "Hello"})
			require.Equal(t, "Hello", next[client.NewMessageEvent](b).Message)
			require.Equal(t, "Ada", next[client.NewMessageEvent](a).UserID)
			a.send(client.TypingStartMessage{})
			require.True(t, next[client.UserTypingEvent](b).IsTyping)
			a.send(client.TypingStopMessage{})
			require.False(t, next[client.UserTypingEvent](b).IsTyping)
			a.send(client.PingMessage{})
			require.NotZero(t, next[client.PongEvent](a).Timestamp)
			a.send(client.LeaveRoomMessage{})
			require.Equal(t, "left", next[client.RoomLeftEvent](a).Reason)
			require.Equal(t, "left", next[client.UserDisconnectedEvent](b).Reason)
		})
	}
}

func TestClosingLeavesTheRoomAtOnce(t *testing.T) {
	s := newServer(t, sse.Options{ResumeWindow: time.Hour})
	a, b := s.dial(t, client.Options{}), s.dial(t, client.Options{})
	a.join("room", "Ada")
	b.join("room", "Bob")
	next[client.UserConnectedEvent](a)
	require.NoError(t, b.Close())
	require.Equal(t, "client disconnect", next[client.UserDisconnectedEvent](a).Reason)
	b.ended()
	require.ErrorIs(t, b.Send(t.Context(), client.PingMessage{}), client.ErrClosed)
	require.NoError(t, b.Close(), "again")
}

func TestAClientEndsWithItsContext(t *testing.T) {
	s := newServer(t, sse.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	c, err := client.Dial(ctx, s.URL)
	require.NoError(t, err)
	cancel()
	for event, err := range c.Events() {
		require.Fail(t, "something arrives", "%v %v", event, err)
	}
	require.ErrorIs(t, c.Send(t.Context(), client.PingMessage{}), client.ErrClosed)
	require.NoError(t, c.Close())
}

func TestOneLoopAtATimeReadsEventsAndTheNextLoopGoesOn(t *testing.T) {
	s := newServer(t, sse.Options{})
	c, err := client.Dial(t.Context(), s.URL)
	require.NoError(t, err)
	defer c.Close()
	for event := range c.Events() {
		require.IsType(t, client.ConnectedEvent{}, event)
		for _, err := range c.Events() {
			require.ErrorIs(t, err, client.ErrReading)
		}
		break
	}
	require.NoError(t, c.Join(t.Context(), "room", "Ada"))
	require.NoError(t, c.Send(t.Context(), client.PingMessage{}))
	for event := range c.Events() {
		require.IsType(t, client.RoomJoinedEvent{}, event)
		break
	}
	for event := range c.Events() {
		require.IsType(t, client.PongEvent{}, event)
		break
	}
}

func TestFurtherMembersOfSignalsTravelAlong(t *testing.T) {
	s := newServer(t, sse.Options{})
	a, b := s.dial(t, client.Options{}), s.dial(t, client.Options{})
	a.join("room", "Ada")
	b.join("room", "Bob")
	further := map[string]any{"callId": uint64(9007199254740993), "tags": []string{"x"}}
	want := map[string]json.RawMessage{"callId": json.RawMessage("9007199254740993"), "tags": json.RawMessage(`["x"]`)}

	description := client.SessionDescription{Type: "offer", SDP: "v=0"}
	a.send(client.OfferMessage{Target: b.SocketID(), Offer: description, Extra: further})
	require.Equal(t, want, next[client.OfferEvent](b).Extra)
	description.Type = "answer"
	a.send(&client.AnswerMessage{Target: b.SocketID(), Answer: description, Extra: further})
	require.Equal(t, want, next[client.AnswerEvent](b).Extra)
	a.send(client.ICECandidateMessage{Target: b.SocketID(), Extra: further})
	require.Equal(t, want, next[client.ICECandidateEvent](b).Extra)

	var problem *client.Problem
	err := a.Send(t.Context(), client.OfferMessage{Target: b.SocketID(), Offer: description, Extra: map[string]any{"target": "x"}})
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "target", problem.Errors[0].Field)
}

func TestARefusalIsAProblem(t *testing.T) {
	s := newServer(t, sse.Options{})
	c := s.dial(t, client.Options{})
	var problem *client.Problem
	require.ErrorAs(t, c.Join(t.Context(), "", "Ada"), &problem)
	require.Equal(t, "validation-failed", problem.Name())
	require.Equal(t, http.StatusUnprocessableEntity, problem.Status)
	require.Equal(t, "roomId", problem.Errors[0].Field)
	require.Contains(t, problem.Error(), "roomId is required")
	require.ErrorAs(t, c.Send(t.Context(), client.ChatMessage{Message: "x"}), &problem)
	require.Equal(t, "not-in-room", problem.Name())
}

func TestDialSaysWhatIsWrong(t *testing.T) {
	_, err := client.Dial(t.Context(), "localhost:3002")
	require.ErrorContains(t, err, "not an http or https URL")
	_, err = client.Dial(t.Context(), "http://127.0.0.1:1")
	require.ErrorContains(t, err, "connection refused")

	s := newServer(t, sse.Options{})
	s.Between(func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "<html>Please log in</html>", http.StatusForbidden)
		return true
	})
	_, err = client.Dial(t.Context(), s.URL)
	require.ErrorContains(t, err, "is there a proxy on the way?")
	require.NoError(t, s.Hub.Drain(t.Context()))
	s.Between(func(http.ResponseWriter, *http.Request) bool { return false })
	_, err = client.Dial(t.Context(), s.URL)
	require.ErrorContains(t, err, "draining")
}

// Messages that are sent while a request is under way share the next request.
func TestMessagesSentDuringARequestGoTogetherAndInOrder(t *testing.T) {
	s := newServer(t, sse.Options{})
	a, b := s.dial(t, client.Options{}), s.dial(t, client.Options{})
	a.join("room", "Ada")
	b.join("room", "Bob")
	next[client.UserConnectedEvent](a)

	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var posts atomic.Int32
	s.Between(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			posts.Add(1)
			once.Do(func() { close(held); <-release })
		}
		return false
	})
	var sending sync.WaitGroup
	results := make(chan error, 101)
	send := func(m client.Message) { sending.Go(func() { results <- a.Send(t.Context(), m) }) }
	send(client.SignalMessage{Data: -1})
	<-held
	for range 99 {
		send(client.SignalMessage{Data: 0})
	}
	send(client.SignalMessage{Target: "nobody", Data: 0})
	require.Eventually(t, func() bool { return a.Waiting() == 100 }, patience, time.Millisecond)
	close(release)
	sending.Wait()
	close(results)
	refused := 0
	for err := range results {
		var problem *client.Problem
		if errors.As(err, &problem) {
			require.Equal(t, "target-not-found", problem.Name(), "a refused message does not stop the others")
			refused++
			continue
		}
		require.NoError(t, err)
	}
	require.Equal(t, 1, refused)
	require.EqualValues(t, 3, posts.Load(), "one, 64 and 36 events")
	for range 100 {
		next[client.SignalEvent](b)
	}
}

// Some texts cannot be read, and would make the server refuse the messages that share their
// request.
func TestAMessageThatCannotBeReadStopsNoOther(t *testing.T) {
	s := newServer(t, sse.Options{})
	a := s.dial(t, client.Options{Polling: true}) // it sends no heartbeats, so the first POST is that of the ping
	a.join("room", "Ada")
	held, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	var once sync.Once
	s.Between(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			once.Do(func() { close(held); <-released })
		}
		return false
	})
	var sending sync.WaitGroup
	results := make([]error, 5)
	for i, m := range []client.Message{
		client.PingMessage{},
		client.SignalMessage{Data: json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200))},
		client.ChatMessage{Message: "\xed\xa0\xbd"}, // half an emoji
		client.SignalMessage{Data: json.RawMessage("\"\xff\\ud83d\"")},
		client.ChatMessage{Message: "Hello"},
	} {
		sending.Go(func() { results[i] = a.Send(t.Context(), m) })
		if i == 0 {
			<-held
			continue
		}
		require.Eventually(t, func() bool { return a.Waiting() == i }, patience, time.Millisecond)
	}
	release()
	sending.Wait()
	var problem *client.Problem
	require.ErrorAs(t, results[1], &problem)
	require.Equal(t, "malformed-json", problem.Name())
	results[1] = nil
	require.Equal(t, make([]error, 5), results)
	next[client.PongEvent](a)
	require.Equal(t, "\ufffd\ufffd\ufffd", next[client.NewMessageEvent](a).Message)
	require.Equal(t, "Hello", next[client.NewMessageEvent](a).Message)
}

// A connection whose answer was not read is closed, and the next event needs a new one.
func TestEventsOneAfterTheOtherGoOverOneConnection(t *testing.T) {
	var connections sync.Map
	s := newServer(t, sse.Options{})
	s.Between(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			connections.Store(r.RemoteAddr, true)
		}
		return false
	})
	a := s.dial(t, client.Options{})
	for range 10 {
		a.send(client.PingMessage{})
		next[client.PongEvent](a)
	}
	var all []any
	connections.Range(func(address, _ any) bool { all = append(all, address); return true })
	require.Len(t, all, 1)
}

// The proxy cuts streams and loses answers, as bad networks do.
func TestEventsArriveOnceAndInOrderOverABadNetwork(t *testing.T) {
	for name, options := range map[string]client.Options{"by streams": {}, "by polls": {Polling: true}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{})
			a, b := s.dial(t, options), s.dial(t, options)
			a.join("room", "Ada")
			b.join("room", "Bob")
			next[client.UserConnectedEvent](a)
			var requests, lost atomic.Int32
			s.Between(func(w http.ResponseWriter, r *http.Request) bool {
				if requests.Add(1)%3 != 0 {
					return false
				}
				lost.Add(1)
				if r.Method == http.MethodPost && rand.N(2) == 0 {
					panic(http.ErrAbortHandler) // the request is lost
				}
				ctx, cancel := context.WithTimeout(r.Context(), time.Duration(rand.N(20))*time.Millisecond)
				defer cancel()
				*r = *r.WithContext(ctx) // the answer may be cut
				return false
			})
			const count = 300
			var sending sync.WaitGroup
			sending.Go(func() {
				for i := range count {
					if err := a.Send(t.Context(), client.SignalMessage{Target: b.SocketID(), Data: i}); err != nil {
						t.Error(i, err)
					}
				}
			})
			for i := range count {
				if i%20 == 0 {
					s.Cut()
				}
				require.Equal(t, fmt.Sprint(i), string(next[client.SignalEvent](b).Data))
			}
			sending.Wait()
			require.NotZero(t, lost.Load())
			t.Logf("%d of %d requests were cut", lost.Load(), requests.Load())
		})
	}
}

func TestEventsComeByPollingIfStreamsAreHeldBack(t *testing.T) {
	ways := map[string]func(w http.ResponseWriter, r *http.Request){
		"nothing comes through": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"the header alone comes through": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"they end at once":        func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/event-stream") },
		"somebody else answers":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "No streams here", http.StatusForbidden) },
		"they are turned to text": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "data: {}") },
	}
	for name, holdBack := range ways {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sse.Options{})
			s.Between(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/events" || r.Method != http.MethodGet {
					return false
				}
				holdBack(w, r)
				return true
			})
			a := s.dial(t, client.Options{Patience: 50 * time.Millisecond})
			a.join("room", "Ada")
			a.send(client.PingMessage{})
			next[client.PongEvent](a)
		})
	}
}

// A silent stream is dead, even if its connection is still open.
func TestAStreamThatFallsSilentIsOpenedAgain(t *testing.T) {
	s := newServer(t, sse.Options{HeartbeatInterval: 100 * time.Millisecond})
	a := s.dial(t, client.Options{Patience: 200 * time.Millisecond})
	a.join("room", "Ada")
	var silenced atomic.Bool
	s.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && silenced.CompareAndSwap(false, true) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	})
	s.Cut()
	a.send(client.PingMessage{})
	next[client.PongEvent](a)
	require.True(t, silenced.Load())
}

func TestALostSocketIsReplacedByANewOne(t *testing.T) {
	s := newServer(t, sse.Options{})
	a := s.dial(t, client.Options{})
	before := a.SocketID()
	s.Hub.End(before, sse.TransportClose)
	require.NotEqual(t, before, next[client.ConnectedEvent](a).SocketID)
	a.join("room", "Ada")
}

func TestAKickedClientStaysOut(t *testing.T) {
	s := newServer(t, sse.Options{})
	a := s.dial(t, client.Options{})
	s.Hub.Kick(a.SocketID(), "Be nice")
	disconnected := next[client.DisconnectedEvent](a)
	require.Equal(t, "kicked", disconnected.Reason)
	require.Equal(t, "Be nice", disconnected.Detail)
	a.ended()
	var problem *client.Problem
	require.ErrorAs(t, a.Send(t.Context(), client.PingMessage{}), &problem)
	require.Equal(t, "unknown-session", problem.Name())
	require.NoError(t, a.Close())
}

func TestErrorsArriveWhileTheServerIsGone(t *testing.T) {
	s := newServer(t, sse.Options{})
	a := s.dial(t, client.Options{})
	var gone atomic.Bool
	gone.Store(true)
	s.Between(func(w http.ResponseWriter, _ *http.Request) bool {
		if gone.Load() {
			http.Error(w, "Bad gateway", http.StatusBadGateway)
		}
		return gone.Load()
	})
	s.Cut()
	require.ErrorContains(t, <-a.errs, "status 502")
	gone.Store(false)
	a.send(client.PingMessage{})
	next[client.PongEvent](a)
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	s := newServer(t, sse.Options{})
	a := s.dial(t, client.Options{})
	s.Between(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			http.Error(w, "", http.StatusBadGateway)
		}
		return r.Method == http.MethodPost
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, a.Send(ctx, client.PingMessage{}), context.DeadlineExceeded)
	s.Between(func(http.ResponseWriter, *http.Request) bool { return false })
	a.send(client.PingMessage{})
	next[client.PongEvent](a)
}

// A loop that has seen enough may call Close itself.
func TestAClientMayBeClosedWithinItsEvents(t *testing.T) {
	s := newServer(t, sse.Options{})
	for _, options := range []client.Options{{}, {Polling: true}} {
		c, err := options.Dial(t.Context(), s.URL)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { // ends with the loop
			var closing error
			for range c.Events() {
				closing = c.Close()
			}
			done <- closing
		}()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(patience):
			require.Fail(t, "Close waits for the loop that calls it")
		}
	}
}

func TestICEServersComeWithFreshCredentials(t *testing.T) {
	provider := iceservers.Provider{
		Static: []iceservers.Server{{URLs: []string{"stun:stun.example.com"}}},
		TURN:   []string{"turn:turn.example.com"}, Secret: "of the TURN server", TTL: time.Hour,
	}
	s := testServer{httpapitest.Start(t, signaling.Parts{API: httpapi.Options{ICEServers: provider}})}
	b := s.dial(t, client.Options{})
	servers, err := b.ICEServers(t.Context())
	require.NoError(t, err)
	require.Len(t, servers, 2)
	require.Equal(t, client.ICEServer{URLs: []string{"stun:stun.example.com"}}, servers[0])
	require.Equal(t, []string{"turn:turn.example.com"}, servers[1].URLs)
	require.Contains(t, servers[1].Username, b.SocketID())
	require.NotEmpty(t, servers[1].Credential)

	require.NoError(t, b.Close())
	_, err = b.ICEServers(t.Context())
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "unknown-session", problem.Name())
}
