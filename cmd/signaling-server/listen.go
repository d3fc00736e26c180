package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

const (
	// deadLinkTimeout is how long sent data may stay unacknowledged before the
	// connection counts as dead. The protocol promises that a peer whose network
	// vanished is reported within 30 s: this timeout, the heartbeat interval and the
	// resume window together take less. It is a little longer than the timeout of a write
	// (8 s), so usually that timeout ends a client that reads nothing. If the kernel is
	// first, the reason is the same.
	deadLinkTimeout = 8500 * time.Millisecond

	// sendBuffer is how many bytes the kernel may accept for a client that does not
	// read. Without a bound the buffer grows to megabytes. Nobody counts that memory.
	// And an outbox keeps fewer bytes than that for a resume. So a client whose link
	// stalled and then dropped could not get all that it missed.
	sendBuffer = 64 << 10
)

// probes find a dead link while no data is on its way, for example during a poll that
// waits. The first probe is sent when a stream would get its heartbeat. If no probe is
// answered for deadLinkTimeout after that, the connection counts as dead.
var probes = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 4 * time.Second, Count: 2}

// listen returns the listener that systemd has opened. Without one it opens the server's port, or
// its Unix socket. It sets Port and Host to where the listener is. The error is a sentence for the
// operator.
func listen(c *config) (net.Listener, error) {
	listener, err := activated()
	if listener == nil && err == nil {
		listener, err = open(*c)
	}
	if err != nil {
		return nil, err
	}
	c.Port = portOf(listener)
	if address, isUnix := listener.Addr().(*net.UnixAddr); isUnix {
		c.Host = "unix:" + address.Name
	}
	return listener, nil
}

// open opens the server's port, or its Unix socket. Connections to a port inherit its options. The
// error is a sentence for the operator.
func open(c config) (net.Listener, error) {
	if path := c.socketPath(); path != "" {
		return listenUnix(path, c.SocketMode)
	}
	config := net.ListenConfig{KeepAliveConfig: probes, Control: func(_, _ string, connection syscall.RawConn) error {
		return setOptions(connection)
	}}
	config.SetMultipathTCP(false) // it knows no TCP_USER_TIMEOUT
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return nil, listenError(c, err)
	}
	return listener, nil
}

// setOptions sets the options that connections to a port inherit.
func setOptions(port syscall.RawConn) error {
	var failed error
	err := port.Control(func(descriptor uintptr) { failed = setSocketOptions(descriptor) })
	return errors.Join(err, failed)
}

// portOf returns the port of a listener, or 0 if it listens on a Unix socket.
func portOf(listener net.Listener) int {
	if address, isTCP := listener.Addr().(*net.TCPAddr); isTCP {
		return address.Port
	}
	return 0
}

// listenError returns a sentence that says why the server cannot listen, and what to do.
func listenError(c config, err error) error {
	where := "port " + strconv.Itoa(c.Port)
	if c.Host != "" {
		where += " of " + c.Host
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: stop that program, or set PORT to a free port", where)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("only privileged users may listen on %s: set PORT to a port above 1023 and forward port %[2]d to it, "+
			"or, on Linux, allow it by “setcap cap_net_bind_service=+ep” on the program's file or by “sysctl net.ipv4.ip_unprivileged_port_start=%[2]d”", where, c.Port)
	default:
		return fmt.Errorf("cannot listen on %s: %w", where, err)
	}
}
