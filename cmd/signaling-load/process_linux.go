package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process has used.
type usage struct {
	processor time.Duration
	resident  int64 // bytes
}

// usageOf reads the processor time and the memory of a process. The clock of its
// processor time counts nanoseconds; /proc/PID/stat has the same in steps of 10 ms.
func usageOf(pid int) (u usage, err error) {
	var t unix.Timespec
	const schedulerClock = 2 // CPUCLOCK_SCHED: see clock_getcpuclockid in glibc
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &t); err != nil {
		return u, fmt.Errorf("reading the processor time of process %d: %w: give -pid the server's process on this machine", pid, err)
	}
	u.processor = time.Duration(t.Nano())
	sizes, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return u, fmt.Errorf("reading the memory of process %d: %w: run as the server's user or root", pid, err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(sizes)); lines.Scan(); {
		if fields := bytes.Fields(lines.Bytes()); len(fields) == 3 && string(fields[0]) == "Rss:" {
			kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
			u.resident = kib << 10
			return u, err
		}
	}
	return u, fmt.Errorf("/proc/%d/smaps_rollup tells no Rss", pid)
}
