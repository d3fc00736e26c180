//go:build !linux

package main

// setSocketOptions does nothing on this system, whose own time-outs find dead links.
func setSocketOptions(uintptr) error { return nil }
