//go:build unix

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ownProcessor returns the processor time of this process.
func ownProcessor() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // cannot fail
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// allowDescriptors raises the limit of this process's file descriptors.
func allowDescriptors(wanted int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if uint64(limit.Cur) >= uint64(wanted) {
		return nil
	}
	had := limit.Cur
	limit.Cur = min(limit.Max, uint64(wanted))
	if limit.Max < uint64(wanted) {
		limit.Cur, limit.Max = uint64(wanted), uint64(wanted) // as root
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the clients need %d file descriptors, and this process may have %d: raise the limit (ulimit -n %d), use fewer -clients, or set -keep-alive=false", wanted, had, wanted)
	}
	return nil
}
