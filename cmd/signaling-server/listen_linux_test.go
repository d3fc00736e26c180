package main

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A client that speaks Multipath TCP must not get a connection without these options.
func TestEveryConnectionIsPlainTCPWithTheOptionsOfItsListener(t *testing.T) {
	c := defaultConfig()
	c.Host, c.Port = "127.0.0.1", 0
	listener, err := listen(&c)
	require.NoError(t, err)
	defer listener.Close()
	for _, isMultipath := range []bool{false, true} {
		var dialer net.Dialer
		dialer.SetMultipathTCP(isMultipath)
		client, err := dialer.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		accepted, err := listener.Accept()
		require.NoError(t, err)
		defer accepted.Close()
		raw, err := accepted.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(descriptor uintptr) {
			protocol, err := unix.GetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_PROTOCOL)
			require.NoError(t, err)
			require.Equal(t, unix.IPPROTO_TCP, protocol)
			timeout, err := unix.GetsockoptInt(int(descriptor), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
			require.NoError(t, err)
			require.EqualValues(t, deadLinkTimeout.Milliseconds(), timeout)
		}))
	}
}
