package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signaling-server/client"
)

// change is what a webhook tells.
type change struct {
	Type string
	Data struct{ RoomID, UserID, SocketID, Reason string }
}

func (c change) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %q %s", c.Type, c.Data.RoomID, c.Data.Reason))
}

// hook is a webhook as it was accepted first.
type hook struct {
	change
	body     string
	source   string
	sequence int
}

// moodyBackEnd receives webhooks, and fails at random.
type moodyBackEnd struct {
	t      *testing.T
	secret *standardwebhooks.Webhook

	mu       sync.Mutex // guards what follows
	holds    bool       // no webhook is answered
	held     int        // how many wait for an answer
	released chan struct{}
	failed   map[string]int // how often, by the way
	repeats  int
	first    map[string]hook // by the ID
	order    []hook          // as they came first
}

// moods are the ways in which the back end fails. One of a hundred webhooks meets each.
var moods = []string{"500", "410", "429", "hangs", "closes the connection", "keeps it and closes the connection"}

func newMoodyBackEnd(t *testing.T) *moodyBackEnd {
	secret, err := standardwebhooks.NewWebhook(webhookSecret)
	require.NoError(t, err)
	return &moodyBackEnd{t: t, secret: secret, released: make(chan struct{}), failed: make(map[string]int), first: make(map[string]hook)}
}

// ServeHTTP implements [http.Handler].
func (b *moodyBackEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	assert.NoError(b.t, b.secret.Verify(body, r.Header))
	b.hold(r.Context())
	mood := b.mood()
	switch mood {
	case "":
		b.keep(r.Header.Get("webhook-id"), body)
	case "429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case "hangs":
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
		panic(http.ErrAbortHandler)
	case "keeps it and closes the connection":
		b.keep(r.Header.Get("webhook-id"), body)
		panic(http.ErrAbortHandler)
	case "closes the connection":
		panic(http.ErrAbortHandler)
	default:
		status, _ := strconv.Atoi(mood)
		w.WriteHeader(status)
	}
}

// hold waits while no webhook is answered. The sender may be killed meanwhile.
func (b *moodyBackEnd) hold(ctx context.Context) {
	b.mu.Lock()
	holds, released := b.holds, b.released
	if holds {
		b.held++
	}
	b.mu.Unlock()
	if holds {
		select {
		case <-ctx.Done():
		case <-released:
		}
	}
}

// mood returns in which way the next webhook fails; empty: it is accepted.
func (b *moodyBackEnd) mood() (mood string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if dice := rand.IntN(100); dice < len(moods) {
		mood = moods[dice]
		b.failed[mood]++
	}
	return mood
}

// keep notes a webhook. One with the same ID must be the same.
func (b *moodyBackEnd) keep(id string, body []byte) {
	one := hook{body: string(body)}
	parts := strings.Split(id, "_") // msg, the source, and the sequence
	if !assert.Len(b.t, parts, 3, id) || !assert.NoError(b.t, json.Unmarshal(body, &one.change)) {
		return
	}
	one.source = parts[1]
	one.sequence, _ = strconv.Atoi(parts[2])
	b.mu.Lock()
	defer b.mu.Unlock()
	if before, isRepeat := b.first[id]; isRepeat {
		b.repeats++
		assert.Equal(b.t, before.body, one.body, id)
		return
	}
	b.first[id] = one
	b.order = append(b.order, one)
}

func (b *moodyBackEnd) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.order)
}

// holdAll answers no webhook from now on, and waits until some wait for an answer.
func (b *moodyBackEnd) holdAll() {
	b.mu.Lock()
	b.holds, b.held = true, 0
	b.mu.Unlock()
	until(b.t, "holding webhooks", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.held > 0
	})
}

// goOn answers all webhooks again.
func (b *moodyBackEnd) goOn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holds = false
	close(b.released)
}

// awaitMore waits until the back end has kept so many more webhooks.
func (b *moodyBackEnd) awaitMore(many int) {
	before := b.count()
	until(b.t, fmt.Sprintf("receiving %d more webhooks", many), func() bool { return b.count() >= before+many })
}

// awaitAll waits until a node says that no webhook waits, and returns all, as they came first.
func (b *moodyBackEnd) awaitAll(node string) []hook {
	until(b.t, "having all webhooks", func() bool { return strings.Contains(toldOfWebhooks(b.t, node), `"waiting":0`) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.Logf("%d webhooks, %d repeats, failures: %v", len(b.order), b.repeats, b.failed)
	return slices.Clone(b.order)
}

// hookRooms are the rooms of the members. Their IDs hold what may hurt on the way.
var hookRooms = []string{"tea", "größer", "部屋", "شاي", "\u2067שלום\u2069", "🫖 & <b>", "a.b", `"quoted\"`, "%0a{}", "\ufffd\U0010ffff", "1", "2", "3", "4", "5", "6", "7", "8"}

// walks are what users have done, as webhooks must tell it.
type walks struct {
	walkers sync.WaitGroup

	mu     sync.Mutex // guards what follows
	byUser map[string][]string
}

// startWalks lets so many walk through rooms, one socket after the other, until ctx ends. The caller
// calls await then.
func startWalks(t *testing.T, url string, many int, ctx context.Context) *walks {
	w := &walks{byUser: make(map[string][]string)}
	t.Cleanup(w.await)
	for i := range many {
		w.walkers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				w.walk(t, url, fmt.Sprintf("walker%d-%d", i, n))
			}
		})
	}
	return w
}

func (w *walks) await() { w.walkers.Wait() }

func (w *walks) tell(user, kind, room, reason string) {
	var one change
	one.Type, one.Data.RoomID, one.Data.Reason = kind, room, reason
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byUser[user] = append(w.byUser[user], one.String())
}

// walk goes through rooms with a socket of its own, unless a node that stops refuses it.
func (w *walks) walk(t *testing.T, url, user string) {
	c, err := client.Dial(bounded(t), url)
	if err != nil {
		time.Sleep(100 * time.Millisecond)
		return
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer c.Close()
	reading.Go(func() {
		for range c.Events() { // ends with the client; its errors are those of nodes that are killed
		}
	})
	room := ""
	for range 1 + rand.IntN(6) {
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		if next := hookRooms[rand.IntN(len(hookRooms))]; next == room {
			assert.NoError(t, c.Send(bounded(t), client.LeaveRoomMessage{}))
			w.tell(user, "member-left", room, "left")
			room = ""
		} else {
			assert.NoError(t, c.Send(bounded(t), client.JoinRoomMessage{RoomID: next, UserID: user}))
			if room != "" {
				w.tell(user, "member-left", room, "left")
			}
			w.tell(user, "member-joined", next, "")
			room = next
		}
	}
	_ = c.Send(bounded(t), client.DisconnectMessage{}) // if the answer is lost with its node, the repeat finds no socket
	if room != "" {
		w.tell(user, "member-left", room, "client disconnect")
	}
}

// The node that posts is killed in the middle of it, and all nodes are replaced, while the receiver
// fails at random. In the end it has each change, and those of each room in order.
func TestWebhooksOutliveTheNodesOfACluster(t *testing.T) {
	runsBeside(t)
	backEnd := newMoodyBackEnd(t)
	web := httptest.NewServer(backEnd)
	defer web.Close()
	f := startFleet(t, nil, append(noLimits, "WEBHOOK_URL="+web.URL, "WEBHOOK_SECRET="+webhookSecret)...)
	awaitFleet(t, f)

	walking, stop := context.WithCancel(t.Context())
	defer stop()
	all := startWalks(t, f.URL, 12, walking)
	backEnd.awaitMore(60)
	require.Contains(t, toldOfWebhooks(t, f.Nodes[0].URL), `"sending":true`)
	backEnd.holdAll()
	f.Nodes[0].Kill()
	backEnd.goOn()
	backEnd.awaitMore(60)
	require.Contains(t, toldOfWebhooks(t, f.Nodes[1].URL), `"sending":true`)
	require.NoError(t, f.Nodes[0].Start())
	for _, node := range []int{2, 1, 0} {
		require.NoError(t, f.Nodes[node].AwaitReady(bounded(t)))
		require.NoError(t, f.Nodes[node].Stop())
		require.NoError(t, f.Nodes[node].Start())
	}
	awaitFleet(t, f)
	backEnd.awaitMore(50)
	stop()
	all.await()
	hooks := backEnd.awaitAll(f.Nodes[0].URL)
	require.Positive(t, backEnd.repeats)
	require.Len(t, backEnd.failed, len(moods), "the receiver has failed in each way")
	requireNoGap(t, hooks)
	require.Empty(t, requireOrder(t, hooks))
	requireChangesOf(t, hooks, all.byUser)
}

// inSequence returns webhooks by their numbers.
func inSequence(all []hook) []hook {
	return slices.SortedFunc(slices.Values(all), func(one, other hook) int { return cmp.Compare(one.sequence, other.sequence) })
}

// requireNoGap requires that webhooks have all numbers of one source.
func requireNoGap(t *testing.T, all []hook) {
	t.Helper()
	for i, one := range inSequence(all) {
		require.Equal(t, i+1, one.sequence)
		require.Equal(t, all[0].source, one.source)
	}
}

// requireOrder requires that the webhooks of each room came in order, and make sense: nobody leaves
// who was not there, and nothing comes after room-closed but room-created. It returns who is in which
// room in the end.
func requireOrder(t *testing.T, all []hook) (inside map[string]map[string]bool) {
	t.Helper()
	last := make(map[string]int)
	inside = make(map[string]map[string]bool)
	for _, one := range all {
		require.Greater(t, one.sequence, last[one.Data.RoomID], "%v", one)
		last[one.Data.RoomID] = one.sequence
		room, exists := inside[one.Data.RoomID]
		switch one.Type {
		case "room-created":
			require.False(t, exists, "%v", one)
			inside[one.Data.RoomID] = make(map[string]bool)
		case "member-joined":
			require.True(t, exists && !room[one.Data.SocketID], "%v", one)
			room[one.Data.SocketID] = true
		case "member-left":
			require.True(t, room[one.Data.SocketID], "%v", one)
			delete(room, one.Data.SocketID)
		case "room-closed":
			require.True(t, exists && len(room) == 0, "%v", one)
			delete(inside, one.Data.RoomID)
		default:
			require.Fail(t, "an unknown webhook", "%v", one)
		}
	}
	return inside
}

// requireChangesOf requires that the webhooks of each walker say what it has done, in order.
func requireChangesOf(t *testing.T, all []hook, want map[string][]string) {
	t.Helper()
	got := make(map[string][]string)
	for _, one := range inSequence(all) {
		if user := one.Data.UserID; strings.HasPrefix(user, "walker") {
			got[user] = append(got[user], one.String())
		}
	}
	for user, changes := range want {
		require.Equal(t, changes, got[user], user)
		delete(got, user)
	}
	require.Empty(t, got)
}

// toldOfWebhooks returns what a node tells of the webhooks.
func toldOfWebhooks(t *testing.T, url string) string {
	t.Helper()
	text, err := json.Marshal(told(t, url+"/webhooks"))
	require.NoError(t, err)
	return string(text)
}
