package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// idleSockets is how many clients are connected while memory is measured.
const idleSockets = 10_000

// BenchmarkIdleSocket measures the memory that one idle client costs: the growth of the
// server's heap and stacks for each client. The clients run in their own process, so that
// their memory does not count and they have their own file descriptors.
func BenchmarkIdleSocket(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		measureIdle(b, newFloor(b).Listener.Addr().String(), false)
	})
	b.Run("server", func(b *testing.B) {
		measureIdle(b, newServer(b, sse.Options{}, 1000).Listener.Addr().String(), true)
	})
}

// measureIdle measures the memory while another process keeps idle streams open to an
// address. With join, each stream is in a room of four.
func measureIdle(b *testing.B, address string, join bool) {
	before := inUse()
	clients := exec.Command(os.Args[0], "-test.run", "^TestHoldIdleClients$", "-test.v")
	clients.Env = append(os.Environ(), "IDLE_ADDRESS="+address, fmt.Sprint("IDLE_JOIN=", join))
	clients.Stderr = os.Stderr
	letGo, err := clients.StdinPipe()
	require.NoError(b, err)
	output, err := clients.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, clients.Start())
	lines := bufio.NewScanner(output)
	holding := false
	for !holding && lines.Scan() {
		holding = strings.Contains(lines.Text(), "holding")
	}
	require.True(b, holding, "the clients did not connect")
	b.ReportMetric(float64(inUse()-before)/idleSockets, "B/socket")
	b.ReportMetric(0, "ns/op")
	require.NoError(b, letGo.Close())
	_, _ = io.Copy(io.Discard, output)
	require.NoError(b, clients.Wait())
}

// TestHoldIdleClients is the clients' process of BenchmarkIdleSocket. It opens streams, and
// keeps them open until its standard input ends.
func TestHoldIdleClients(t *testing.T) {
	address := os.Getenv("IDLE_ADDRESS")
	if address == "" {
		t.Skip("only a part of BenchmarkIdleSocket")
	}
	from := newSender(t, address)
	for n := range idleSockets {
		connection, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer connection.Close()
		_, err = io.WriteString(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n")
		require.NoError(t, err)
		var head []byte
		part := make([]byte, 1024)
		for !bytes.Contains(head, []byte("data: ")) || !bytes.HasSuffix(head, []byte("\n\n\r\n")) {
			size, err := connection.Read(part)
			require.NoError(t, err)
			head = append(head, part[:size]...)
		}
		if os.Getenv("IDLE_JOIN") == "true" {
			_, rest, _ := strings.Cut(string(head), `"token":"`)
			from.post(t, request(rest[:22], fmt.Sprintf(`{"type":"join-room","roomId":"room %d","userId":"user %d"}`, n/4, n)))
		}
	}
	fmt.Println("holding")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// inUse returns the bytes in the process's heap and stacks. Each collection halves the
// stacks that are too large. After a few collections, each stack is as small as an idle
// goroutine allows.
func inUse() uint64 {
	for range 5 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse + stats.StackInuse
}
