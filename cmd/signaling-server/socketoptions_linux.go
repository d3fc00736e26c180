package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// setSocketOptions bounds how long a dead link stays unnoticed (RFC 5482), and how much
// the kernel buffers.
func setSocketOptions(descriptor uintptr) error {
	return errors.Join(
		unix.SetsockoptInt(int(descriptor), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadLinkTimeout.Milliseconds())),
		unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer),
	)
}
