//go:build unix

package main

import "golang.org/x/sys/unix"

// maxDescriptors returns how many file descriptors the process may have, 0 if that
// is not known. Go has raised the soft limit to the hard one by now.
func maxDescriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	const plenty = 1 << 24 // more than any kernel grants; some report no limit by -1
	return int(min(uint64(limit.Cur), plenty))
}
