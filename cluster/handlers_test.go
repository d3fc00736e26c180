package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/internal/clustertest"
	"signaling-server/machine"
	"signaling-server/server"
)

// handlers are nodes of a cluster that a test asks one by one.
type handlers []http.Handler

// exact are times without gathering: in fake time a command is applied when it is proposed.
var exact = func() cluster.Times {
	t := cluster.DefaultTimes()
	t.Gather = 0
	return t
}()

// withEngines runs a test in fake time with a node for each engine.
func withEngines(t *testing.T, engines func() []cluster.Engine, test func(t *testing.T, nodes handlers)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var nodes handlers
		for n, engine := range engines() {
			joined, err := server.Join(server.Parts{
				API:     httpapi.Options{CORSOrigins: []string{"*"}, Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
				Cluster: &cluster.Options{Name: fmt.Sprint("n", n), Engine: engine, Times: exact},
			})
			require.NoError(t, err)
			running.Go(func() { _ = joined.Run(ctx) })
			nodes = append(nodes, joined.Handler())
		}
		time.Sleep(time.Second) // until all have joined
		test(t, nodes)
		cancel()
		running.Wait()
	})
}

// ask sends a request to a node, and waits for the answer.
func (h handlers) ask(node int, method, path, token, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	h[node].ServeHTTP(answer, r)
	return answer
}

// open opens a socket at a node by a poll, and returns its token.
func (h handlers) open(t *testing.T, node int) (token string) {
	answer := h.ask(node, http.MethodGet, "/events/poll", "", "")
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var body struct{ Events []struct{ Token string } }
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
	return body.Events[0].Token
}

// lateCopies is a link whose copies of records are late.
type lateCopies struct {
	*clustertest.Link
	by time.Duration
}

// Follow implements [cluster.Engine].
func (l lateCopies) Follow(ctx context.Context, from uint64, heard func(uint64, []byte)) error {
	return l.Link.Follow(ctx, from, func(sequence uint64, record []byte) {
		time.AfterFunc(l.by, func() { heard(sequence, record) })
	})
}

// A node whose own record comes after one that it has not heard yet waits for that no longer
// than it takes.
func TestARecordIsAppliedWhenTheCopyBeforeItComes(t *testing.T) {
	const late = time.Millisecond
	engines := func() []cluster.Engine {
		log := clustertest.NewEngine()
		return []cluster.Engine{&clustertest.Link{Engine: log}, lateCopies{&clustertest.Link{Engine: log}, late}}
	}
	withEngines(t, engines, func(t *testing.T, nodes handlers) {
		token := nodes.open(t, 0)
		time.Sleep(time.Second)
		require.Equal(t, http.StatusAccepted, nodes.ask(0, http.MethodPost, "/events", token, `{"type":"ping"}`).Code)
		asked := time.Now()
		require.Equal(t, http.StatusAccepted, nodes.ask(1, http.MethodPost, "/events", token, `{"type":"ping"}`).Code)
		require.LessOrEqual(t, time.Since(asked), late)
	})
}

// A client that sends heartbeats is missed by the node that serves it, and each request to any
// node is a sign of life.
func TestARequestToAnyNodeIsASignOfLife(t *testing.T) {
	const beat = `{"type":"heartbeat"}`
	for name, request := range map[string]func(nodes handlers, token string) (status int){
		"a heartbeat": func(n handlers, token string) int { return n.ask(1, http.MethodPost, "/events", token, beat).Code },
		"another event": func(n handlers, token string) int {
			return n.ask(1, http.MethodPost, "/events", token, `{"type":"leave-room"}`).Code
		},
		"a wrong event": func(n handlers, token string) int {
			return n.ask(1, http.MethodPost, "/events", token, `{"type":"jump"}`).Code
		},
		"no JSON": func(n handlers, token string) int { return n.ask(1, http.MethodPost, "/events", token, `{`).Code },
		"an empty batch": func(n handlers, token string) int {
			return n.ask(1, http.MethodPost, "/events/batch", token, `{}`).Code
		},
		"a repeated POST": func(n handlers, token string) int {
			return n.ask(1, http.MethodPost, "/events", token, `{"type":"leave-room"}`, "Idempotency-Key", "1").Code
		},
		"a question": func(n handlers, token string) int { return n.ask(1, http.MethodGet, "/ice-servers", token, "").Code },
	} {
		t.Run(name, func(t *testing.T) {
			engines := func() []cluster.Engine {
				log := clustertest.NewEngine()
				return []cluster.Engine{&clustertest.Link{Engine: log}, &clustertest.Link{Engine: log}}
			}
			withEngines(t, engines, func(t *testing.T, nodes handlers) {
				token := nodes.open(t, 0)
				require.Equal(t, http.StatusConflict, nodes.ask(1, http.MethodPost, "/events", token, `{"type":"leave-room"}`, "Idempotency-Key", "1").Code)
				var answered time.Time
				go func() {
					nodes.ask(0, http.MethodGet, "/events/poll?wait=60", token, "")
					answered = time.Now()
				}()
				synctest.Wait()
				require.Equal(t, http.StatusAccepted, nodes.ask(1, http.MethodPost, "/events", token, beat).Code)
				var last time.Time
				for range 3 { // soon one after the other
					time.Sleep(400 * time.Millisecond)
					last = time.Now()
					require.NotEqual(t, http.StatusUnauthorized, request(nodes, token))
				}
				time.Sleep(30 * time.Second)
				synctest.Wait()
				const patience, tick = 18 * time.Second, 250 * time.Millisecond
				require.GreaterOrEqual(t, answered.Sub(last), patience)
				require.LessOrEqual(t, answered.Sub(last), patience+2*tick)
			})
		})
	}
}

// overheard is a link that keeps the commands that its node appends.
type overheard struct {
	*clustertest.Link
	commands *[]machine.Command
}

// Append implements [cluster.Engine].
func (o overheard) Append(ctx context.Context, id string, text []byte) (uint64, error) {
	record, err := machine.ReadRecord(text)
	if err != nil {
		return 0, err
	}
	*o.commands = append(*o.commands, record.Commands...)
	return o.Link.Append(ctx, id, text)
}

// What a POST says beside its events is in the same command: the POST never waits for two.
func TestAPostIsOneCommand(t *testing.T) {
	var commands []machine.Command
	engines := func() []cluster.Engine {
		log := clustertest.NewEngine()
		return []cluster.Engine{&clustertest.Link{Engine: log}, overheard{&clustertest.Link{Engine: log}, &commands}}
	}
	withEngines(t, engines, func(t *testing.T, nodes handlers) {
		token := nodes.open(t, 0)
		post := func(body string, header ...string) {
			require.Equal(t, http.StatusAccepted, nodes.ask(1, http.MethodPost, "/events", token, body, header...).Code)
		}
		post(`{"type":"heartbeat"}`)
		post(`{"type":"ping"}`)
		nodes.ask(0, http.MethodGet, "/events/poll", token, "")
		time.Sleep(1010 * time.Millisecond) // now node 1 has nothing else to say
		synctest.Wait()
		commands = nil
		post(`{"type":"ping"}`, "Last-Event-ID", token+".1")
		synctest.Wait()
		require.Len(t, commands, 1)
		require.EqualValues(t, 1, commands[0].Post.Confirmed)
	})
}
