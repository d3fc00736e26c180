package client_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// Each POST says which event the client has taken last, so that the server need not keep what
// came before. A new socket begins anew.
func TestEachPostConfirmsWhatTheClientHasTaken(t *testing.T) {
	for name, options := range map[string]client.Options{"by stream": {}, "by polls": {Polling: true}} {
		t.Run(name, func(t *testing.T) {
			memory := budget.New(1 << 30)
			s := newServer(t, sse.Options{Budget: memory})
			confirmed := make(chan string, 4096)
			s.Between(func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && r.ContentLength == int64(len(`{"type":"ping"}`)) {
					token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
					sequence, isOwn := strings.CutPrefix(r.Header.Get("Last-Event-ID"), token+".")
					confirmed <- fmt.Sprint(sequence, " ", isOwn)
				}
				return false
			})
			a, b := s.dial(t, options), s.dial(t, client.Options{})
			ping := func(sequence int) {
				t.Helper()
				a.send(client.PingMessage{})
				require.Equal(t, fmt.Sprint(sequence, " true"), <-confirmed)
				next[client.PongEvent](a)
			}
			ping(0)
			a.join("room", "Ada")
			ping(2)
			b.join("room", "Bob")
			next[client.UserConnectedEvent](a)

			idle := memory.Used()
			for range 100 {
				b.send(client.SignalMessage{Target: a.SocketID(), Data: strings.Repeat("x", 2000)})
				next[client.SignalEvent](a)
			}
			ping(104)
			require.Less(t, memory.Used()-idle, int64(100_000))

			s.Hub.End(a.SocketID(), sse.ClientDisconnect)
			next[client.ConnectedEvent](a)
			ping(0)
			ping(1)
		})
	}
}
