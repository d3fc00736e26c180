package main

import (
	"time"

	"golang.org/x/sys/windows"
)

// ownProcessor returns the processor time of this process.
func ownProcessor() time.Duration {
	var created, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &ended, &kernel, &user); err != nil {
		return 0
	}
	ticks := func(t windows.Filetime) int64 { return int64(t.HighDateTime)<<32 | int64(t.LowDateTime) }
	return time.Duration(ticks(kernel)+ticks(user)) * 100 // nanoseconds
}

// allowDescriptors does nothing: Windows has no such limit.
func allowDescriptors(int) error { return nil }
