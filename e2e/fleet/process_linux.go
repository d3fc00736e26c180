package fleet

import "syscall"

// endsWithThread lets a process end with the thread that starts it.
func endsWithThread() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
