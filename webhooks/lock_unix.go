//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package webhooks

import (
	"os"
	"syscall"
)

// lockFile lets no other process lock the file until it is closed, or this process ends.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
