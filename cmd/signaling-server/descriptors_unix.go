//go:build unix

package main

import "golang.org/x/sys/unix"

// maxDescriptors returns how many file descriptors the process may have, or 0 if that
// is not known. The Go runtime has already raised the soft limit to the hard limit.
func maxDescriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	const plenty = 1 << 24 // more than any kernel grants; some kernels report no limit as -1
	return int(min(uint64(limit.Cur), plenty))
}
