package e2e

import (
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// oddICEServers are servers as services return them and people write them. Browsers throw
// on some of them, and each browser on others.
const oddICEServers = `{"v": {"ttl": 86400, "iceServers": [
	{"urls": "stun:stun.example.net:3478?transport=udp"},
	{"url": "stun:stun.example.net:3478", "urls": "stun:stun.example.net:3478"},
	{"url": "STUN://stun.example.net/"},
	{"urls": ["stun:[2001:db8::1]:3478", "stun:192.0.2.1:", "stun:A.Example:53", "stun:b\u00fccher.example", "stun:a_b.example."], "username": "u"},
	{"urls": ["turn://turn.example.net:3478?transport=UDP", "TURNS:turn.example.net:443?transport=tcp", "turns:turn.example.net?transport=udp", "turn:[::1]?"],
		"username": "u", "credential": "c", "credentialType": "password"}
]}}`

func TestEveryBrowserTakesTheICEServersThatAreHandedOut(t *testing.T) {
	t.Parallel()
	url := startServer(t, "ICE_SERVERS="+oddICEServers, "TURN_SECRET=secret", "TURN_URLS=turn://turn.example.org:3478?transport=UDP, TURNS:bücher.example:443?transport=tcp,turn:turn.example.org:")
	for _, e := range []engine{chromium, firefox} {
		t.Run(e.name(), func(t *testing.T) {
			takesTurns(t)
			p := openTabIn(e, t, "page", url+"/")
			require.Equal(t, 6, evaluate[int](p, `import("/client.js").then(({ io }) => new Promise((resolve) => {
				const socket = io();
				socket.on("connect", () => {
					for (const server of socket.iceServers) new RTCPeerConnection({ iceServers: [server] }).close();
					new RTCPeerConnection({ iceServers: socket.iceServers }).close();
					resolve(socket.iceServers.length);
					socket.disconnect();
				});
			}))`))
			p.forgive("exception") // Firefox warns of many servers
		})
	}
	t.Run("pion", func(t *testing.T) {
		t.Parallel()
		servers := connect(t, url).iceServers()
		require.Len(t, servers, 6)
		connection, err := webrtc.NewPeerConnection(webrtc.Configuration{ICEServers: servers})
		require.NoError(t, err)
		require.NoError(t, connection.Close())
	})
}
