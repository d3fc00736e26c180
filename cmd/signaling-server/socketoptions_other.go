//go:build !linux

package main

// setSocketOptions does nothing on this system: the system's own timeouts find dead
// links.
func setSocketOptions(uintptr) error { return nil }
