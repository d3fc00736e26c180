package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is how many bytes the path of a Unix socket may have: see unix(7). Some
// systems allow a few less.
const maxSocketPath = 107

// socketPath returns the path of the Unix socket that the server listens on, or "" if it
// listens on a port.
func (c config) socketPath() string {
	path, isSocket := strings.CutPrefix(c.Host, "unix:")
	if !isSocket {
		return ""
	}
	return path
}

// isSocket reports whether a value of HOST names a Unix socket by its whole path.
func isSocket(host string) bool {
	path, isSocket := strings.CutPrefix(host, "unix:")
	return isSocket && strings.HasPrefix(path, "/") && len(path) <= maxSocketPath
}

// isMode reports whether a text is the permissions of a file, as an octal number.
func isMode(text string) bool {
	_, err := strconv.ParseUint(text, 8, 9)
	return err == nil
}

// listenUnix listens on a Unix socket. Its file gets the permissions in mode, and is
// removed when the listener is closed. The error is a sentence for the operator.
func listenUnix(path, mode string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the Unix socket %s: %w", path, err)
	}
	permissions, _ := strconv.ParseUint(mode, 8, 9) // loadConfig validated it
	if err := os.Chmod(path, fs.FileMode(permissions)); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot set the permissions of the Unix socket %s: %w", path, err), listener.Close())
	}
	return listener, nil
}

// removeStale removes the socket that a server left behind when it was killed. Only a
// socket on which nobody listens refuses connections.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // there is no file, or listening fails for the same reason
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists, and is not a socket: remove it, or set HOST to another path", path)
	}
	connection, err := net.Dial("unix", path)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("another program listens on the Unix socket %s: stop that program, or set HOST to another path", path), connection.Close())
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot find out whether a program listens on the Unix socket %s: remove it, or set HOST to another path (%w)", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot remove the Unix socket of a server that has ended: %w", err)
	}
	return nil
}
