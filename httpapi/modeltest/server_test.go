package modeltest

import (
	"context"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/httpapi"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// modelServer is the whole server in fake time.
type modelServer struct {
	network *network
	hub     *sse.Hub

	mu      sync.Mutex // guards the fields below
	touched []string   // the IDs of the sockets that ended, went away or came back, oldest first
}

// startModelServer starts a server that stops at the end of the check.
func startModelServer(t *rapid.T, options sse.Options, maxMembers int) *modelServer {
	s := &modelServer{network: newNetwork()}
	joined, err := signaling.Join(signaling.Parts{
		SSE:     options,
		Rooms:   rooms.Options{Members: maxMembers},
		API:     httpapi.Options{CORSOrigins: []string{"*"}, Pages: fstest.MapFS{}, Client: fstest.MapFS{}},
		Observe: s.touch,
		Courier: func(c rooms.Courier) rooms.Courier { return keyless{c} },
	})
	require.NoError(t, err)
	s.hub = joined.Hub()

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
	running.Go(func() { joined.Run(walking) })
	running.Go(func() { _ = server.Serve(s.network) })
	t.Cleanup(func() {
		server.Close()
		stopWalking()
		running.Wait()
	})
	return s
}

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

// drain stops the server, and returns a channel for the result.
func (s *modelServer) drain() <-chan error {
	drained := make(chan error, 1)
	go func() { // ends with the time-out at the latest
		within, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		drained <- s.hub.Drain(within)
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

// network is a listener whose connections are pipes within the process. A goroutine that
// waits for a pipe is durably blocked, so fake time can pass (testing/synctest).
type network struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newNetwork() *network {
	return &network{calls: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) dial() *ear {
	client, server := net.Pipe()
	e := &ear{Conn: client}
	n.calls <- &pipe{server, e}
	return e
}

// pipe is the server's end of a connection.
type pipe struct {
	net.Conn
	ear *ear // the client's end
}

// Accept implements net.Listener.
func (n *network) Accept() (net.Conn, error) {
	select {
	case connection := <-n.calls:
		return connection, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements net.Listener.
func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
