package e2e

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Behind a proxy that keeps the stream to the server open after its client has gone, the room
// learns of it in time if the client sends heartbeats. The proxy is that of older
// development servers.
func TestAClientBehindADevelopmentProxyIsReportedInTime(t *testing.T) {
	runsBeside(t)
	server := startServer(t)
	front := startDevelopmentProxy(t, server)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	watches, clients := make(map[string]*watch), make(map[string]*signaling)
	for _, room := range []string{"quiet room", "busy room", "without heartbeats"} {
		near := connect(t, server)
		near.join(room, "near")
		watches[room] = newWatch(near)
		clients[room] = connectWith(t, &http.Transport{}, front, func(s *signaling) { s.answers = room != "without heartbeats" })
		clients[room].join(room, "far")
		if room == "busy room" {
			v := victim{sender: near}
			go v.chatter(ctx, 200*time.Millisecond, 100) // ends with ctx
		}
	}
	time.Sleep(12 * time.Second) // nothing is awaited here: the clients must have answered a heartbeat after the first
	for _, c := range clients {
		c.pause()
	}
	gone := time.Now()
	for _, room := range []string{"quiet room", "busy room"} {
		_, end := watches[room].awaitEnd(t, room)
		require.Equal(t, "transport close", end.Reason, room)
		require.Less(t, end.Timestamp.Sub(gone), reported, room)
		t.Logf("%s: gone after %.1f s", room, end.Timestamp.Sub(gone).Seconds())
	}
	select {
	case <-watches["without heartbeats"].ended:
		require.Fail(t, "this proxy drops the stream of a client that has gone, so this test proves nothing")
	case <-time.After(time.Until(gone.Add(reported))):
	}
}

// startDevelopmentProxy starts http-proxy before a server, and returns its address.
func startDevelopmentProxy(t *testing.T, server string) string {
	t.Helper()
	requireNode(t)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS("devserver")))
	output, err := tool(t, folder, "npm", "ci", "--no-audit", "--no-fund").CombinedOutput()
	require.NoError(t, err, string(output))

	command := tool(t, folder, "node", "proxy.mjs", server)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // the error says that it was killed
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(address)
}
