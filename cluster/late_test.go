package cluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// plain is a stream as an EventSource has it.
type plain struct {
	t      *testing.T
	events chan map[string]any // closed when the stream ends
}

// listen opens a stream, from an id if there is one, and reads it until ctx ends.
func (c *nodes) listen(ctx context.Context, url, id string) *plain {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	require.NoError(c.t, err)
	r.Header.Set("Accept", "text/event-stream")
	if id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	p := &plain{t: c.t, events: make(chan map[string]any, 4096)}
	go func() { // ends with the stream
		defer close(p.events)
		answer, err := c.http.Do(r)
		if err != nil {
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
				var event map[string]any
				_ = json.Unmarshal([]byte(data), &event) // what is not JSON has no type
				p.events <- event
			}
		}
	}()
	return p
}

// next returns the next event of a type.
func (p *plain) next(kind string) map[string]any {
	p.t.Helper()
	for {
		select {
		case event, open := <-p.events:
			require.True(p.t, open, "the stream has ended before %s", kind)
			if event["type"] == kind {
				return event
			}
		case <-time.After(10 * time.Second):
			require.Fail(p.t, "no "+kind)
		}
	}
}

// requireNotReplaced fails if the stream has ended because another has taken over. On a busy
// machine it may have ended because its node was out.
func (p *plain) requireNotReplaced() {
	p.t.Helper()
	for len(p.events) > 0 {
		require.NotEqual(p.t, "replaced", (<-p.events)["reason"])
	}
}

// post posts an event under a key, and returns the status, or 0 if there is no answer in time.
func (c *nodes) post(within time.Duration, url, token, key, body string) int {
	ctx, cancel := context.WithTimeout(c.t.Context(), within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/events", strings.NewReader(body))
	require.NoError(c.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	answer, err := c.http.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// insist posts an event under a key until it is accepted.
func (c *nodes) insist(url, token, key, body string) {
	c.t.Helper()
	soon(c.t, "it is accepted", func() bool { return c.post(5*time.Second, url, token, key, body) == http.StatusAccepted })
}

// While a node is cut off, what it was asked for waits in the record under way. The record comes
// into the log when the link is back, after whatever the client has done at other nodes.

func TestALateAttachmentTakesNothingOver(t *testing.T) {
	for _, cut := range []time.Duration{4 * time.Second, 10 * time.Second} {
		t.Run(fmt.Sprint("after ", cut), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				c := newNodes(t)
				all := c.list()
				n1, n2 := c.at(all[0]), c.at(all[1])
				first, stop := context.WithCancel(t.Context())
				connected := c.listen(first, n2, "").next("connected")
				id := connected["token"].(string) + ".0"

				all[0].link.SetCut(true)
				began := time.Now()
				stop() // the stream breaks, and the client tries the node that is cut off
				tried, giveUp := context.WithTimeout(t.Context(), time.Second)
				c.listen(tried, n1, id)
				<-tried.Done()
				giveUp()
				again, end := context.WithCancel(t.Context())
				defer end()
				stream := c.listen(again, n2, id)
				require.Equal(t, true, stream.next("connected")["resumed"])
				time.Sleep(time.Until(began.Add(cut)))
				all[0].link.SetCut(false)
				soon(t, "the node is back", all[0].isReady)
				time.Sleep(3 * time.Second)
				stream.requireNotReplaced()
			})
		})
	}
}

// A server remembers the last 64 keys of a socket. A record may come minutes late.
func TestALatePostIsNotAppliedAgain(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		all := c.list()
		n1, n2 := c.at(all[0]), c.at(all[1])
		ctx, end := context.WithCancel(t.Context())
		defer end()
		stream := c.listen(ctx, n2, "")
		token := stream.next("connected")["token"].(string)
		c.insist(n2, token, "join", `{"type":"join-room","roomId":"r","userId":"u"}`)
		stream.next("room-joined")

		all[0].link.SetCut(true)
		message := `{"type":"send-message","message":"once"}`
		require.Equal(t, 0, c.post(time.Second, n1, token, "k", message), "no answer")
		c.insist(n2, token, "k", message)
		for i := range 64 {
			c.insist(n2, token, fmt.Sprint(i), `{"type":"ping"}`)
		}
		time.Sleep(2 * c.times.LostAfter) // the others take it for lost
		all[0].link.SetCut(false)
		soon(t, "the node is back", all[0].isReady)
		c.insist(n2, token, "last", `{"type":"send-message","message":"last"}`)
		require.Equal(t, "once", stream.next("new-message")["message"])
		require.Equal(t, "last", stream.next("new-message")["message"])
	})
}

// A client that reaches a node that was cut off just now must get to another within its resume
// window, whether the node knows its socket or not.
func TestANodeThatIsCutOffHoldsNoReader(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newNodes(t)
		all := c.list()
		n1, n2 := c.at(all[0]), c.at(all[1])
		ctx, end := context.WithCancel(t.Context())
		defer end()
		known := c.listen(ctx, n2, "").next("connected")["token"].(string)
		c.insist(n1, known, "k", `{"type":"ping"}`) // so n1 knows it
		all[0].link.SetCut(true)
		unknown := c.listen(ctx, n2, "").next("connected")["token"].(string)
		began := time.Now()
		streams := []*plain{c.listen(ctx, n1, known+".0"), c.listen(ctx, n1, unknown+".0"), c.listen(ctx, n1, "")}
		for _, stream := range streams {
			require.Equal(t, "draining", stream.next("disconnected")["reason"])
		}
		require.Less(t, time.Since(began), c.times.UnknownIn)
	})
}
