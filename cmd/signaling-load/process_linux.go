package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// manyAddresses says that all of 127.0.0.0/8 is this machine.
const manyAddresses = true

// usageOfProcess returns the processor time of a process and its resident memory in bytes.
func usageOfProcess(pid int) (processor time.Duration, resident int64, err error) {
	// This clock counts in nanoseconds what /proc/PID/stat has in steps of 10 ms. Its number is
	// what glibc's clock_getcpuclockid returns.
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, 0, fmt.Errorf("reading the processor time of process %d: %w: has the server ended, or is -pid not its process on this machine?", pid, err)
	}
	sizes, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of process %d: %w: is -pid the server's process? Only its user and root may read that", pid, err)
	}
	_, rest, _ := bytes.Cut(sizes, []byte("\nRss:"))
	kib, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, err := strconv.ParseInt(string(kib), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), n << 10, nil
}
