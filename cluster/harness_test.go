package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/internal/clustertest"
	"signaling-server/rooms"
	"signaling-server/server"
	"signaling-server/sse"
	"signaling-server/webhooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logged is what a node has logged. If CLUSTER_LOG is set, it also goes to standard error, with
// what nodes log at debug.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) logger(name string) *slog.Logger {
	level := slog.LevelInfo
	if os.Getenv("CLUSTER_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level})).With("n", name)
}

// Write implements [io.Writer].
func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if os.Getenv("CLUSTER_LOG") != "" {
		os.Stderr.Write(line)
	}
	return l.text.Write(line)
}

// count returns how many lines have a text in them.
func (l *logged) count(text string) (lines int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			lines++
		}
	}
	return lines
}

// inFakeTime runs a test in a bubble, in which time is fake and all nodes have the times of
// production.
func inFakeTime(t *testing.T, test func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, test)
}

// node is one node of a cluster in this process.
type node struct {
	name   string
	log    *logged
	link   *clustertest.Link
	server *server.Server
	killed chan struct{} // closed when it is killed
	leave  func()        // stops it in order
}

// nodes are a cluster behind a round robin, in fake time.
type nodes struct {
	t       *testing.T
	engine  *clustertest.Engine
	lossy   int           // see clustertest.Link
	delay   time.Duration // of the links; a random part of it
	times   cluster.Times
	tracer  trace.Tracer      // nil: nothing is traced
	hooks   *webhooks.Options // nil: no webhooks are sent
	backEnd http.Handler      // receives the webhooks
	// arrives is each link's OnAppend. nil: all is answered
	arrives func(n *node, isRepeat bool) (isAnswered bool)
	http    *http.Client

	next  atomic.Uint64
	mu    sync.RWMutex // guards what follows
	alive []*node
}

// newNodes starts a cluster of three nodes. What set does comes before.
func newNodes(t *testing.T, set ...func(*nodes)) *nodes {
	network := clustertest.NewNetwork()
	transport := network.Transport()
	c := &nodes{t: t, engine: clustertest.NewEngine(), times: cluster.DefaultTimes(), http: &http.Client{Transport: transport}}
	for _, one := range set {
		one(c)
	}
	for i := range 3 {
		c.start(fmt.Sprintf("n%d", i+1))
	}
	web := &http.Server{Handler: http.HandlerFunc(c.route)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(network) })
	t.Cleanup(func() {
		for _, n := range c.list() {
			c.kill(n)
		}
		_ = web.Close()
		serving.Wait()
		transport.CloseIdleConnections()
	})
	return c
}

// The addresses of the round robin, and of what receives webhooks.
const (
	theCluster = "http://cluster"
	theBackEnd = "http://back-end"
)

// at returns the address of one node, past the round robin.
func (c *nodes) at(n *node) string { return "http://" + n.name }

// route hands a request to whatever has the address.
func (c *nodes) route(w http.ResponseWriter, r *http.Request) {
	switch address := "http://" + r.Host; address {
	case theCluster:
		c.serve(w, r)
	case theBackEnd:
		c.backEnd.ServeHTTP(w, r)
	default:
		for _, n := range c.list() {
			if c.at(n) == address {
				n.server.Handler().ServeHTTP(w, r)
			}
		}
	}
}

// start starts a node, and waits until it serves.
func (c *nodes) start(name string) *node {
	n := c.begin(name)
	soon(c.t, name+" is ready", n.isReady)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive = append(c.alive, n)
	return n
}

// begin starts a node. The caller stops it.
func (c *nodes) begin(name string) *node {
	n := &node{name: name, log: &logged{}, link: &clustertest.Link{Engine: c.engine, Lossy: c.lossy, Delay: c.delay}, killed: make(chan struct{})}
	if c.arrives != nil {
		n.link.OnAppend = func(isRepeat bool) bool { return c.arrives(n, isRepeat) }
	}
	logger := n.log.logger(name)
	joined, err := server.Join(server.Parts{
		SSE:      sse.Options{Logger: logger},
		Rooms:    rooms.Options{Members: 100},
		API:      httpapi.Options{CORSOrigins: []string{"*"}, Pages: fstest.MapFS{}, Client: fstest.MapFS{}, Logger: logger, Tracer: c.tracer},
		Cluster:  &cluster.Options{Name: name, Engine: n.link, Times: c.times, Logger: logger},
		Webhooks: c.hooks,
	})
	require.NoError(c.t, err)
	n.server = joined
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { joined.Run(ctx) })
	n.leave = func() {
		close(n.killed)
		cancel()
		running.Wait()
	}
	return n
}

func (n *node) isReady() bool {
	status, _ := n.get("/readyz")
	return status == http.StatusOK
}

// get asks this node.
func (n *node) get(path string) (status int, body string) {
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Host = "localhost"
	n.server.Handler().ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}

func (c *nodes) list() []*node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return append([]*node(nil), c.alive...)
}

// forget sends no more requests to a node.
func (c *nodes) forget(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive = slices.DeleteFunc(slices.Clone(c.alive), func(other *node) bool { return other == n })
}

// kill ends a node as kill -9 does: what it has not sent is lost, and its connections break.
func (c *nodes) kill(n *node) {
	c.forget(n)
	n.link.SetCut(true) // nothing that it still does is heard of
	n.leave()
}

// serve hands each request to the next node that lives.
func (c *nodes) serve(w http.ResponseWriter, r *http.Request) {
	all := c.list()
	if len(all) == 0 {
		panic(http.ErrAbortHandler)
	}
	n := all[c.next.Add(1)%uint64(len(all))]
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { // ends with the request
		defer close(done)
		select {
		case <-n.killed:
			cancel()
		case <-ctx.Done():
		}
	}()
	m := &mortal{ResponseWriter: w, killed: n.killed}
	n.server.Handler().ServeHTTP(m, r.WithContext(ctx))
	cancel()
	<-done
	select {
	case <-n.killed:
		panic(http.ErrAbortHandler) // its connection breaks
	default:
	}
}

// mortal is an answer that breaks when its node is killed.
type mortal struct {
	http.ResponseWriter
	killed chan struct{}
}

// Write implements [http.ResponseWriter].
func (m *mortal) Write(text []byte) (int, error) {
	select {
	case <-m.killed:
		return 0, clustertest.ErrCut
	default:
		return m.ResponseWriter.Write(text)
	}
}

// Unwrap is for [http.ResponseController].
func (m *mortal) Unwrap() http.ResponseWriter { return m.ResponseWriter }
