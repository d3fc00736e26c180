package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// twoHosts is two network namespaces with a link between them. They act as two hosts.
type twoHosts struct{ server, client string }

// The addresses of the link. They are reserved for documentation (RFC 5737).
const (
	serverAddress = "192.0.2.1"
	clientAddress = "192.0.2.2"
)

// namespaces counts the namespaces, so that each has its own name.
var namespaces atomic.Int64

// newTwoHosts makes the namespaces. It skips the test if it cannot make them, or fails
// it if REQUIRE_NETNS is set.
func newTwoHosts(t *testing.T) twoHosts {
	t.Helper()
	number := namespaces.Add(1)
	h := twoHosts{fmt.Sprintf("server-%d-%d", os.Getpid(), number), fmt.Sprintf("client-%d-%d", os.Getpid(), number)}
	t.Cleanup(h.remove)
	for _, command := range []string{
		"ip netns add " + h.server,
		"ip netns add " + h.client,
		"ip link add veth0 netns " + h.server + " type veth peer name veth0 netns " + h.client,
		"ip -n " + h.server + " addr add " + serverAddress + "/24 dev veth0",
		"ip -n " + h.client + " addr add " + clientAddress + "/24 dev veth0",
		"ip -n " + h.server + " link set veth0 up",
		"ip -n " + h.client + " link set veth0 up",
		"ip -n " + h.server + " link set lo up",
		"ip netns exec " + h.server + " iptables -w -L -n",
	} {
		if err := run(command); err != nil {
			if os.Getenv("REQUIRE_NETNS") != "1" {
				t.Skipf("NOT TESTED: network namespaces cannot be made here: %v", err)
			}
			require.NoError(t, err)
		}
	}
	return h
}

func (h twoHosts) remove() {
	for _, name := range []string{h.server, h.client} {
		if _, err := os.Stat(filepath.Join("/run/netns", name)); err == nil {
			_ = run("ip netns del " + name)
		}
	}
}

// run runs one command. Its words must not contain spaces.
func run(command string) error {
	words := strings.Fields(command)
	output, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, output)
	}
	return nil
}

// drop stops all traffic in both directions, as a network does that vanishes. Neither
// side receives a sign of it.
func (h twoHosts) drop(t *testing.T) {
	t.Helper()
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		require.NoError(t, run(h.rule("-I", chain)))
	}
}

// restore undoes drop.
func (h twoHosts) restore(t *testing.T) {
	t.Helper()
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		require.NoError(t, run(h.rule("-D", chain)))
	}
}

func (h twoHosts) rule(verb, chain string) string {
	direction := map[string]string{"INPUT": "-i", "OUTPUT": "-o"}[chain]
	return fmt.Sprintf("ip netns exec %s iptables -w %s %s %s veth0 -j DROP", h.server, verb, chain, direction)
}

// dialFrom returns a function that dials as a program in a namespace does.
func dialFrom(namespace string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (connection net.Conn, err error) {
		dialed := make(chan struct{})
		go func() { // ends with the dial; its thread ends as well, because it can never leave the namespace
			defer close(dialed)
			runtime.LockOSThread()
			if err = enter(namespace); err == nil {
				var dialer net.Dialer
				connection, err = dialer.DialContext(ctx, network, address)
			}
		}()
		<-dialed
		return connection, err
	}
}

func enter(namespace string) error {
	file, err := os.Open(filepath.Join("/run/netns", namespace))
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
}
