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
	// deadLinkTimeout is how long what was sent may stay unacknowledged before
	// the connection counts as dead. With it, a peer whose network vanished is
	// reported within the 30 s that the protocol promises: heartbeat interval,
	// this, and resume window.
	deadLinkTimeout = 8 * time.Second

	// sendBuffer bounds what the kernel takes for a client that does not read, in
	// bytes. Left alone it grows to megabytes: memory that nobody counts, and
	// more than an outbox keeps for a resume, so that a client whose link stalled
	// and then dropped could not be given what it missed.
	sendBuffer = 64 << 10
)

// probes find a dead link over which nothing is on its way, such as that of a
// waiting poll. They begin as late as a stream's heartbeat would be sent, and
// give up after the same time.
var probes = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 4 * time.Second, Count: 2}

// listen opens the server's port. Accepted connections inherit its options. The error
// is a sentence for the operator.
func listen(c config) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: probes, Control: func(_, _ string, connection syscall.RawConn) error {
		var failed error
		err := connection.Control(func(descriptor uintptr) { failed = setSocketOptions(descriptor) })
		return errors.Join(err, failed)
	}}
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return nil, listenError(c, err)
	}
	return listener, nil
}

// listenError says in a sentence why a port cannot be had.
func listenError(c config, err error) error {
	where := "port " + strconv.Itoa(c.Port)
	if c.Host != "" {
		where += " of " + c.Host
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another program; stop that, or set PORT to a free one", where)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s may be used by privileged users only; set PORT to one above 1023", where)
	default:
		return fmt.Errorf("cannot listen on %s: %w", where, err)
	}
}
