//go:build !linux

package fleet

import "syscall"

// endsWithThread: only Linux can end a process with its parent.
func endsWithThread() *syscall.SysProcAttr { return nil }
