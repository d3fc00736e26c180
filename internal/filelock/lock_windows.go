package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Lock lets no other process lock the file until it is closed, or this process ends (LockFileEx). It
// does not wait: the error is ErrLocked. If the file system has no locks, as some in a network,
// Lock does nothing.
func Lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)); errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return nil
}
