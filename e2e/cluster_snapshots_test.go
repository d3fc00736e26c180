package e2e

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjetstream "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signaling-server/cluster/jetstream"
)

// Whatever answer of the engine is lost while a snapshot is put, there is a snapshot that is
// whole: the new snapshot or its predecessor.
func TestASnapshotIsWholeWhateverAnswerIsLost(t *testing.T) {
	address := startNATS(t)
	direct := newEngine(t, address)
	dice := rand.NewChaCha8([32]byte{1})
	want := make(map[uint64][]byte)
	for lost := range 6 {
		sequence, snapshot := uint64(100+lost), make([]byte, 1<<20)
		dice.Read(snapshot)
		want[sequence] = snapshot
		link, left := deafLink(t, address)
		deaf := newEngine(t, link)
		left.Store(int64(lost))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := deaf.PutSnapshot(ctx, sequence, snapshot)
		cancel()
		newest, is, failed := direct.NewestSnapshot(bounded(t))
		require.NoError(t, failed, "after %d answers (%v)", lost, err)
		require.True(t, bytes.Equal(want[newest], is), "snapshot %d is another than was put", newest)
		if err == nil {
			require.Equal(t, sequence, newest)
		}
		require.NoError(t, direct.PutSnapshot(bounded(t), sequence, snapshot))
	}
}

// A node can start even if the engine has lost a part of the newest snapshot.
func TestTheSnapshotBeforeIsTakenIfTheNewestIsNotWhole(t *testing.T) {
	address := startNATS(t)
	engine := newEngine(t, address)
	for sequence := range uint64(4) {
		require.NoError(t, engine.PutSnapshot(bounded(t), sequence+1, bytes.Repeat([]byte{byte(sequence + 1)}, 1<<20)))
	}
	conn, err := nats.Connect("nats://" + address)
	require.NoError(t, err)
	defer conn.Close()
	js, err := natsjetstream.New(conn)
	require.NoError(t, err)
	for want := uint64(4); want > 2; want-- {
		sequence, snapshot, err := engine.NewestSnapshot(bounded(t))
		require.NoError(t, err)
		require.Equal(t, want, sequence)
		require.Equal(t, bytes.Repeat([]byte{byte(want)}, 1<<20), snapshot)
		stream, err := js.Stream(bounded(t), "tests-snapshots")
		require.NoError(t, err)
		part := stream.CachedInfo().State.LastSeq - 1 - 3*(4-want) // each snapshot has two parts and a head
		require.NoError(t, stream.DeleteMsg(bounded(t), part))
	}
	sequence, _, err := engine.NewestSnapshot(bounded(t))
	require.NoError(t, err, "the log has forgotten nothing, so a node can begin with its first record")
	require.Zero(t, sequence)
}

// An operator deletes the stream of snapshots. Without it the log would never forget anything.
func TestTheStreamOfSnapshotsIsMadeAnew(t *testing.T) {
	address := startNATS(t)
	engine := newEngine(t, address)
	conn, err := nats.Connect("nats://" + address)
	require.NoError(t, err)
	defer conn.Close()
	js, err := natsjetstream.New(conn)
	require.NoError(t, err)
	require.NoError(t, js.DeleteStream(bounded(t), "tests-snapshots"))
	require.NoError(t, engine.PutSnapshot(bounded(t), 7, []byte("state")))
	sequence, snapshot, err := engine.NewestSnapshot(bounded(t))
	require.NoError(t, err)
	require.Equal(t, uint64(7), sequence)
	require.Equal(t, "state", string(snapshot))
}

// startNATS starts a NATS server, and returns where clients reach it.
func startNATS(t *testing.T) (address string) {
	t.Helper()
	path, err := builtNATS.build()
	require.NoError(t, err)
	port := freePort(t)
	server := exec.Command(path, "-a", "127.0.0.1", "-p", port, "-js", "-sd", t.TempDir())
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait() // the error says that it was killed
	})
	return "127.0.0.1:" + port
}

// newEngine returns an engine that is ready.
func newEngine(t *testing.T, address string) *jetstream.Engine {
	t.Helper()
	engine, err := jetstream.New(jetstream.Options{URLs: []string{"nats://" + address}, Name: "tests", Node: "node", Replicas: 1})
	require.NoError(t, err)
	t.Cleanup(engine.Close)
	require.EventuallyWithT(t, func(t *assert.CollectT) { require.NoError(t, engine.Prepare(context.Background())) }, within, 50*time.Millisecond)
	return engine
}

// deafLink passes connections on to a NATS server. It passes so many answers back as are left.
func deafLink(t *testing.T, to string) (address string, left *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	left = &atomic.Int64{}
	left.Store(1 << 30)
	open := openConnections{all: make(map[net.Conn]bool)}
	var running sync.WaitGroup
	running.Go(func() { // ends with the listener
		for {
			engine, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				engine.Close()
				continue
			}
			if open.add(engine, server) {
				running.Go(func() { io.Copy(server, engine) }) // both end when all are cut
				running.Go(func() { passAnswers(engine, server, left) })
			}
		}
	})
	t.Cleanup(func() {
		listener.Close()
		open.cut()
		running.Wait()
	})
	return listener.Addr().String(), left
}

// passAnswers copies until the connection ends, or no answer is left.
func passAnswers(to io.Writer, from io.Reader, left *atomic.Int64) {
	for buffer := make([]byte, 64<<10); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if left.Add(-int64(bytes.Count(buffer[:n], []byte("MSG _INBOX")))) >= 0 {
			to.Write(buffer[:n]) // an error means that the connection is cut
		}
	}
}
