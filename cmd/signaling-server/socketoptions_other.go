//go:build !linux

package main

// setSocketOptions does nothing here: dead links are found by the platform's
// own time-outs.
func setSocketOptions(uintptr) error { return nil }
