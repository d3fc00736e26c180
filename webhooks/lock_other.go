//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package webhooks

import "os"

// lockFile does nothing: this system has no such locks.
func lockFile(*os.File) error { return nil }
