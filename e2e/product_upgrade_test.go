package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	v1 "signaling-server/e2e/testdata/client-1.0.0/client"
)

// The upgrade from 1.0.0: what was written for it works with the server of today. Its clients
// are kept in testdata/client-1.0.0, its contract in testdata/released.yaml. The tests
// browser_released_ do the same with its browser client.

// An application in Go goes through all that a room offers, with the client of 1.0.0. All
// answers and events are what the contract of 1.0.0 says.
func TestTheReleasedGoClientWorks(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]v1.Options{"by streams": {}, "by polls": {Polling: true}} {
		t.Run(name, func(t *testing.T) {
			runsBeside(t)
			proxy := startShapingProxy(t, startServer(t, "AWAY_AFTER=1s"), nil)
			options.HTTP = newReleasedWitness(t).client()
			ada, bob := dialReleased(t, options, proxy.url), dialReleased(t, options, proxy.url)
			today := connect(t, proxy.url)

			ada.send(v1.JoinRoomMessage{RoomID: "team", UserID: "Ada", Metadata: map[string]any{"color": "red"}})
			require.Len(t, heard[v1.RoomJoinedEvent](ada).Users, 1)
			bob.send(v1.JoinRoomMessage{RoomID: "team", UserID: "Bob"})
			users := heard[v1.RoomJoinedEvent](bob).Users
			require.Equal(t, "red", users[0].Metadata["color"])
			require.Equal(t, "Bob", heard[v1.UserConnectedEvent](ada).UserID)

			exchange(t, ada, bob)

			// A client of today joins, is called, and leaves without a word.
			today.join("team", "Carol")
			carol := heard[v1.UserConnectedEvent](ada).SocketID
			heard[v1.UserConnectedEvent](bob)
			ada.send(v1.OfferMessage{Target: carol, Offer: v1.SessionDescription{Type: "offer", SDP: "v=0"}})
			var offer struct{ From string }
			today.await("offer", &offer)
			require.Equal(t, ada.SocketID(), offer.From)
			today.pause()
			require.Equal(t, carol, heard[v1.UserAwayEvent](bob).SocketID)
			heard[v1.UserAwayEvent](ada)

			// All that is open breaks. What is sent meanwhile arrives, once and in order.
			before := ada.SocketID()
			proxy.become(failing)
			sent := make(chan error, 1)
			go func() { sent <- bob.Send(bounded(t), v1.ChatMessage{Message: "while the link was broken"}) }()
			proxy.become(passing)
			require.NoError(t, <-sent)
			bob.send(v1.ChatMessage{Message: "after that"})
			require.Equal(t, "while the link was broken", heard[v1.NewMessageEvent](ada).Message)
			require.Equal(t, "after that", heard[v1.NewMessageEvent](ada).Message)
			require.Equal(t, before, ada.SocketID(), "the socket was resumed")
			today.resume()
			require.Equal(t, carol, heard[v1.UserBackEvent](ada).SocketID)

			sendTogether(t, bob)
			for n := range 20 {
				require.JSONEq(t, "true", string(heard[v1.SignalEvent](ada).Data), n)
			}
			require.NoError(t, bob.Close())
			require.Equal(t, "client disconnect", heard[v1.UserDisconnectedEvent](ada).Reason)
			ada.send(v1.LeaveRoomMessage{})
			require.Equal(t, "left", heard[v1.RoomLeftEvent](ada).Reason)
		})
	}
}

// exchange lets two members set a call up, and chat.
func exchange(t *testing.T, ada, bob *releasedClient) {
	t.Helper()
	offer := v1.SessionDescription{Type: "offer", SDP: "v=0\r\n"}
	ada.send(v1.OfferMessage{Target: bob.SocketID(), Offer: offer, Extra: map[string]any{"callId": 7}})
	offered := heard[v1.OfferEvent](bob)
	require.Equal(t, offer, offered.Offer)
	require.JSONEq(t, "7", string(offered.Extra["callId"]))
	bob.send(v1.AnswerMessage{Target: offered.From, Answer: v1.SessionDescription{Type: "answer", SDP: "v=0"}})
	require.Equal(t, bob.SocketID(), heard[v1.AnswerEvent](ada).From)
	mid := "0"
	ada.send(v1.ICECandidateMessage{Target: bob.SocketID(), Candidate: &v1.ICECandidate{Candidate: "candidate:1", SDPMid: &mid}})
	require.Equal(t, "0", *heard[v1.ICECandidateEvent](bob).Candidate.SDPMid)
	ada.send(v1.ICECandidateMessage{Target: bob.SocketID()})
	require.Nil(t, heard[v1.ICECandidateEvent](bob).Candidate, "the end of the candidates")

	ada.send(v1.TypingStartMessage{})
	require.True(t, heard[v1.UserTypingEvent](bob).IsTyping)
	ada.send(v1.ChatMessage{Message: "Hello"})
	require.Equal(t, "Hello", heard[v1.NewMessageEvent](bob).Message)
	require.Equal(t, "Ada", heard[v1.NewMessageEvent](ada).UserID)
	ada.send(v1.PingMessage{})
	require.NotZero(t, heard[v1.PongEvent](ada).Timestamp)

	var problem *v1.Problem
	require.ErrorAs(t, ada.Send(bounded(t), v1.ChatMessage{}), &problem)
	require.Equal(t, "validation-failed", problem.Name())
	require.Equal(t, "message", problem.Errors[0].Field)
}

// sendTogether sends many signals at once. What waits behind a POST goes in a batch.
func sendTogether(t *testing.T, from *releasedClient) {
	t.Helper()
	results := make(chan error)
	for range 20 {
		go func() { results <- from.Send(bounded(t), v1.SignalMessage{Data: true}) }()
	}
	for range 20 {
		require.NoError(t, <-results)
	}
}

// releasedClient is a Go client of 1.0.0 whose events a test awaits.
type releasedClient struct {
	*v1.Client
	t      *testing.T
	events chan v1.Event
}

func dialReleased(t *testing.T, options v1.Options, url string) *releasedClient {
	t.Helper()
	c, err := options.Dial(t.Context(), url)
	require.NoError(t, err)
	r := &releasedClient{Client: c, t: t, events: make(chan v1.Event, 256)}
	go func() { // ends with the client, which the cleanup waits for
		defer close(r.events)
		for event, err := range c.Events() {
			if err == nil { // otherwise it tries again
				r.events <- event
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		for range r.events {
		}
	})
	return r
}

func (r *releasedClient) send(m v1.Message) {
	r.t.Helper()
	require.NoError(r.t, r.Send(bounded(r.t), m))
}

// heard waits for an event of a type, and skips those of other types.
func heard[E v1.Event](r *releasedClient) E {
	r.t.Helper()
	ctx := bounded(r.t)
	for {
		select {
		case event, open := <-r.events:
			require.True(r.t, open, "the client has ended")
			if e, is := event.(E); is {
				return e
			}
		case <-ctx.Done():
			var missing E
			require.FailNow(r.t, "an event did not come", "%T", missing)
		}
	}
}

// An application without a client library reads a stream and posts. The bodies are those of
// 1.0.0, and so are the answers.
func TestAPlainApplicationOfTheLastReleaseWorks(t *testing.T) {
	runsBeside(t)
	url := startServer(t)
	witness := newReleasedWitness(t)
	client := witness.client()
	ada := connectBy(t, client.Transport, url)
	ada.join("team", "Ada")
	bob := &poller{t: t, client: client, url: url}
	hello := bob.poll(0).Events[0]
	bob.token = hello.Token
	bob.post(fields{"type": "join-room", "roomId": "team", "userId": "Bob"})
	ada.await("user-connected", nil)

	require.NoError(t, ada.send(bounded(t), fields{"type": "offer", "target": hello.SocketID, "offer": fields{"type": "offer", "sdp": "v=0"}}))
	got := bob.poll(10)
	require.Equal(t, "offer", got.Events[len(got.Events)-1].Type)
	batch := request(t, client, http.MethodPost, url+"/events/batch", bob.token, `{"events":[{"type":"typing-start"},{"type":"send-message","message":""},{"type":"send-message","message":"Hello"}]}`)
	require.Equal(t, []float64{202, 422, 202}, statuses(t, batch))
	ada.await("new-message", nil)

	// A stream that drops goes on after the last event.
	ada.pause()
	bob.post(fields{"type": "send-message", "message": "while Ada was away"})
	ada.resume()
	var message struct{ Message string }
	ada.await("new-message", &message)
	require.Equal(t, "while Ada was away", message.Message)

	// A page that unloads says so by a beacon, which has the token in its body.
	request(t, client, http.MethodPost, url+"/events", "", `{"type":"disconnect","token":"`+bob.token+`"}`)
	ada.await("user-disconnected", nil)
}

func statuses(t *testing.T, batch []byte) (all []float64) {
	var answer struct{ Results []struct{ Status float64 } }
	require.NoError(t, json.Unmarshal(batch, &answer))
	for _, result := range answer.Results {
		all = append(all, result.Status)
	}
	return all
}

// request makes a request that succeeds, and returns the body of its answer. Without a token it
// is that of a beacon.
func request(t *testing.T, client *http.Client, method, url, token, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(bounded(t), method, url, strings.NewReader(body))
	require.NoError(t, err)
	if token == "" { // a beacon
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	} else {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, string(answer))
	return answer
}

// Scripts, dashboards and alerts of operators read what 1.0.0 answered, and give its commands.
func TestMonitoringOfTheLastReleaseWorks(t *testing.T) {
	runsBeside(t)
	const token = "operators-token-1"
	url := startServer(t, "NODE_ENV=production", "ADMIN_TOKEN="+token)
	client := newReleasedWitness(t).client()
	ada, bob := connectBy(t, client.Transport, url), connectBy(t, client.Transport, url)
	ada.join("team", "Ada")
	bob.join("team", "Bob")
	for _, path := range []string{"/", "/health", "/livez", "/readyz", "/stats", "/rooms", "/rooms?q=Ada", "/rooms/team", "/connections", "/connections?limit=1", "/doctor.json", "/openapi.json"} {
		request(t, client, http.MethodGet, url+path, token, "")
	}
	metrics := string(request(t, client, http.MethodGet, url+"/metrics", token, ""))
	series, err := os.ReadFile("testdata/metrics-1.0.0.txt")
	require.NoError(t, err)
	for name := range strings.Lines(string(series)) {
		name = strings.Replace(strings.TrimSpace(name), `"readers per address"`, `"reading requests per address"`, 1) // CHANGELOG.md tells it
		require.True(t, strings.Contains(metrics, "\n"+name+" "), "1.0.0 had the series %s", name)
	}

	request(t, client, http.MethodPost, url+"/rooms/team/events", token, `{"type":"announcement","data":{"text":"Hello"}}`)
	ada.await("announcement", nil)
	request(t, client, http.MethodPost, url+"/rooms/team/lock", token, "")
	request(t, client, http.MethodDelete, url+"/rooms/team/lock", token, "")
	request(t, client, http.MethodDelete, url+"/rooms/team", token, "")
	ada.await("room-left", nil)
}
