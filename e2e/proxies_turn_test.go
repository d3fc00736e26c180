package e2e

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/logging"
	pionturn "github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
)

// One machine has the proxy on port 443, and behind it the signaling server and coturn.
func TestTheRecipeForOneMachineWithPort443Works(t *testing.T) {
	runsBeside(t)
	haproxyForTURN.installed(t)
	proxy := haproxyForTURN
	proxy.edits = append(proxy.edits, edit{"127.0.0.1:5349", startCoturn(t)})
	command := strings.TrimSuffix(codeBlock(t, "start-turn"), "signaling-server\n")
	url, log := startForTCP(t, command)
	through := proxy.prove(t, url, log)

	servers := connectBy(t, through.transport(t), through.url).iceServers()
	require.Len(t, servers, 1)
	require.Contains(t, servers[0].URLs, "turns:turn.example.com:443?transport=tcp")
	below, err := through.dial(bounded(t), "tcp")
	require.NoError(t, err)
	encrypted := tls.Client(below, &tls.Config{ServerName: "turn.example.com", RootCAs: certificate().roots})
	require.NoError(t, encrypted.HandshakeContext(bounded(t)))
	factory := logging.NewDefaultLoggerFactory()
	factory.Writer = t.Output()
	client, err := pionturn.NewClient(&pionturn.ClientConfig{
		TURNServerAddr: through.address,
		Conn:           pionturn.NewSTUNConn(encrypted),
		Username:       servers[0].Username,
		Password:       servers[0].Credential.(string),
		Realm:          "turn.example.com",
		LoggerFactory:  factory,
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	require.NoError(t, client.Listen())
	relayed, err := client.Allocate()
	require.NoError(t, err)
	t.Cleanup(func() { relayed.Close() })

	to := func(address string) error {
		return client.CreatePermission(&net.UDPAddr{IP: net.ParseIP(address), Port: 9})
	}
	require.NoError(t, to("192.0.2.1"))
	for _, own := range []string{"127.0.0.1", "10.0.0.1", "172.17.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"} {
		require.Error(t, to(own), "%s is in the operator's own network", own)
	}
}

// startCoturn starts coturn as the documents say, and returns the address at which it
// speaks TLS.
func startCoturn(t *testing.T) (address string) {
	t.Helper()
	const program = "/usr/bin/turnserver"
	if _, err := os.Stat(program); err != nil && os.Getenv("REQUIRE_PROXIES") != "1" {
		t.Skip("NOT TESTED: coturn is not installed: install the package coturn")
	}
	folder := openFolder(t)
	writeCertificate(t, folder)
	port := freePort(t)
	config := strings.ReplaceAll(codeBlock(t, "recipe-coturn"), "/etc/ssl/turn", folder) +
		"listening-ip=127.0.0.1\nlistening-port=" + freePort(t) + "\ntls-listening-port=" + port + "\n" +
		"pidfile=" + folder + "/pid\nuserdb=" + folder + "/db\nlog-file=stdout\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config"), []byte(config), 0o644))
	command := exec.Command(program, "-c", filepath.Join(folder, "config"))
	command.Stdout = t.Output()
	if os.Getuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // the error says that it was killed
	})
	address = "127.0.0.1:" + port
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err == nil
	}, within, 50*time.Millisecond)
	return address
}
