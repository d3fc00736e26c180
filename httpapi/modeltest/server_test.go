package modeltest

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/cluster"
	"signaling-server/httpapi"
	"signaling-server/internal/clustertest"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// modelServer is the whole server in fake time: one node, or several behind a round robin.
type modelServer struct {
	// set once
	options    sse.Options
	maxMembers int
	log        *clustertest.Engine // nil: there is one node
	nodes      []*modelNode

	last int // the node that got the last connection

	mu      sync.Mutex // guards the fields below
	touched []string   // the IDs of the sockets that ended, went away or came back, oldest first
}

// modelNode is one node of the server, from its start to its end.
type modelNode struct {
	name string

	// set by start
	network *clustertest.Network
	hub     *sse.Hub
	link    *clustertest.Link // nil: there is one node
	stop    func()
	state   func() []byte // after stop

	left []byte // by another process, whose state the node goes on with; nil: by none

	isStopped bool   // no connection leads to it
	heard     uint64 // if it is killed: the last record that was searched for the news of that
}

// startModelServer starts a server of so many nodes. It stops at the end of the check.
func startModelServer(t *rapid.T, nodes int, options sse.Options, maxMembers int) *modelServer {
	s := &modelServer{options: options, maxMembers: maxMembers}
	if nodes > 1 {
		s.log = clustertest.NewEngine()
	}
	for n := range nodes {
		s.nodes = append(s.nodes, &modelNode{name: fmt.Sprint("node", n)})
		s.start(t, s.nodes[n], 0)
	}
	t.Cleanup(func() {
		for _, n := range s.nodes {
			n.stop()
		}
	})
	return s
}

// start starts a node, which begins to work after a time.
func (s *modelServer) start(t *rapid.T, n *modelNode, after time.Duration) {
	parts := signaling.Parts{
		SSE:     s.options,
		Rooms:   rooms.Options{Members: s.maxMembers},
		API:     httpapi.Options{CORSOrigins: []string{"*"}, Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
		Courier: func(c rooms.Courier) rooms.Courier { return keyless{c} },
	}
	if n == s.nodes[0] { // all nodes observe the same
		parts.Observe = s.touch
	}
	if s.log != nil {
		times := cluster.DefaultTimes()
		times.Gather = 0 // so that all happens when the oracle says
		n.link = &clustertest.Link{Engine: s.log}
		parts.Cluster = &cluster.Options{Name: n.name, Engine: n.link, Times: times}
	}
	joined, err := signaling.Join(parts)
	require.NoError(t, err)
	n.network, n.hub, n.state = clustertest.NewNetwork(), joined.Hub(), joined.State
	if n.left != nil {
		require.NoError(t, joined.Restore(n.left))
	}
	server := &http.Server{ // configured as in cmd/signaling-server
		Handler:           joined.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn),
	}
	walking, stopWalking := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		time.Sleep(after)
		_ = joined.Run(walking)
	})
	running.Go(func() { _ = server.Serve(n.network) })
	n.stop = sync.OnceFunc(func() {
		server.Close()
		stopWalking()
		running.Wait()
	})
}

// turn returns the place of the node that gets the next connection.
func (s *modelServer) turn() int {
	next := (s.last + 1) % len(s.nodes)
	if s.nodes[next].isStopped {
		next = (next + 1) % len(s.nodes)
	}
	return next
}

// next returns the node that gets the next connection.
func (s *modelServer) next() *modelNode { return s.nodes[s.turn()] }

// dial connects to the next node.
func (s *modelServer) dial() *ear {
	s.last = s.turn()
	return s.nodes[s.last].dial()
}

// isCluster reports whether there are several nodes.
func (s *modelServer) isCluster() bool { return s.log != nil }

// keyless is a courier that removes the events' keys, so that no event replaces an older
// one. Whether a reader has written the older one by then depends on chance. Package sse has
// its own model for that.
type keyless struct{ rooms.Courier }

// Deliver implements rooms.Courier.
func (k keyless) Deliver(socketID string, e rooms.Event) error {
	e.Key = 0
	return k.Courier.Deliver(socketID, e)
}

// Admit implements rooms.Courier.
func (k keyless) Admit(socketIDs iter.Seq[string], e rooms.Event) error {
	e.Key = 0
	return k.Courier.Admit(socketIDs, e)
}

// Tell implements rooms.Courier.
func (k keyless) Tell(socketIDs iter.Seq[string], e rooms.Event) error {
	e.Key = 0
	return k.Courier.Tell(socketIDs, e)
}

// drain drains the node, and returns a channel for the result.
func (n *modelNode) drain() <-chan error {
	drained := make(chan error, 1)
	go func() { // ends with the time-out at the latest
		within, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		drained <- n.hub.Drain(within)
	}()
	return drained
}

func (s *modelServer) touch(socketID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = append(s.touched, socketID)
}

// takeTouched returns the IDs that were touched since the last call.
func (s *modelServer) takeTouched() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	touched := s.touched
	s.touched = nil
	return touched
}

// dial connects to the node.
func (n *modelNode) dial() *ear {
	client, server := net.Pipe()
	e := &ear{Conn: client}
	n.network.Connect(&pipe{server, e})
	return e
}

// pipe is the server's end of a connection.
type pipe struct {
	net.Conn
	ear *ear // the client's end
}
