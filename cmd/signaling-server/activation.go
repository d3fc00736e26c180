package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// activated returns the listener that systemd has opened for this process, or nil if there is
// none: see sd_listen_fds(3). While the server is replaced, connections wait in it. The error is a
// sentence for the operator.
func activated() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	if count := os.Getenv("LISTEN_FDS"); count != "1" {
		return nil, fmt.Errorf("systemd has opened %s sockets, but the server listens on one: let its .socket unit have one ListenStream", count)
	}
	const first = 3 // after standard input, output and error
	file := os.NewFile(first, "systemd's socket")
	listener, err := net.FileListener(file) // has its own copy of the descriptor
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("the socket that systemd has opened cannot be used: %w", err)
	}
	port, isTCP := listener.(*net.TCPListener)
	if !isTCP {
		return listener, nil
	}
	connection, err := port.SyscallConn()
	if err == nil {
		err = setOptions(connection)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the socket that systemd has opened cannot be used: %w", err), port.Close())
	}
	return probing{port}, nil
}

// probing is a port whose connections have our probes.
type probing struct{ *net.TCPListener }

// Accept implements [net.Listener].
func (p probing) Accept() (net.Conn, error) {
	connection, err := p.AcceptTCP()
	if err != nil {
		return nil, err
	}
	_ = connection.SetKeepAliveConfig(probes) // an error means that it is closed already
	return connection, nil
}
