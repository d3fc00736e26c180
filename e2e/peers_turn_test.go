package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/pion/logging"
	pionturn "github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

const turnSecret = "known to the TURN server and the signaling server"

// startTURN runs a TURN server that knows the secret, and returns its URL.
func startTURN(t *testing.T) string {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	factory := logging.NewDefaultLoggerFactory()
	factory.Writer = t.Output()
	loopback := net.IPv4(127, 0, 0, 1)
	server, err := pionturn.NewServer(pionturn.ServerConfig{
		Realm:         "signaling.example.com",
		AuthHandler:   pionturn.LongTermTURNRESTAuthHandler(turnSecret, factory.NewLogger("turn")),
		LoggerFactory: factory,
		PacketConnConfigs: []pionturn.PacketConnConfig{{
			PacketConn:            socket,
			RelayAddressGenerator: &pionturn.RelayAddressGeneratorStatic{RelayAddress: loopback, Address: loopback.String()},
			PermissionHandler:     func(net.Addr, net.IP) bool { return true }, // peers may be on loopback
		}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return "turn:" + socket.LocalAddr().String() + "?transport=udp"
}

// iceServers asks the server for the socket's ICE servers.
func (s *signaling) iceServers() (servers []webrtc.ICEServer) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(bounded(s.t), http.MethodGet, s.url+"/ice-servers", nil)
	require.NoError(s.t, err)
	s.mu.Lock()
	r.Header.Set("Authorization", "Bearer "+s.token)
	s.mu.Unlock()
	response, err := s.client.Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	require.Equal(s.t, http.StatusOK, response.StatusCode)
	require.Equal(s.t, "no-store", response.Header.Get("Cache-Control"))
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&servers))
	return servers
}

// throughRelay makes a connection use only TURN servers.
func throughRelay(servers []webrtc.ICEServer) func(*peer) {
	return func(p *peer) {
		require.NoError(p.t, p.connection.SetConfiguration(webrtc.Configuration{ICEServers: servers, ICETransportPolicy: webrtc.ICETransportPolicyRelay}))
	}
}

func TestACallIsRelayedByTheCredentialsThatTheServerHandsOut(t *testing.T) {
	url := startServer(t, "TURN_URLS="+startTURN(t), "TURN_SECRET="+turnSecret)
	relayed := func(p *peer) { throughRelay(p.signaling.iceServers())(p) }
	ada := newPeer(t, url, "relayed", "Ada", relayed)
	newPeer(t, url, "relayed", "Bob", relayed, (*peer).echo)
	ada.isEchoed("through the relay")

	pair, err := ada.connection.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	require.NoError(t, err)
	require.Equal(t, webrtc.ICECandidateTypeRelay, pair.Local.Typ)
	require.Equal(t, webrtc.ICECandidateTypeRelay, pair.Remote.Typ)
}

func TestCredentialsThatHaveRunOutAreRefused(t *testing.T) {
	turn := []string{"TURN_URLS=" + startTURN(t), "TURN_SECRET=" + turnSecret}
	session := connect(t, startServer(t, append(turn, "TURN_TTL=1h")...))
	brief := connect(t, startServer(t, append(turn, "TURN_TTL=1s")...))
	servers := brief.iceServers()
	require.Equal(t, 1, allocations(t, session.iceServers()), "while they are good")
	time.Sleep(2 * time.Second) // the TURN server has a clock of its own
	require.Zero(t, allocations(t, servers), "and no longer")
	require.Equal(t, 1, allocations(t, session.iceServers()), "others are handed out at once")
}

// allocations returns how many addresses the TURN servers lend for these credentials.
func allocations(t *testing.T, servers []webrtc.ICEServer) (count int) {
	connection := newConnection(t)
	require.NoError(t, connection.SetConfiguration(webrtc.Configuration{ICEServers: servers, ICETransportPolicy: webrtc.ICETransportPolicyRelay}))
	gathered := webrtc.GatheringCompletePromise(connection)
	connection.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate != nil {
			count++
		}
	})
	_, err := connection.CreateDataChannel("x", nil)
	require.NoError(t, err)
	offer, err := connection.CreateOffer(nil)
	require.NoError(t, err)
	require.NoError(t, connection.SetLocalDescription(offer))
	await(t, gathered, "end of gathering")
	require.NoError(t, connection.GracefulClose())
	return count
}
