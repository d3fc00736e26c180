package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/webhooks"
)

// backEnd receives webhooks. It fails now and then.
type backEnd struct {
	t     *testing.T
	mu    sync.Mutex // guards what follows
	tried int
	order []string          // IDs, without repeats
	all   map[string]string // bodies by ID
}

func (b *backEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tried++; b.tried%7 == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	id := r.Header.Get("webhook-id")
	if before, isRepeat := b.all[id]; isRepeat && before != string(body) {
		b.t.Errorf("%s is %s, and was %s", id, body, before)
	} else if !isRepeat {
		b.order, b.all[id] = append(b.order, id), string(body)
	}
}

func (b *backEnd) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.order)
}

// The node that sends webhooks is killed, and then the next. Another goes on each time: nothing is
// missing, and the changes of each room come in order.
func TestWebhooksOutliveTheNodeThatSendsThem(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		b := &backEnd{t: t, all: make(map[string]string)}
		c := newNodes(t, func(c *nodes) {
			c.backEnd, c.hooks = b, &webhooks.Options{URL: theBackEnd, Secrets: [][]byte{make([]byte, 24)}, Transport: c.http.Transport}
		})
		stop := make(chan struct{})
		var members sync.WaitGroup
		for i := range 4 {
			one := c.call("")
			members.Go(func() {
				for range one.Events() { // ends with the client
				}
			})
			members.Go(func() {
				defer one.Close()
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					case <-time.After(pause):
					}
					if one.Send(t.Context(), client.JoinRoomMessage{RoomID: fmt.Sprint("room", n%3), UserID: fmt.Sprint("user", i)}) != nil {
						t.Error("a member could not join")
					}
				}
			})
		}
		for _, name := range []string{"n1", "n2"} {
			before := b.count()
			soon(t, "the back end hears more", func() bool { return b.count() > before+20 })
			for _, n := range c.list() {
				if n.name == name {
					require.Contains(t, n.webhooks(), `"sending":true`)
					c.kill(n)
				}
			}
		}
		before := b.count()
		soon(t, "the back end hears more", func() bool { return b.count() > before+20 })
		close(stop)
		members.Wait()
		last := c.list()[0]
		soon(t, "nothing waits", func() bool { return strings.Contains(last.webhooks(), `"waiting":0`) })

		b.mu.Lock()
		defer b.mu.Unlock()
		source, _, _ := strings.Cut(strings.TrimPrefix(b.order[0], "msg_"), "_")
		for n := range b.order {
			require.Contains(t, b.all, fmt.Sprintf("msg_%s_%d", source, n+1))
		}
		inside := make(map[string]map[string]bool)
		for _, id := range b.order {
			var hook struct {
				Type string
				Data struct{ RoomID, SocketID string }
			}
			require.NoError(t, json.Unmarshal([]byte(b.all[id]), &hook))
			room, exists := inside[hook.Data.RoomID]
			switch hook.Type {
			case "room-created":
				require.False(t, exists)
				inside[hook.Data.RoomID] = make(map[string]bool)
			case "member-joined":
				require.True(t, exists && !room[hook.Data.SocketID])
				room[hook.Data.SocketID] = true
			case "member-left":
				require.True(t, room[hook.Data.SocketID])
				delete(room, hook.Data.SocketID)
			case "room-closed":
				require.True(t, exists && len(room) == 0)
				delete(inside, hook.Data.RoomID)
			}
		}
		require.Empty(t, inside)
	})
}

// webhooks returns what a node says of the webhooks.
func (n *node) webhooks() string {
	_, body := n.get("/webhooks")
	return body
}
